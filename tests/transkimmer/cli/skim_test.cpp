#include <signal.h>
#include <nlohmann/json.hpp>

#include "tensor/error.h"
#include "tests/support/catch.h"
#include "tests/transkimmer/cli/program.h"

// `transkimmer skim` run as a user runs it.
namespace tk {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;
using Arguments = std::vector<std::string>;

// A few steps of the whole recipe.
Arguments skim(const Workplace& place, const std::string& task, const std::string& output, const Arguments& more = {}) {
  return Arguments{"skim"} + place.task(task) +
         Arguments{"--output_dir",
                   place / output,
                   "--dense_steps",
                   "4",
                   "--max_steps",
                   "6",
                   "--speedup",
                   "2",
                   "--min_tokens",
                   "0",
                   "--distill_samples",
                   "20",
                   "--per_device_train_batch_size",
                   "8",
                   "--progress",
                   "off"} +
         more;
}

void write_rte(const fs::path& folder) {
  fs::create_directories(folder);
  std::string text = "index\tsentence1\tsentence2\tlabel\n";
  for (int i = 0; i < 8; ++i) {
    text +=
        concat(i, "\tthe plot was fine and long\tthe music was ", i % 2 == 0 ? "fine\t" : "dull\tnot_", "entailment\n");
  }
  write_bytes(folder / "train.tsv", text);
  write_bytes(folder / "dev.tsv", text);
}

TEST_CASE("skim: dense model, text, skimming and threshold by one command, and what each took") {
  const Workplace place;
  const Ran ran = run_program(skim(place, "sst2", "out"));
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  CHECK_THAT(ran.err, ContainsSubstring("a dense model for sst2 learns from "));
  CHECK_THAT(ran.err, ContainsSubstring(" texts, 0 new pairs, 29 corrupted copies"));
  CHECK_THAT(ran.err, ContainsSubstring("training rows are held out"));
  CHECK_THAT(ran.out, ContainsSubstring("\nstage            seconds\ndense"));
  CHECK_THAT(ran.out, ContainsSubstring("\nskimmed "));

  const fs::path out = place / "out";
  const json manifest = json_of(out / "run.json");
  CHECK(manifest["flags"]["speedup"] == "2");
  CHECK(manifest["parts"] == json::array({"dense"}));
  CHECK(manifest["stages"]["dense"]["seconds"] > 0);
  CHECK_FALSE(json_of(out / "dense/config.json").contains("skim_gate"));
  CHECK(json_of(out / "config.json")["skim_gate"] == "staged");
  const json results = json_of(out / "all_results.json");
  CHECK(results["eval_mac_share"] == results["eval_mac_share_2x"]);
  CHECK(results["held_out_mac_share"] == results["held_out_mac_share_2x"]);
  CHECK(results.contains("eval_accuracy_1x"));
  CHECK(results.contains("eval_accuracy_2.5x"));
  for (const char* file : {"model.safetensors", "report.html", "teacher.safetensors", "dense/model.safetensors"}) {
    CHECK(fs::exists(out / file));
  }
  CHECK(run_program(Arguments{"eval"} + place.task("sst2", "out")).code == 0);
}

TEST_CASE("skim: for several speed-ups there is one model, which each is chosen of by its threshold") {
  const Workplace place;
  const Ran ran = run_program(skim(place, "sst2", "out", {"--speedup", "1.5-3", "--report=false"}));
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  for (const char* row : {"\n1.5x ", "\n2x ", "\n3x "}) CHECK_THAT(ran.out, ContainsSubstring(row));
  const json config = json_of(place / "out/config.json");
  REQUIRE(config["skim_speedups"].size() == 3);
  CHECK(config["skim_speedups"][0][0] == 1.5);
  CHECK(config["skim_speedups"][2][1] == config["skim_threshold"]);
  const json results = json_of(place / "out/all_results.json");
  for (const char* at : {"_1.5x", "_2x", "_3x"}) {
    CHECK(results.contains(concat("eval_accuracy", at)));
    CHECK(results[concat("held_out_mac_share", at)] > 0);
  }
  CHECK(results["eval_mac_share"] == results["eval_mac_share_3x"]);

  const auto share_at = [&](const std::string& speedup) -> double {
    const Ran scored = run_program(Arguments{"eval"} + place.task("sst2", "out") +
                                   Arguments{"--speedup", speedup, "--json", "--speed_samples", "0"});
    INFO(scored.err);
    REQUIRE(scored.code == 0);
    return json::parse(scored.out)["eval_mac_share"];
  };
  CHECK(share_at("2") == results["eval_mac_share_2x"]);
  CHECK(share_at("1.75") <= share_at("1.5"));
  const Ran beyond = run_program(Arguments{"eval"} + place.task("sst2", "out") + Arguments{"--speedup", "4"});
  CHECK(beyond.code == 1);
  CHECK_THAT(beyond.err, ContainsSubstring("--speedup: expected a speed-up that the model was skimmed for, 1.5 to 3"));
}

TEST_CASE("skim: the published gate takes a model for each speed-up") {
  const Workplace place;
  const Ran ran = run_program(skim(place, "sst2", "out", {"--skim_gate", "layer", "--report=false"}));
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  CHECK_FALSE(json_of(place / "out/config.json").contains("skim_speedups"));
  CHECK_FALSE(json_of(place / "out/all_results.json").contains("eval_accuracy_2x"));
  CHECK_THAT(ran.err, ContainsSubstring("the budget is 50.0 %"));
  const Ran several = run_program(skim(place, "sst2", "more", {"--skim_gate", "layer", "--speedup", "2-4"}));
  CHECK(several.code == 2);
  CHECK_THAT(several.err, ContainsSubstring("--speedup: gate layer takes a model for each, got 2-4"));
  const Ran other = run_program(Arguments{"eval"} + place.task("sst2", "out") + Arguments{"--speedup", "2"});
  CHECK(other.code == 1);
  CHECK_THAT(other.err, ContainsSubstring("--speedup: the model was skimmed for one speed-up alone, if at all"));
}

TEST_CASE("skim: --time_limit stops it, and without one it goes on to the bits of a run that was not stopped") {
  const Workplace place;
  REQUIRE(run_program(skim(place, "sst2", "whole", {"--report=false"})).code == 0);
  const Ran stopped = run_program(skim(place, "sst2", "out", {"--report=false", "--time_limit", "0.01s"}));
  CHECK(stopped.code == 142);
  CHECK_THAT(stopped.err, ContainsSubstring("the time limit is near"));
  CHECK_FALSE(fs::exists(place / "out/model.safetensors"));
  const Ran again = run_program(skim(place, "sst2", "out", {"--report=false"}));
  INFO(again.err);
  REQUIRE(again.code == 0);
  CHECK(read_bytes(place / "out/model.safetensors") == read_bytes(place / "whole/model.safetensors"));
}

TEST_CASE("skim: the same bits again on any number of threads, and by several teachers others") {
  const Workplace place;
  REQUIRE(run_program(skim(place, "stsb", "one", {"--threads", "1", "--report=false"})).code == 0);
  REQUIRE(run_program(skim(place, "stsb", "two", {"--threads", "2", "--report=false"})).code == 0);
  REQUIRE(run_program(skim(place, "stsb", "both", {"--teachers", "2", "--report=false"})).code == 0);
  const auto weights = [&](const std::string& run) { return read_bytes(place / (run + "/model.safetensors")); };
  CHECK(weights("one") == weights("two"));
  CHECK(weights("one/start") == weights("both/start"));
  CHECK(weights("one/dense") == weights("both/dense"));
  CHECK(weights("both/dense") != weights("both/dense-2"));
  CHECK(weights("one") != weights("both"));

  // The same models given, not trained.
  const Arguments given = Arguments{"skim",
                                    "--task_name",
                                    "stsb",
                                    "--data_dir",
                                    place / "data",
                                    "--dense",
                                    (place / "both/dense") + "," + (place / "both/dense-2"),
                                    "--max_steps",
                                    "6",
                                    "--speedup",
                                    "2",
                                    "--distill_samples",
                                    "20",
                                    "--per_device_train_batch_size",
                                    "8",
                                    "--report=false",
                                    "--output_dir",
                                    place / "given"};
  const Ran ran = run_program(given);
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  CHECK(weights("given") == weights("both"));
}

TEST_CASE("skim: pairs start from a model of another task where there is one, whose classifier starts anew") {
  const Workplace place;
  const Ran ran = run_program(skim(place, "stsb", "out", {"--report=false"}));
  REQUIRE(ran.code == 0);
  CHECK_THAT(ran.err, ContainsSubstring("a dense model for mnli learns from "));
  CHECK_THAT(ran.err, ContainsSubstring("the classifier starts anew"));
  CHECK(json_of(place / "out/start/config.json")["finetuning_task"] == "mnli");

  fs::remove_all(place / "data/MNLI");
  const Ran without = run_program(skim(place, "stsb", "without", {"--report=false"}));
  INFO(without.err);
  REQUIRE(without.code == 0);
  CHECK_THAT(without.err, ContainsSubstring("has no rows of mnli, from whose model stsb gains"));
  CHECK_FALSE(fs::exists(place / "without/start"));
}

TEST_CASE("skim: another task's skimmed model lends its gates, and the dense model still teaches") {
  const Workplace place;
  REQUIRE(run_program(skim(place, "mnli", "mnli", {"--report=false", "--skim_width", "6"})).code == 0);
  const Ran ran = run_program(skim(place, "stsb", "out", {"--report=false", "--skimmed", place / "mnli"}));
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  CHECK_THAT(ran.err, ContainsSubstring(", with the gates of " + (place / "mnli")));
  CHECK_THAT(ran.err, ContainsSubstring("teacher: " + (place / "out/dense")));
  const auto mean_budget = [&](const std::string& run) -> double {
    return json_of(place / (run + "/trainer_state.json"))["log_history"][0]["budget"];
  };
  CHECK(mean_budget("out") < mean_budget("mnli"));  // of the same draws: these bind from the first step on
  CHECK(json_of(place / "out/config.json")["skim_width"] == 6);
  CHECK(json_of(place / "out/config.json")["finetuning_task"] == "stsb");

  const Ran none = run_program(skim(place, "stsb", "none", {"--skimmed", place / "nothing"}));
  CHECK(none.code == 1);
  CHECK_THAT(none.err, ContainsSubstring("nothing"));
}

TEST_CASE("skim: small tasks of pairs get gates that another task was skimmed for on the way, unless none are wanted") {
  const Workplace place;
  write_rte(place / "data/RTE");
  const Ran ran = run_program(skim(place, "rte", "out", {"--report=false"}));
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  CHECK_THAT(ran.err, ContainsSubstring("start-skimmed: a skimmed model for mnli learns from " + (place / "out")));
  CHECK_THAT(ran.err, ContainsSubstring(", with the gates of " + (place / "out")));
  CHECK_THAT(ran.out, ContainsSubstring("\nstart-skimmed"));
  const json manifest = json_of(place / "out/run.json");
  CHECK(manifest["parts"] == json::array({"start", "start-skimmed", "dense"}));
  CHECK(manifest["stages"]["start-skimmed"]["seconds"] > 0);
  CHECK(json_of(place / "out/start-skimmed/config.json")["finetuning_task"] == "mnli");
  CHECK(json_of(place / "out/start-skimmed/config.json")["skim_gate"] == "staged");

  // The same by two commands.
  const Arguments from = {"--report=false", "--skimmed", place / "out/start-skimmed"};
  REQUIRE(run_program(skim(place, "rte", "lent", from)).code == 0);
  CHECK(read_bytes(place / "out/model.safetensors") == read_bytes(place / "lent/model.safetensors"));

  REQUIRE(run_program(skim(place, "rte", "none", {"--report=false", "--skimmed", "none"})).code == 0);
  CHECK_FALSE(fs::exists(place / "none/start-skimmed"));
  CHECK(read_bytes(place / "out/dense/model.safetensors") == read_bytes(place / "none/dense/model.safetensors"));
}

TEST_CASE("skim: a stopped run goes on with its first unfinished stage, to the bits of one that was not stopped") {
  const Workplace place;
  REQUIRE(run_program(skim(place, "stsb", "whole", {"--report=false"})).code == 0);
  const Arguments stopped = skim(place, "stsb", "out", {"--report=false"});
  CHECK(run_until(stopped, "out: a skimmed model learns", SIGTERM).code == 128 + SIGTERM);
  REQUIRE(fs::exists(place / "out/dense/model.safetensors"));
  const std::string dense = json_of(place / "out/dense/run.json")["finished"];

  const Ran other = run_program(skim(place, "stsb", "out", {"--report=false", "--speedup", "3"}));
  CHECK(other.code == 1);
  CHECK_THAT(other.err,
             ContainsSubstring("holds a run that is not finished and has other flags: --speedup \"2\", now \"3\""));

  const Ran again = run_program(stopped + Arguments{"--threads", "1"});
  INFO(again.err);
  REQUIRE(again.code == 0);
  CHECK_THAT(again.err, ContainsSubstring("dense: finished by an earlier start"));
  CHECK(json_of(place / "out/dense/run.json")["finished"] == dense);
  CHECK(read_bytes(place / "out/model.safetensors") == read_bytes(place / "whole/model.safetensors"));
  for (const auto& entry : fs::directory_iterator(place / "out")) {
    CHECK_FALSE(entry.path().filename().string().starts_with("checkpoint"));
  }

  const Ran finished = run_program(stopped);
  CHECK(finished.code == 1);
  CHECK_THAT(finished.err, ContainsSubstring("holds a finished run"));
}

TEST_CASE("skim: all that is wrong with its flags is said at once") {
  const Workplace place;
  const Ran ran = run_program({"skim", "--task_name", "sst2", "--data_dir", place / "data", "--output_dir",
                               place / "out", "--distill_pairs", "2", "--start_task", "sst2", "--speedup", "4-2"});
  CHECK(ran.code == 2);
  for (const char* problem : {"--distill_pairs: sst2 has no pairs", "--model_name_or_path: expected a model",
                              "--start_task: sst2 is the task itself",
                              "--speedup: expected numbers from 1 to 100 with commas between, or LOW-HIGH"}) {
    CHECK_THAT(ran.err, ContainsSubstring(problem));
  }
  const Ran both = run_program(skim(place, "sst2", "out", {"--dense", place / "model"}));
  CHECK(both.code == 2);
  CHECK_THAT(both.err, ContainsSubstring("--dense_steps: --dense names models that are there already"));
  CHECK_FALSE(fs::exists(place / "out"));
}

}  // namespace
}  // namespace tk
