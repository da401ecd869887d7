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
};

Read read(const Arguments& arguments) {
  CLI::App program("", "transkimmer");
  const std::vector<Command> commands = add_commands(program, {});
  const CommandLine line = parse_command_line(program, commands, arguments);
  return {line.problems, line.command != nullptr ? line.command->flags->values() : json()};
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
                                    "--seed: expected an integer of at least 0, got \"-1\"",
                                    "--output_dir is required",
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

TEST_CASE("command line: a hint is a slip of the pen, not another flag") {
  const auto hint = [](const std::string& flag) { return read(train({flag})).problems.front(); };
  CHECK_THAT(hint("--learning_rte"), ContainsSubstring("did you mean --learning_rate?"));
  CHECK_THAT(hint("--per_device_train_batchsiz"), ContainsSubstring("did you mean --per_device_train_batch_size?"));
  CHECK_THAT(hint("--sede"), ContainsSubstring("did you mean --seed?"));
  for (const char* flag : {"--report_of", "--eval", "--tpu", "--learning", "--skim_targets_all", "--do_it"}) {
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
    CHECK(read({"eval", file, "--seed", "5"}).problems.size() > 0);
  }
  CHECK_THROWS_AS(read({"train", folder / "none.args"}), Error);
  CHECK(read(train({args})).problems == Arguments{"unknown argument " + args});
}

TEST_CASE("command line: help wins over what is wrong") {
  CHECK_THROWS_AS(read({"train", "--seed", "x", "--unheard_of", "--help"}), CLI::CallForHelp);
  CHECK_THROWS_AS(read({"glue", "-h"}), CLI::CallForHelp);
  CHECK(read({"glue"}).problems == Arguments{"a command is missing; known: info verify"});
  CHECK(read({"--seed"}).problems == Arguments{"unknown flag --seed"});
}

}  // namespace
}  // namespace tk
