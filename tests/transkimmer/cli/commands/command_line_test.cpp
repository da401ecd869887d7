#include "transkimmer/cli/commands/command_line.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <nlohmann/json.hpp>

#include "tensor/error.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"
#include "transkimmer/cli/run/options.h"

namespace tk {
namespace {

using nlohmann::json;
using Arguments = std::vector<std::string>;

// What a command line was read as.
struct Read {
  std::vector<std::string> problems;
  json flags;
  std::vector<std::string> notes;
};

Read read(const Arguments& arguments) {
  CLI::App program("", "transkimmer");
  const std::vector<Command> commands = add_commands(program, {});
  const CommandLine line = parse_command_line(program, commands, arguments);
  return {line.problems, line.command != nullptr ? line.command->flags->values() : json(), line.notes};
}

const Arguments kTrain = {"train", "--task_name=sst2", "--data_dir=d", "--model_name_or_path=m", "--output_dir=o"};

Arguments train(const Arguments& more) {
  Arguments all = kTrain;
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

TEST_CASE("command line: all that is wrong is said at once, in the order of finding it") {
  const Read wrong = read({"train", "--data_dir", "d", "--model_name_or_path", "--learning_rat", "1e-3", "--seed", "-1",
                           "--skim_ramp", "0.1", "--unheard_of", "value", "--max_steps=many", "surplus"});
  CHECK(wrong.problems == Arguments{"--model_name_or_path: expected a value",
                                    "unknown flag --learning_rat; did you mean --learning_rate?",
                                    "unknown flag --unheard_of", "unknown argument surplus",
                                    "--max_steps: expected an integer, got \"many\"",
                                    "--seed: expected an integer of at least 0, got \"-1\"", "--output_dir is required",
                                    "--task_name: expected a task of GLUE, or files of your own in its place: "
                                    "--train_file, --validation_file, --test_file",
                                    "--skim_ramp: only together with --skim"});
  CHECK(read(kTrain).problems.empty());
}

TEST_CASE("command line: what contradicts a flag whose own value is wrong is not said") {
  CHECK(read(train({"--skim=perhaps", "--skim_ramp", "0.1"})).problems ==
        Arguments{"--skim: expected true or false, got \"perhaps\""});
  CHECK(read({"skim", "--data_dir=d", "--output_dir=o", "--teachers=0"}).problems.size() >= 2);
}

TEST_CASE("command line: switches take what Hugging Face's take, in any case, and --no_ in front") {
  for (const char* word : {"false", "False", "FALSE", "no", "N", "0", "off", "f"}) {
    CHECK(read(train({"--do_eval", word})).flags["do_eval"] == false);
    CHECK(read(train({concat("--no-do-eval=", word)})).flags["do_eval"] == true);
  }
  for (const char* word : {"true", "True", "YES", "1", "On", "t"}) {
    CHECK(read(train({"--skim", word})).flags["skim"] == true);
  }
  CHECK(read(train({"--skim", "--no_do_eval", "--no-report"})).flags["skim"] == true);
  CHECK(read(train({"--no_do_eval"})).flags["do_eval"] == false);
  CHECK(read(train({"--no_report", "--report"})).flags["report"] == true);
  CHECK(read(train({"--no_report=maybe"})).problems == Arguments{"--no_report: expected true or false, got \"maybe\""});
  CHECK(read(train({"--report="})).problems.size() == 1);
  CHECK(read(train({"--no_seed"})).problems == Arguments{"unknown flag --no_seed"});
  const Read positional = read({"init", "--cased", "folder", "--config", "tiny"});
  CHECK(positional.problems.empty());
  CHECK(positional.flags["cased"] == true);
}

TEST_CASE("command line: files of one's own are needed for what a script does") {
  const Arguments own = {"train", "--model_name_or_path=m", "--output_dir=o"};
  const auto problems = [&](Arguments more) {
    more.insert(more.begin(), own.begin(), own.end());
    return read(more).problems;
  };
  CHECK(problems({"--do_train=False", "--do_predict", "--test_file", "x.csv"}).empty());
  CHECK(problems({"--do_train=False", "--do_eval", "--validation_file", "v.csv"}).empty());
  CHECK(problems({"--do_train", "--test_file", "x.csv"}) == Arguments{"--train_file: expected rows to train on"});
  CHECK(problems({"--do_train", "--do_predict", "--train_file", "t.csv"}) ==
        Arguments{"--test_file: expected rows to predict"});
}

TEST_CASE("command line: the best model needs scores during training, and checkpoints at the same time") {
  const auto problem = [](const Arguments& more) {
    const Read line = read(train(more));
    REQUIRE(line.problems.size() == 1);
    return line.problems.front();
  };
  CHECK_THAT(problem({"--load_best_model_at_end"}), ContainsSubstring("needs scores during training"));
  CHECK_THAT(problem({"--early_stopping_patience", "2", "--eval_strategy", "epoch", "--no_do_eval"}),
             ContainsSubstring("--early_stopping_patience: needs scores"));
  CHECK(problem({"--load_best_model_at_end", "--eval_strategy", "epoch"}) ==
        "--load_best_model_at_end: --eval_strategy (epoch) and --save_strategy (steps) have to be the same, or "
        "--save_strategy best");
  CHECK_THAT(problem({"--greater_is_better"}), ContainsSubstring("only together with --metric_for_best_model"));
  CHECK_THAT(problem({"--early_stopping_threshold", "0"}), ContainsSubstring("only together with"));
  for (const char* strategy : {"epoch", "best"}) {
    const Read good =
        read(train({"--load_best_model_at_end", "True", "--evaluation_strategy", "epoch", "--save_strategy", strategy,
                    "--metric_for_best_model", "f1", "--greater_is_better", "False"}));
    CHECK(good.problems.empty());
    CHECK(good.flags["greater_is_better"] == false);
  }
}

TEST_CASE("command line: transformers' defaults, where flags are not given") {
  const json own = read(kTrain).flags, theirs = read(train({"--hf_defaults", "--do_train"})).flags;
  json changed = json::object();
  for (const auto& [name, value] : theirs.items()) {
    if (value != own[name]) changed[name] = value;
  }
  CHECK(changed == json{{"hf_defaults", true},
                        {"per_device_train_batch_size", 8},
                        {"per_device_eval_batch_size", 8},
                        {"warmup_ratio", 0.0},
                        {"logging_steps", 500},
                        {"save_total_limit", 0},
                        {"do_eval", false}});
  const Read given = read(train({"--hf_defaults", "--do_train", "--eval_strategy", "steps", "--logging_steps", "20",
                                 "--per_device_train_batch_size", "32", "--per_device_eval_batch_tokens", "4096"}));
  CHECK(given.flags["do_eval"] == true);
  CHECK(given.flags["eval_steps"] == 20);
  CHECK(given.flags["per_device_train_batch_size"] == 32);
  CHECK(given.flags["per_device_eval_batch_size"] == 0);
  CHECK(read(train({"--hf_defaults"})).problems ==
        Arguments{"--do_train, --do_eval and --do_predict are all off: there is nothing to do"});
}

TEST_CASE("command line: a hint is a slip of the pen, not another flag") {
  const auto hint = [](const std::string& flag) { return read(train({flag})).problems.front(); };
  CHECK_THAT(hint("--learning_rte"), ContainsSubstring("did you mean --learning_rate?"));
  CHECK_THAT(hint("--per_device_train_batchsiz"), ContainsSubstring("did you mean --per_device_train_batch_size?"));
  CHECK_THAT(hint("--sede"), ContainsSubstring("did you mean --seed?"));
  for (const char* flag : {"--report_card", "--eval", "--tpu", "--learning", "--skim_targets_all", "--do_it"}) {
    CHECK(hint(flag) == concat("unknown flag ", flag));
  }
}

TEST_CASE("command line: values may look like flags' names, be empty, and come more than once") {
  CHECK(read(train({"--output_dir", "train", "--data_dir", "-"})).flags["output_dir"] == "train");
  CHECK_FALSE(read(train({"--output_dir="})).flags.contains("output_dir"));
  CHECK(read(train({"--max_steps", "-1", "--max_steps", "7"})).flags["max_steps"] == 7);
  CHECK(read(train({"eval"})).problems == Arguments{"unknown argument eval"});
  CHECK(read(train({"-x", "-1"})).problems == Arguments{"unknown flag -x", "unknown argument -1"});
  CHECK(read({"bench", "--task_name=sst2", "--data_dir=d", "--model_name_or_path=m", "--skim_keep", "1,,0.5"})
            .flags["skim_keep"] == json{1.0, 0.5});
  CHECK(read({"inspect", "--", "--data-dir"}).problems.empty());
  CHECK(read({"inspect", "a", "b"}).problems == Arguments{"unknown argument b"});
  CHECK(read({"convert", "a"}).problems == Arguments{"OUT is required"});
}

TEST_CASE("command line: files of flags, which flags behind them change") {
  const TemporaryFolder folder;
  const std::string args = folder / "run.args", object = folder / "run.json";
  write_bytes(args, "--task_name sst2 --data-dir d\n--model_name_or_path m\n  --output_dir o --seed 3 --skim\n");
  write_bytes(object, R"({"flags": {"task_name": "sst2", "data_dir": "d", "model_name_or_path": "m", "output_dir": "o",
                                    "seed": 3, "skim": true, "save_steps": null}})");
  for (const std::string& file : {args, object}) {
    const Read whole = read({"train", file}), changed = read({"train", file, "--seed", "5", "--skim", "False"});
    CHECK(whole.problems.empty());
    CHECK(whole.flags["seed"] == 3);
    CHECK(whole.flags["skim"] == true);
    CHECK(changed.flags["seed"] == 5);
    CHECK(changed.flags["skim"] == false);
    CHECK(read({"eval", file, "--seed", "5"}).flags["model_name_or_path"] == "m");
  }
  CHECK_THROWS_AS(read({"train", folder / "none.args"}), Error);
  CHECK(read(train({args})).problems == Arguments{"unknown argument " + args});
}

TEST_CASE("command line: help wins over what is wrong") {
  CHECK_THROWS_AS(read({"train", "--seed", "x", "--unheard_of", "--help"}), CLI::CallForHelp);
  CHECK_THROWS_AS(read({"glue", "-h"}), CLI::CallForHelp);
  CHECK(read({"glue"}).problems == Arguments{"a command is missing; known: info verify download submit"});
  CHECK(read({"--seed"}).problems == Arguments{"unknown flag --seed"});
}

TEST_CASE("foreign flags: other names of one thing are that thing, and the last spelling counts") {
  const json flags = read({"train",
                           "--bert_model",
                           "m",
                           "--task",
                           "MRPC",
                           "--data_dir=d",
                           "--output_dir=o",
                           "--max_length=64",
                           "--per_gpu_train_batch_size",
                           "4",
                           "--per_device_train_batch_size=5",
                           "--train_batch_size",
                           "6",
                           "--eval_batch_size",
                           "7",
                           "--warmup_proportion",
                           "0.1",
                           "--num_warmup_steps=9",
                           "--max_train_steps",
                           "11",
                           "--evaluation_strategy",
                           "epoch",
                           "--save_checkpoints_steps",
                           "13",
                           "--lr",
                           "1e-3",
                           "--max-val-samples",
                           "8"})
                         .flags;
  CHECK(flags["model_name_or_path"] == "m");
  CHECK(flags["task_name"] == "MRPC");
  CHECK(flags["max_seq_length"] == 64);
  CHECK(flags["per_device_train_batch_size"] == 6);
  CHECK(flags["per_device_eval_batch_size"] == 7);
  CHECK(flags["warmup_ratio"] == 0.1);
  CHECK(flags["warmup_steps"] == 9);
  CHECK(flags["max_steps"] == 11);
  CHECK(flags["eval_strategy"] == "epoch");
  CHECK(flags["save_steps"] == 13);
  CHECK(flags["learning_rate"] == 1e-3);
  CHECK(flags["max_eval_samples"] == 8);
  CHECK(read(train({"--train_batch_size", "0"})).problems.front().starts_with("--per_device_train_batch_size: "));
}

TEST_CASE("foreign flags: switches that are a value of one of ours") {
  const Read on = read(
      train({"--no_cuda", "--bf16", "True", "--group_by_length", "--evaluate_during_training", "--disable_tqdm=1"}));
  CHECK(on.problems.empty());
  CHECK(on.notes.empty());
  CHECK(on.flags["device"] == "cpu");
  CHECK(on.flags["dtype"] == "bfloat16");
  CHECK(on.flags["train_sampling_strategy"] == "group_by_length");
  CHECK(on.flags["eval_strategy"] == "steps");
  CHECK(on.flags["progress"] == "off");
  const Read off =
      read(train({"--no_cuda", "False", "--bf16=false", "--group_by_length", "no", "--disable_tqdm", "0"}));
  CHECK(off.flags == read(kTrain).flags);
  const Read half = read(train({"--fp16"}));
  CHECK(half.flags["dtype"] == "bfloat16");
  CHECK(half.notes ==
        Arguments{"--fp16: bfloat16 takes the place of float16, with no loss to scale (--dtype bfloat16)"});
  CHECK(read(train({"--fp16=maybe"})).problems == Arguments{"--fp16: expected true or false, got \"maybe\""});
}

TEST_CASE("foreign flags: what changes nothing is said in one line, by its reasons") {
  const Read line =
      read(train({"--cache_dir", "c", "--overwrite_cache", "--hub_model_id", "me/a", "b", "--run_name=x",
                  "--model_type", "BERT", "--local_rank", "-1", "--adafactor", "False", "--fsdp", "", "--seed=3"}));
  CHECK(line.problems.empty());
  CHECK(line.flags["seed"] == 3);
  REQUIRE(line.notes.size() == 1);
  CHECK(line.notes.front() ==
        "without effect: --cache_dir, --hub_model_id (models and data are folders, and nothing is asked of a hub); "
        "--overwrite_cache (texts are read anew each time, in seconds); --run_name (the log is metrics.jsonl, "
        "trainer_state.json and report.html); --model_type (models are BERTs); --local_rank, --fsdp (one process "
        "computes, on one device); --adafactor (the optimizer is AdamW)");
}

TEST_CASE("flags: trackers stand with blanks or commas between, and those that are not known are refused") {
  for (const Arguments& said : {Arguments{"--report_to", "wandb", "tensorboard", "--seed=3"},
                                Arguments{"--report_to=wandb,tensorboard", "--seed", "3"}}) {
    const Read line = read(train(said));
    CHECK(line.problems.empty());
    CHECK(line.notes.empty());
    CHECK(line.flags["report_to"] == "wandb,tensorboard");
    CHECK(line.flags["seed"] == 3);
  }
  CHECK(read(train({})).flags["report_to"] == "none");
  CHECK(read(train({"--report_to", "none", "tensorbord"})).problems ==
        Arguments{"--report_to: expected tensorboard, all or none, got \"tensorbord\"; did you mean tensorboard?"});
  const Read eval = read({"eval", "--task_name=sst2", "--data_dir=d", "--model_name_or_path=m", "--report_to", "wandb",
                          "tensorboard", "--json"});
  CHECK(eval.problems.empty());
  CHECK(eval.notes == Arguments{"eval does not read --report_to"});
}

TEST_CASE("foreign flags: what would change the result is refused, with what to do instead") {
  const auto problem = [](const Arguments& more) {
    const Read line = read(train(more));
    REQUIRE(line.problems.size() == 1);
    return line.problems.front();
  };
  CHECK_THAT(problem({"--model_type", "roberta"}), ContainsSubstring("--model_type: BERT's family alone"));
  CHECK_THAT(problem({"--adafactor"}), ContainsSubstring("the optimizer is AdamW"));
  CHECK_THAT(problem({"--optim", "sgd"}), ContainsSubstring("the optimizer is AdamW"));
  CHECK_THAT(problem({"--deepspeed", "ds.json"}), ContainsSubstring("one process"));
  CHECK_THAT(problem({"--push_to_hub"}), ContainsSubstring("nothing is uploaded"));
  CHECK_THAT(problem({"--init_checkpoint=bert_model.ckpt"}), ContainsSubstring("--model_name_or_path"));
  CHECK_THAT(problem({"--tokenizer_name", "bert-base-cased"}), ContainsSubstring("--model_name_or_path"));
  CHECK_THAT(problem({"--vocab_file", "elsewhere/vocab.txt"}), ContainsSubstring("vocab.txt of"));
  CHECK_THAT(problem({"--data_seed", "7"}), ContainsSubstring("--seed"));
  for (const Arguments& same :
       {Arguments{"--config_name", "m", "--tokenizer_name=m"}, Arguments{"--vocab_file", "m/vocab.txt"},
        Arguments{"--data_seed", "7", "--seed=7"}, Arguments{"--data_seed=42"}}) {
    CHECK(read(train(same)).problems.empty());
  }
}

TEST_CASE("foreign flags: a name that scripts give two meanings is refused where these differ") {
  CHECK(read(train({"--train_batch_size", "8", "--gradient_accumulation_steps", "1"})).problems.empty());
  const Read both = read(train({"--train_batch_size", "8", "--gradient_accumulation_steps", "2"}));
  REQUIRE(both.problems.size() == 1);
  CHECK_THAT(both.problems.front(), ContainsSubstring("say --per_device_train_batch_size"));
}

TEST_CASE("foreign flags: lower case is what the model folder says") {
  const TemporaryFolder folder;
  write_bytes(folder / "tokenizer_config.json", R"({"do_lower_case": false})");
  const Arguments cased = {"--model_name_or_path", folder.path().string()};
  const auto problems = [&](Arguments more) {
    more.insert(more.end(), cased.begin(), cased.end());
    return read(train(more)).problems;
  };
  REQUIRE(problems({"--do_lower_case"}).size() == 1);
  CHECK_THAT(problems({"--do_lower_case"}).front(), ContainsSubstring("tokenizer_config.json"));
  CHECK(problems({"--do_lower_case=False"}).empty());
  CHECK(read(train({"--do_lower_case"})).problems.empty());  // of a folder that says nothing
}

TEST_CASE("foreign flags: eval and predict take what train takes, and say what they do not read") {
  const Arguments script = {"--task_name=sst2",
                            "--data_dir=d",
                            "--model_name_or_path=m",
                            "--output_dir",
                            "o",
                            "--do_eval",
                            "--learning_rate",
                            "2e-5",
                            "--no_report",
                            "--lr=3",
                            "--per_gpu_eval_batch_size",
                            "8",
                            "--fp16",
                            "--group_by_length",
                            "--cache_dir=c"};
  for (const char* command : {"eval", "predict"}) {
    Arguments all = {command};
    all.insert(all.end(), script.begin(), script.end());
    const Read line = read(all);
    CHECK(line.problems.empty());
    CHECK(line.flags["per_device_eval_batch_size"] == 8);
    CHECK(line.flags["dtype"] == "bfloat16");
    CHECK(line.notes.back() == concat(command, " does not read ",
                                      command == std::string("eval") ? "--output_dir, " : "",
                                      "--do_eval, --learning_rate, --no_report, --lr, --group_by_length"));
  }
  CHECK(read({"bench", "--task_name=sst2", "--data_dir=d", "--model_name_or_path=m", "--learning_rate=1"}).problems ==
        Arguments{"unknown flag --learning_rate"});
}

}  // namespace
}  // namespace tk
