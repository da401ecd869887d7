#include <nlohmann/json.hpp>

#include <algorithm>
#include <sstream>

#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/transkimmer/cli/program.h"

// The built program, run as a user runs it.
namespace tk {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;
using Arguments = std::vector<std::string>;

TEST_CASE("help: names every command, and every command has its own") {
  const Ran help = run_program({"--help"});
  CHECK(help.code == 0);
  CHECK(help.err.empty());
  for (const std::string command : {"demo", "train", "skim", "sweep", "eval", "predict", "bench", "tokenize", "init",
                                    "convert", "inspect", "glue"}) {
    CHECK_THAT(help.out, ContainsSubstring("\n  " + command + " "));
    const Ran own = run_program({command, "--help"});
    CHECK(own.code == 0);
    CHECK_THAT(own.out, ContainsSubstring("Usage: transkimmer " + command));
  }
  CHECK(run_program({"--version"}).out == "transkimmer " TK_PROGRAM_VERSION "\n");
  const Ran build = run_program({"--build-info"});
  for (const char* key : {"git_commit", "compiler", "blas_core"}) CHECK_THAT(build.out, ContainsSubstring(key));
}

TEST_CASE("train: writes the files of a run") {
  const Workplace place;
  const Ran ran = place.train("out", {"--eval_strategy", "steps", "--eval_steps", "3", "--save_steps", "4"});
  REQUIRE(ran.code == 0);
  const fs::path out = place / "out";

  const json train = json_of(out / "train_results.json");
  for (const char* key : {"epoch", "total_flos", "train_loss", "train_runtime", "train_samples",
                          "train_samples_per_second", "train_steps_per_second"}) {
    CHECK(train.contains(key));
  }
  CHECK(train["train_samples"] == 32);
  CHECK(train["epoch"] == 1.5);
  const json eval = json_of(out / "eval_results.json");
  for (const char* key : {"eval_accuracy", "eval_loss", "eval_runtime", "eval_samples", "eval_samples_per_second"}) {
    CHECK(eval.contains(key));
  }
  const json all = json_of(out / "all_results.json");
  CHECK(all["eval_accuracy"] == eval["eval_accuracy"]);
  CHECK(all["train_loss"] == train["train_loss"]);
  CHECK(read_bytes(out / "all_results.json") == all.dump(4));  // indent 4, keys sorted

  const json state = json_of(out / "trainer_state.json");
  for (const char* key : {"best_global_step",
                          "best_metric",
                          "best_model_checkpoint",
                          "epoch",
                          "eval_steps",
                          "global_step",
                          "is_hyper_param_search",
                          "is_local_process_zero",
                          "is_world_process_zero",
                          "log_history",
                          "logging_steps",
                          "max_steps",
                          "num_input_tokens_seen",
                          "num_train_epochs",
                          "save_steps",
                          "stateful_callbacks",
                          "total_flos",
                          "train_batch_size",
                          "trial_name",
                          "trial_params"}) {
    CHECK(state.contains(key));  // what transformers' has
  }
  CHECK(state["global_step"] == 6);
  CHECK(state["log_history"].size() == lines(read_bytes(out / "metrics.jsonl")).size());
  const json row = json::parse(lines(read_bytes(out / "metrics.jsonl")).front());
  for (const char* key : {"step", "epoch", "loss", "grad_norm", "learning_rate"}) CHECK(row.contains(key));

  const json manifest = json_of(out / "run.json");
  CHECK(manifest["seed"] == 42);
  CHECK(manifest["flags"]["max_steps"] == 6);
  CHECK(manifest["flags"]["learning_rate"] == 5e-5);
  CHECK(manifest["files"].size() == 3);
  for (const char* key : {"build", "started", "finished", "threads", "seconds", "command"})
    CHECK(manifest.contains(key));

  for (const char* file :
       {"model.safetensors", "config.json", "vocab.txt", "report.html", "checkpoint-4/model.safetensors",
        "checkpoint-4/optimizer.safetensors", "checkpoint-4/trainer_state.json", "checkpoint-4/vocab.txt"}) {
    CHECK(fs::exists(out / file));
  }
  CHECK(json_of(out / "config.json")["finetuning_task"] == "sst2");
  CHECK(json_of(out / "config.json")["label2id"]["positive"] == 1);
  CHECK_THAT(ran.out, ContainsSubstring("***** train metrics *****\n  epoch "));
  CHECK_THAT(ran.out, ContainsSubstring("***** eval metrics *****"));
  CHECK(ran.out.find('\r') == std::string::npos);
  CHECK(ran.err.find('\r') == std::string::npos);  // no bar without a terminal
  CHECK_THAT(ran.err, ContainsSubstring("step      2"));
}

TEST_CASE("train: the same seed gives the same bits on one thread and on two") {
  const Workplace place;
  REQUIRE(place.train("one", {"--threads", "1", "--skim"}).code == 0);
  REQUIRE(place.train("two", {"--threads", "2", "--skim"}).code == 0);
  REQUIRE(place.train("other", {"--seed", "7", "--skim"}).code == 0);
  const std::string one = read_bytes(place / "one/model.safetensors");
  CHECK(one == read_bytes(place / "two/model.safetensors"));
  CHECK(one != read_bytes(place / "other/model.safetensors"));
}

TEST_CASE("train: a tenth of the rows is held out for the threshold, and the run says what they and dev cost") {
  const Workplace place;
  const Arguments skim = {"--skim", "--skim_target", "0.3"};
  const Ran ran = place.train("out", skim);
  REQUIRE(ran.code == 0);
  CHECK_THAT(ran.err, ContainsSubstring("3 of 32 training rows are held out, for the gates' threshold"));
  CHECK_THAT(ran.err, ContainsSubstring("training on 29 examples of sst2"));
  CHECK_THAT(ran.err, ContainsSubstring("cost: 3 held-out training rows"));
  CHECK_THAT(ran.err, ContainsSubstring("the budget is 30.0 %"));
  const json results = json_of(place / "out/train_results.json");
  CHECK(results["train_samples"] == 29);
  CHECK(results["held_out_samples"] == 3);
  CHECK(results["held_out_mac_share"] <= 0.3);
  CHECK(json_of(place / "out/config.json")["skim_threshold"] > 0);

  // Dev inputs have no part in it: without them it is the same.
  REQUIRE(place.train("blind", skim + Arguments{"--do_eval=false"}).code == 0);
  CHECK(read_bytes(place / "blind/config.json") == read_bytes(place / "out/config.json"));
  CHECK(read_bytes(place / "blind/model.safetensors") == read_bytes(place / "out/model.safetensors"));
  const Ran off = place.train("off", skim + Arguments{"--skim_fit=false"});
  CHECK(json_of(place / "off/train_results.json")["train_samples"] == 32);
  CHECK_FALSE(json_of(place / "off/config.json").contains("skim_threshold"));
  const Ran few = place.train("few", skim + Arguments{"--max_train_samples", "9"});
  CHECK_THAT(few.err, ContainsSubstring("9 training rows are too few to hold some out"));
}

TEST_CASE("train: a teacher's answers are learnt on other tasks' rows, files, new pairs and corrupted copies") {
  const Workplace place;
  for (const std::string task : {"sst2", "stsb"}) {
    REQUIRE(place.train("dense-" + task, {"--report=false"}, task).code == 0);
  }
  write_bytes(place / "lines.txt", "the music was long and new\nthe cast was a dull film\n");
  const Arguments texts = {"--skim",
                           "--distill_tasks",
                           "stsb,mnli",
                           "--distill_files",
                           place / "lines.txt",
                           "--corrupt",
                           "2",
                           "--distill_own_share",
                           "0.5",
                           "--dropout",
                           "0",
                           "--report=false"};
  const Ran one = place.train("one", texts + Arguments{"--threads", "1"}, "sst2", "dense-sst2");
  REQUIRE(one.code == 0);
  CHECK_THAT(one.err, ContainsSubstring(" texts, 0 new pairs, 58 corrupted copies"));
  CHECK_THAT(one.err, ContainsSubstring("50 % of an epoch are own rows"));
  CHECK_THAT(one.err, ContainsSubstring("training on 29 examples of sst2 and "));
  CHECK(json_of(place / "one/train_results.json")["distill_samples"] > 60);
  const json manifest = json_of(place / "one/run.json");
  CHECK(manifest["files"].size() == 6);
  CHECK(manifest["flags"]["distill_tasks"] == "stsb,mnli");
  REQUIRE(place.train("two", texts + Arguments{"--threads", "2"}, "sst2", "dense-sst2").code == 0);
  REQUIRE(place.train("other", texts + Arguments{"--seed", "7"}, "sst2", "dense-sst2").code == 0);
  CHECK(read_bytes(place / "one/model.safetensors") == read_bytes(place / "two/model.safetensors"));
  CHECK(read_bytes(place / "one/model.safetensors") != read_bytes(place / "other/model.safetensors"));

  fs::rename(place / "one", place / "first");
  REQUIRE(run_program({"train", place / "first/run.json"}).code == 0);
  CHECK(read_bytes(place / "one/model.safetensors") == read_bytes(place / "first/model.safetensors"));
  const Arguments pairs = {"--skim", "--distill_pairs", "1", "--distill_tasks", "mnli", "--distill_samples", "4"};
  const Ran scored = place.train("pairs", pairs, "stsb", "dense-stsb");
  REQUIRE(scored.code == 0);
  CHECK_THAT(scored.err, ContainsSubstring("rows without labels: 4 texts, 15 new pairs, 0 corrupted copies"));
  const Ran none = place.train("none", pairs, "stsb");
  CHECK(none.code == 1);
  CHECK_THAT(none.err, ContainsSubstring("rows without labels need a teacher, and "));
}

TEST_CASE("train: flags have two spellings, an environment variable, and a JSON file") {
  const Workplace place;
  const Ran dashes = run_program(Arguments{"train"} + place.task() +
                                     Arguments{"--output-dir=" + place / "dashes", "--num-train-epochs", "0.5",
                                               "--do-eval", "false", "--per-device-train-batch-size", "8"},
                                 "", {"TRANSKIMMER_SEED=5"});
  REQUIRE(dashes.code == 0);
  const json manifest = json_of(place / "dashes/run.json");
  CHECK(manifest["seed"] == 5);
  CHECK(manifest["flags"]["do_eval"] == false);
  CHECK(json_of(place / "dashes/trainer_state.json")["global_step"] == 2);
  CHECK_FALSE(fs::exists(place / "dashes/eval_results.json"));

  const Ran dumped = run_program(Arguments{"train"} + place.task() + Arguments{"--output_dir", "o", "--dump_config"});
  CHECK(json::parse(dumped.out)["warmup_ratio"] == 0.06);
  const auto dump = [&](const Arguments& skim) {
    const Arguments command = Arguments{"train"} + place.task() + Arguments{"--output_dir", "o", "--dump_config"};
    return json::parse(run_program(command + skim).out);
  };
  CHECK(dump({"--skim", "--skim_gate", "layer"})["skim_gate"] == "layer");
  CHECK(dump({"--skim", "--skim_cls", "free"})["skim_cls"] == "free");
  CHECK_FALSE(dump({"--skim"}).contains("skim_gate"));  // a checkpoint's own predictors may have another

  // A manifest is a whole command line: it runs again to the same bits.
  fs::rename(place / "dashes", place / "first");
  REQUIRE(run_program({"train", place / "first/run.json"}).code == 0);
  CHECK(read_bytes(place / "dashes/model.safetensors") == read_bytes(place / "first/model.safetensors"));
}

TEST_CASE("train: a seed of 0 draws one and says it") {
  const Workplace place;
  const Ran ran = place.train("out", {"--seed", "0", "--max_steps", "1", "--do_eval", "false"});
  REQUIRE(ran.code == 0);
  const auto seed = json_of(place / "out/run.json")["seed"].get<std::uint64_t>();
  CHECK(seed != 0);
  CHECK_THAT(ran.err, ContainsSubstring("seed " + std::to_string(seed)));
}

TEST_CASE("train: skimming starts from a dense model, which teaches, and keeps its gate from then on") {
  const Workplace place;
  REQUIRE(place.train("dense").code == 0);
  const Ran skim =
      place.train("skim", {"--skim", "--skim_target", "0.3", "--skim_learning_rate", "0.05"}, "sst2", "dense");
  REQUIRE(skim.code == 0);
  CHECK_THAT(skim.err, ContainsSubstring("2 new skim predictors of width 4 (gate staged, attention exact)"));
  CHECK_THAT(skim.err, ContainsSubstring("teacher: the starting model"));
  CHECK(json_of(place / "skim/config.json")["skim_gate"] == "staged");
  CHECK(json_of(place / "skim/trainer_state.json")["skim_budget"]["budget"] == Approx(0.3));
  const json row = json::parse(lines(read_bytes(place / "skim/metrics.jsonl")).front());
  CHECK(row["mac_share"] > 0.0);
  CHECK(row["mac_share"] <= 1.2);
  CHECK_THAT(read_bytes(place / "skim/report.html"), ContainsSubstring("skimmed"));

  const Ran again = place.train("again", {"--skim"}, "sst2", "skim");
  REQUIRE(again.code == 0);
  CHECK_THAT(again.err, ContainsSubstring("no teacher"));
  const Ran other = place.train("other", {"--skim", "--skim_gate", "layer"}, "sst2", "skim");
  CHECK(other.code == 1);
  CHECK_THAT(other.err, ContainsSubstring("--skim_gate"));

  const Ran free = place.train("free", {"--skim", "--skim_cls", "free"}, "sst2", "dense");
  REQUIRE(free.code == 0);
  CHECK_THAT(free.err, ContainsSubstring("(gate staged, attention exact, [CLS] free)"));
  CHECK(json_of(place / "free/config.json")["skim_cls"] == "free");
  CHECK_FALSE(json_of(place / "skim/config.json").contains("skim_cls"));
  CHECK_THAT(run_program({"inspect", place / "free"}).out, ContainsSubstring("[CLS] free"));
  const Ran kept = place.train("kept", {"--skim", "--skim_cls", "kept"}, "sst2", "free");
  CHECK(kept.code == 1);
  CHECK_THAT(kept.err, ContainsSubstring("--skim_cls"));

  const Ran taught = place.train("taught", {"--teacher", place / "dense", "--distill_weight", "0.9"}, "sst2", "model");
  REQUIRE(taught.code == 0);
  CHECK_THAT(taught.err, ContainsSubstring("teacher: " + place / "dense"));

  for (const std::string attention : {"exact", "paper"}) {
    const Ran layer = place.train("layer-" + attention, {"--skim", "--skim_gate", "layer", "--skim_attention",
                                                         attention, "--skim_coefficient", "0.5"});
    CHECK(layer.code == 0);
    CHECK(json_of(place / ("layer-" + attention + "/config.json"))["skim_attention"] == attention);
  }
}

TEST_CASE("eval: says the scores that training ended with") {
  const Workplace place;
  REQUIRE(place.train("out", {"--skim"}).code == 0);
  const Ran ran = run_program(Arguments{"eval"} + place.task("SST-2", "out") + Arguments{"--json"});
  REQUIRE(ran.code == 0);
  const json eval = json::parse(ran.out);
  const json trained = json_of(place / "out/eval_results.json");
  for (const char* key : {"eval_accuracy", "eval_loss", "eval_mac_share", "eval_mac_speedup_padded"}) {
    CHECK(eval[key] == trained[key]);
  }
  CHECK(eval["eval_layers"].size() == 3);
  CHECK(eval["eval_time_speedup_unpadded"] > 0.0);
  CHECK(eval["eval_executed_mac_share"] < 1.0);  // the last layer computes one row a sentence
  const Ran table = run_program(Arguments{"eval"} + place.task("sst2", "out"));
  CHECK(table.code == 0);
  CHECK_THAT(table.out, ContainsSubstring("eval_accuracy") && ContainsSubstring("fed forward") &&
                            ContainsSubstring("measured time"));
}

TEST_CASE("mnli: two dev sets, two files of predictions") {
  const Workplace place;
  REQUIRE(place.train("out", {"--report=false"}, "mnli").code == 0);
  const json eval = json_of(place / "out/eval_results.json");
  CHECK(eval.contains("eval_accuracy"));
  CHECK(eval.contains("eval_accuracy_mm"));
  REQUIRE(run_program(Arguments{"predict"} + place.task("mnli", "out") + Arguments{"--output_dir", place / "p"}).code ==
          0);
  CHECK(lines(read_bytes(place / "p/predict_results_mnli.txt")).size() == 10);
  CHECK(lines(read_bytes(place / "p/predict_results_mnli-mm.txt")).size() == 10);
}

TEST_CASE("predict: label names, a line a row, and logits that agree with them") {
  const Workplace place;
  REQUIRE(place.train("out", {"--report=false"}).code == 0);
  const Ran ran = run_program(Arguments{"predict"} + place.task("sst2", "out") +
                              Arguments{"--output_dir", place / "p", "--write_logits"});
  REQUIRE(ran.code == 0);
  const auto rows = lines(read_bytes(place / "p/predict_results_sst2.txt"));
  const auto logits = lines(read_bytes(place / "p/logits_sst2.tsv"));
  REQUIRE(rows.size() == 6);
  REQUIRE(logits.size() == 6);
  CHECK(rows[0] == "index\tprediction");
  CHECK(logits[0] == "index\tlogit_0\tlogit_1");
  for (std::size_t i = 1; i < rows.size(); ++i) {
    std::istringstream in(logits[i]);
    int index = -1;
    double negative = 0;
    double positive = 0;
    in >> index >> negative >> positive;
    CHECK(index == static_cast<int>(i) - 1);
    CHECK(rows[i] == std::to_string(index) + "\t" + (positive > negative ? "positive" : "negative"));
  }
}

TEST_CASE("train: a script's do_train, do_eval and do_predict do what they say") {
  const Workplace place;
  const Ran all = place.train("out", {"--report=false", "--do_predict", "--max_predict_samples", "3"});
  INFO(all.err);
  REQUIRE(all.code == 0);
  CHECK(all.err.find("does not read") == std::string::npos);
  CHECK(lines(read_bytes(place / "out/predict_results_sst2.txt")).size() == 4);
  const Ran asked =
      run_program(Arguments{"predict"} + place.task("sst2", "out") + Arguments{"--output_dir", place / "p"});
  REQUIRE(asked.code == 0);
  CHECK(
      read_bytes(place / "p/predict_results_sst2.txt").starts_with(read_bytes(place / "out/predict_results_sst2.txt")));

  const Ran scored = place.train("none", {"--do_train", "False", "--do_eval"}, "sst2", "out");
  CHECK(scored.code == 0);
  CHECK_THAT(scored.out, ContainsSubstring("***** eval metrics *****"));
  CHECK_FALSE(fs::exists(place / "none"));
  const Ran predicted = place.train("asked", {"--no_do_train", "--do_predict"}, "sst2", "out");
  CHECK(predicted.code == 0);
  CHECK(predicted.out.find("eval metrics") == std::string::npos);
  CHECK(read_bytes(place / "asked/predict_results_sst2.txt") == read_bytes(place / "p/predict_results_sst2.txt"));
  CHECK(place.train("asked", {"--do_train=0", "--do_predict"}, "sst2", "none").code == 1);
}

TEST_CASE("train: accumulated gradients are those of one larger batch, whatever the schedule") {
  const Workplace place;
  const Arguments common = {"--report=false", "--do_eval=false", "--max_steps", "4"};
  for (const std::string schedule : {"cosine", "warmup_stable_decay"}) {
    const Arguments scheduled = common + Arguments{"--lr_scheduler_type", schedule};
    REQUIRE(place
                .train("parts-" + schedule, scheduled + Arguments{"--gradient_accumulation_steps", "2",
                                                                  "--per_device_train_batch_size", "4"})
                .code == 0);
    REQUIRE(place.train("whole-" + schedule, scheduled + Arguments{"--per_device_train_batch_size", "8"}).code == 0);
    CHECK(read_bytes(place / ("parts-" + schedule + "/model.safetensors")) ==
          read_bytes(place / ("whole-" + schedule + "/model.safetensors")));
  }
  CHECK(read_bytes(place / "whole-cosine/model.safetensors") !=
        read_bytes(place / "whole-warmup_stable_decay/model.safetensors"));
  const Ran smoothed = place.train("smoothed", {"--label_smoothing_factor", "0.1"}, "stsb");
  CHECK(smoothed.code == 1);
  CHECK_THAT(smoothed.err, ContainsSubstring("--label_smoothing_factor: stsb has no classes"));
}

TEST_CASE("train: flags without effect are said before anything else") {
  const Workplace place;
  const Ran ran = place.train("out", {"--report=false", "--cache_dir", "c", "--overwrite_cache", "--do_lower_case"});
  REQUIRE(ran.code == 0);
  CHECK_THAT(lines(ran.err).front(), ContainsSubstring("without effect: --cache_dir"));
}

TEST_CASE("predict: a regression's numbers have three decimals") {
  const Workplace place;
  const Ran trained = place.train("out", {"--report=false"}, "stsb");
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  CHECK(json_of(place / "out/eval_results.json").contains("eval_spearmanr"));
  REQUIRE(run_program(Arguments{"predict"} + place.task("stsb", "out") + Arguments{"--output_dir", place / "p"}).code ==
          0);
  const auto rows = lines(read_bytes(place / "p/predict_results_stsb.txt"));
  REQUIRE(rows.size() == 5);
  for (std::size_t i = 1; i < rows.size(); ++i) CHECK(rows[i].size() - rows[i].find('.') == 4);
}

TEST_CASE("train: a score that one example does not define is said and is null, not the run's end") {
  const Workplace place;
  const Ran ran = place.train("out", {"--report=false", "--max_eval_samples", "1"}, "stsb");
  REQUIRE(ran.code == 0);
  CHECK_THAT(ran.err, ContainsSubstring("warning: pearson: not defined for these 1 examples"));
  CHECK_THAT(ran.out, ContainsSubstring("nan"));
  const json eval = json_of(place / "out/eval_results.json");
  CHECK(eval["eval_pearson"].is_null());
  CHECK(eval["eval_loss"].is_number());
}

TEST_CASE("tokenize: a line of ids for a line of text, pairs by a tab, cut on request") {
  const Workplace place;
  const Arguments command = {"tokenize", "--vocab", place / "vocab.txt"};
  CHECK(run_program(command, "The PLOT was\nfilm\tdull\n\nxyz").out == "2 5 6 10 3\n2 16 17 3 12 3\n2 3\n2 1 3\n");
  CHECK(run_program(command + Arguments{"--max_seq_length", "4"}, "the plot was fine\n").out == "2 5 6 3\n");
  CHECK(run_program(command + Arguments{"--cased"}, "The plot\n").out == "2 1 6 3\n");
  CHECK(run_program(command + Arguments{"--max_seq_length", "1"}, "the\n").code == 1);
}

TEST_CASE("labels: another order is put right, other names are refused") {
  const Workplace place;
  REQUIRE(place.train("out", {"--report=false", "--max_steps", "40", "--learning_rate", "0.01"}).code == 0);
  const auto accuracy = [&](const std::string& model) {
    const Ran ran =
        run_program(Arguments{"eval"} + place.task("sst2", model) + Arguments{"--json", "--speed_samples", "0"});
    REQUIRE(ran.code == 0);
    return json::parse(ran.out)["eval_accuracy"].get<double>();
  };
  const double before = accuracy("out");
  CHECK(before > 0.6);
  fs::copy(place / "out", place / "swapped");
  json config = json_of(place / "out/config.json");
  config["id2label"] = {{"0", "positive"}, {"1", "negative"}};
  config["label2id"] = {{"positive", 0}, {"negative", 1}};
  write_bytes(place / "swapped/config.json", config.dump());
  CHECK(accuracy("swapped") == Approx(1 - before));  // the same weights now mean the opposite

  config["id2label"] = {{"0", "cat"}, {"1", "dog"}};
  config["label2id"] = {{"cat", 0}, {"dog", 1}};
  write_bytes(place / "swapped/config.json", config.dump());
  const Ran refused = run_program(Arguments{"eval"} + place.task("sst2", "swapped"));
  CHECK(refused.code == 1);
  CHECK_THAT(refused.err, ContainsSubstring("cat, dog"));
  CHECK(run_program(Arguments{"eval"} + place.task("mnli", "out")).code == 1);  // two labels for three
}

TEST_CASE("train: log lines come when they are asked for") {
  const Workplace place;
  const auto steps = [&](const std::string& output, const Arguments& more) {
    REQUIRE(place.train(output, Arguments{"--report=false", "--max_steps", "9"} + more).code == 0);
    const json state = json_of(place / (output + "/trainer_state.json"));
    std::vector<std::pair<int, bool>> rows;
    for (const json& row : state["log_history"]) {
      rows.emplace_back(row["step"].get<int>(), row.contains("eval_loss"));
    }
    return rows;
  };
  using Rows = std::vector<std::pair<int, bool>>;
  CHECK(steps("a", {"--logging_steps", "4", "--logging_first_step", "--eval_on_start"}) ==
        Rows{{0, true}, {1, false}, {4, false}, {8, false}, {9, false}, {9, true}});
  CHECK(steps("b", {"--logging_strategy", "epoch"}) == Rows{{4, false}, {8, false}, {9, false}, {9, true}});
  CHECK(steps("c", {"--logging_strategy", "no"}) == Rows{{9, true}});
}

TEST_CASE("glue: a table of tasks, and a check of a folder") {
  const Workplace place;
  const Ran info = run_program({"glue", "info"});
  CHECK(info.code == 0);
  CHECK_THAT(info.out, ContainsSubstring("cola") && ContainsSubstring("matthews_correlation"));
  const Ran verify = run_program({"glue", "verify", "--data_dir", place / "data"});
  CHECK(verify.code == 1);
  CHECK_THAT(verify.out, ContainsSubstring("wrong count") && ContainsSubstring("missing"));
}

TEST_CASE("init, convert, inspect: a model folder made, halved and shown") {
  const Workplace place;
  REQUIRE(run_program({"convert", place / "model", place / "half", "--dtype", "float16"}).code == 0);
  const Ran shown = run_program({"inspect", place / "half"});
  CHECK(shown.code == 0);
  CHECK_THAT(shown.out, ContainsSubstring("F16") && ContainsSubstring("classifier.weight"));
  const Ran tiny = run_program({"init", "--config", "tiny", place / "tiny"});
  CHECK(tiny.code == 0);
  CHECK_THAT(tiny.err, ContainsSubstring("no vocabulary"));
  CHECK(run_program({"init", "--config", "tiny", place / "tiny"}).code == 1);  // there is one already
  CHECK(run_program({"init", "--config", "huge", place / "huge"}).code == 1);
}

TEST_CASE("int8: a folder that convert made is evaluated, predicted with and timed, and not trained") {
  const Workplace place;
  const Ran converted = run_program({"convert", place / "model", place / "int8", "--dtype", "int8"});
  REQUIRE(converted.code == 0);
  const Ran told = run_program({"convert", place / "model", place / "told", "--dtype", "int8", "--task_name", "sst2",
                                "--data_dir", place / "data"});
  REQUIRE(told.code == 0);
  CHECK_THAT(told.out, ContainsSubstring("difference") && ContainsSubstring("eval_accuracy") &&
                           ContainsSubstring("of 10 answers differ"));
  CHECK(run_program({"convert", place / "model", place / "x", "--task_name", "sst2"}).code == 2);  // no --data_dir
  CHECK_THAT(run_program({"inspect", place / "int8"}).out,
             ContainsSubstring("I8") && ContainsSubstring("query.weight_scale"));
  const auto scores = [&](const char* model, const Arguments& more) {
    const Ran ran = run_program(Arguments{"eval", "--json", "--speed_samples", "4"} + place.task("sst2", model) + more);
    REQUIRE(ran.code == 0);
    json results = json::parse(ran.out);
    for (const char* key : {"eval_loss", "eval_accuracy"}) REQUIRE(results.contains(key));
    return std::pair(results["eval_loss"], results["eval_accuracy"]);
  };
  const auto folder = scores("int8", {});
  CHECK(scores("model", {"--dtype", "int8"}) == folder);
  CHECK(scores("int8", {"--dtype", "int8", "--threads", "1"}) == folder);
  CHECK(scores("model", {}).first != folder.first);
  REQUIRE(run_program(Arguments{"predict", "--output_dir", place / "answers"} + place.task("sst2", "int8")).code == 0);
  for (const Arguments& more : {Arguments{}, Arguments{"--skim"}}) {
    const Ran timed =
        run_program(Arguments{"bench", "--repeats", "1", "--profile"} + place.task("sst2", "int8") + more);
    REQUIRE(timed.code == 0);
    const json result = json::parse(timed.out);
    CHECK(result["dtype"] == "int8");
    CHECK(result["cpu_isa"] == std::string(name(cpu_isa())));
    const auto is_int8 = [](const json& row) { return row["kernel"] == "int8_linear"; };
    CHECK(std::any_of(result["profile"].begin(), result["profile"].end(), is_int8));
  }
  const Ran trained = place.train("out", {}, "sst2", "int8");
  CHECK(trained.code == 1);
  CHECK_THAT(trained.err, ContainsSubstring("its weights are int8, for inference alone"));
  const Ran asked = place.train("out", {"--dtype", "int8"});
  CHECK(asked.code == 1);
  CHECK_THAT(asked.err, ContainsSubstring("--dtype: int8 is for inference (eval, predict, bench)"));
  const Ran other = run_program(Arguments{"eval", "--dtype", "bfloat16"} + place.task("sst2", "int8"));
  CHECK(other.code == 1);
}

TEST_CASE("demo: a dense model, then a skimmed one that spends less, in one command", "[slow]") {
  const TemporaryFolder folder;
  const Ran ran = run_program({"demo", "--output_dir", folder / "demo"});
  REQUIRE(ran.code == 0);
  const json results = json_of(folder / "demo/all_results.json");
  CHECK(results["eval_accuracy"] > 0.9);
  CHECK(results["eval_mac_share"] < 0.6);
  CHECK(results["eval_time_speedup_unpadded"] > 0.0);  // how fast is for the reader, not for a test
  CHECK(fs::exists(folder / "demo/report.html"));
  CHECK_THAT(ran.out, ContainsSubstring("report.html") && ContainsSubstring("layer 1"));
  CHECK(ran.out.find('\033') == std::string::npos);  // no colours without a terminal
}

}  // namespace
}  // namespace tk
