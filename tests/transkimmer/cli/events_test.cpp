#include "tests/transkimmer/cli/events.h"

#include <signal.h>

#include "tests/support/catch.h"
#include "tests/transkimmer/cli/program.h"

// What runs of the built program write for TensorBoard.
namespace tk {
namespace {

namespace fs = std::filesystem;
using Arguments = std::vector<std::string>;

const Arguments kShown = {"--report_to", "tensorboard", "--report=false"};

std::string joined(const fs::path& file) {
  std::string all;
  for (const std::string& record : records_of(file)) all += record;
  return all;
}

TEST_CASE("train: --report_to tensorboard writes losses and scores into runs/ of the output folder, and else nothing") {
  const Workplace place;
  REQUIRE(place.train("plain", {"--report=false"}).code == 0);
  CHECK_FALSE(fs::exists(place / "plain/runs"));

  const Ran ran = place.train("out", kShown + Arguments{"--eval_strategy=steps", "--eval_steps=2"});
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  const std::vector<fs::path> files = event_files(place / "out");
  REQUIRE(files.size() == 1);
  CHECK(files[0].parent_path().parent_path() == place / "out/runs");
  const std::string shown = joined(files[0]);
  for (const char* tag : {"train/loss", "train/grad_norm", "train/learning_rate", "train/epoch", "eval/loss",
                          "eval/accuracy", "train/train_runtime", "args/text_summary", "model_config/text_summary"}) {
    CHECK_THAT(shown, ContainsSubstring(tag));
  }
  CHECK_THAT(shown, !ContainsSubstring("layer_0"));  // it does not skim
  CHECK(json_of(place / "out/run.json")["parts"] == nlohmann::json::array({"runs"}));
}

TEST_CASE("train: --logging_dir names another folder, and a skimmed model's layers have their shares") {
  const Workplace place;
  const Ran ran = place.train("out", kShown + Arguments{"--skim", "--logging_dir", place / "logs"});
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  CHECK_FALSE(fs::exists(place / "out/runs"));
  const std::vector<fs::path> files = event_files(place / "logs");
  REQUIRE(files.size() == 1);
  const std::string shown = joined(files[0]);
  for (const char* tag : {"keys/layer_0", "updated/layer_1", "fed/layer_2", "train/budget", "train/mac_share",
                          "keys_probability/layer_1", "updated_probability/layer_2", "fed_probability/layer_0"}) {
    CHECK_THAT(shown, ContainsSubstring(tag));
  }
  CHECK_THAT(place.train("other", {"--report=false", "--logging_dir", place / "unused"}).err,
             ContainsSubstring("--logging_dir: nothing is written there without --report_to tensorboard"));
  CHECK_FALSE(fs::exists(place / "unused"));
}

TEST_CASE("train: a run that goes on writes a new file into its folder, and one that replaces it begins anew") {
  const Workplace place;
  const Arguments command = Arguments{"train"} + place.task() +
                            Arguments{"--output_dir",
                                      place / "out",
                                      "--max_steps",
                                      "300",
                                      "--logging_steps",
                                      "1",
                                      "--progress",
                                      "off",
                                      "--per_device_train_batch_size",
                                      "4"} +
                            kShown;
  CHECK(run_until(command, "step    100", SIGTERM).code == 128 + SIGTERM);
  const std::vector<fs::path> before = event_files(place / "out");
  REQUIRE(before.size() == 1);
  const Ran again = run_program(command);
  INFO(again.err);
  REQUIRE(again.code == 0);
  CHECK_THAT(again.err, ContainsSubstring("going on after step "));
  const std::vector<fs::path> after = event_files(place / "out");
  REQUIRE(after.size() == 2);
  CHECK(after[0].parent_path() == before[0].parent_path());
  CHECK(after[1].parent_path() == before[0].parent_path());

  write_bytes(place / "out/runs/notes.txt", "mine");
  const Ran refused = run_program(command + Arguments{"--overwrite_output_dir"});
  CHECK(refused.code == 1);
  CHECK_THAT(refused.err, ContainsSubstring("runs/notes.txt: no run wrote this"));
  fs::remove(place / "out/runs/notes.txt");
  const Ran over = run_program(command + Arguments{"--overwrite_output_dir", "--max_steps", "5"});
  INFO(over.err);
  REQUIRE(over.code == 0);
  const std::vector<fs::path> replaced = event_files(place / "out");
  REQUIRE(replaced.size() == 1);
  CHECK(std::ranges::find(after, replaced[0]) == after.end());
  CHECK_FALSE(fs::exists(place / "out/unfinished"));
}

TEST_CASE("train: --report_to of another tracker runs, and says that nothing is sent there") {
  const Workplace place;
  const Ran ran = place.train("out", {"--report=false", "--report_to", "wandb", "tensorboard"});
  CHECK(ran.code == 0);
  CHECK_THAT(ran.err, ContainsSubstring("--report_to: nothing is sent to wandb"));
  CHECK(event_files(place / "out").size() == 1);
}

TEST_CASE("skim: each stage has its events, in its folder or below --logging_dir") {
  const Workplace place;
  const auto skim = [&](const std::string& output, const Arguments& more) {
    return run_program(Arguments{"skim"} + place.task() +
                       Arguments{"--output_dir", place / output, "--dense_steps", "3", "--max_steps", "4", "--speedup",
                                 "2", "--min_tokens", "0", "--distill_samples", "20", "--per_device_train_batch_size",
                                 "8", "--progress", "off"} +
                       kShown + more);
  };
  const Ran ran = skim("out", {});
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  CHECK(event_files(place / "out/runs").size() == 1);
  CHECK(event_files(place / "out/dense/runs").size() == 1);
  CHECK(json_of(place / "out/run.json")["parts"] == nlohmann::json::array({"dense", "runs"}));
  CHECK(skim("out", {"--overwrite_output_dir"}).code == 0);
  CHECK(event_files(place / "out").size() == 2);

  REQUIRE(skim("other", {"--logging_dir", place / "logs"}).code == 0);
  CHECK(event_files(place / "other").empty());
  CHECK(event_files(place / "logs/dense").size() == 1);
  CHECK(event_files(place / "logs").size() == 2);
}

}  // namespace
}  // namespace tk
