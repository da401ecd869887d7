#include <signal.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>

#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/transkimmer/cli/program.h"

// Runs of the built program that are stopped, go on, stop early, or end with their best model.
namespace tk {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;
using Arguments = std::vector<std::string>;

// The newest.
fs::path checkpoint_in(const fs::path& folder) {
  fs::path newest;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("checkpoint-")) continue;
    const bool is_newer =
        newest.empty() || std::stoi(name.substr(11)) > std::stoi(newest.filename().string().substr(11));
    if (is_newer) newest = entry.path();
  }
  return newest;
}

TEST_CASE("signals: training stops with a checkpoint") {
  const Workplace place;
  for (const auto& [signal, code] : {std::pair(SIGINT, 130), std::pair(SIGTERM, 143)}) {
    const std::string out = "out-" + std::to_string(code);
    const Ran ran = run_until(Arguments{"train"} + place.task() +
                                  Arguments{"--output_dir", place / out, "--max_steps", "10000000", "--logging_steps",
                                            "1", "--save_steps", "1000000"},
                              "step ", signal);
    CHECK(ran.code == code);
    CHECK_FALSE(fs::exists(place / (out + "/model.safetensors")));
    CHECK_FALSE(json_of(place / (out + "/run.json")).contains("finished"));
    int checkpoints = 0;
    for (const auto& entry : fs::directory_iterator(place / out)) {
      if (entry.path().filename().string().starts_with("checkpoint-")) {
        ++checkpoints;
        CHECK(fs::exists(entry.path() / "optimizer.safetensors"));
        CHECK(json_of(entry.path() / "trainer_state.json")["global_step"] > 0);
      }
    }
    CHECK(checkpoints == 1);
  }
}

TEST_CASE("train: in bfloat16 on the CPU a run has the bits of any threads, and those of one that was stopped") {
  if (!test::has_bfloat16_products()) return;
  const Workplace place;
  const auto command = [&](const std::string& output, const std::string& dtype, const Arguments& more = {}) {
    return Arguments{"train"} + place.task() + Arguments{"--output_dir", place / output, "--dtype", dtype} +
           words(
               "--skim --max_steps 400 --logging_steps 30 --report=false --progress off "
               "--per_device_train_batch_size 4 --skim_target 0.6") +
           more;
  };
  REQUIRE(run_program(command("whole", "bfloat16")).code == 0);
  CHECK(run_until(command("out", "bfloat16"), "step    150", SIGTERM).code == 128 + SIGTERM);
  const Ran again = run_program(command("out", "bfloat16", {"--threads", "1"}));
  INFO(again.err);
  REQUIRE(again.code == 0);
  CHECK_THAT(again.err, ContainsSubstring("going on after step "));
  const std::string weights = read_bytes(place / "whole/model.safetensors");
  CHECK(read_bytes(place / "out/model.safetensors") == weights);
  REQUIRE(run_program(command("float32", "float32")).code == 0);
  CHECK(read_bytes(place / "float32/model.safetensors") != weights);

  const Arguments eval = Arguments{"eval"} + place.task("sst2", "whole") + Arguments{"--dtype", "bfloat16"};
  const Ran scored = run_program(eval);
  INFO(scored.err);
  CHECK(scored.code == 0);
  const Ran refused = run_program(eval + Arguments{"--cpu_isa", "avx2"});
  CHECK(refused.code != 0);
  CHECK_THAT(refused.err, ContainsSubstring("--dtype: bfloat16 on the cpu takes AVX512_BF16 or AMX"));
}

TEST_CASE("train: a stopped run goes on from its newest checkpoint, to the bits of one that was not stopped") {
  const Workplace place;
  REQUIRE(place.train("dense-sst2", {"--report=false"}).code == 0);
  const auto command = [&](const std::string& output, const Arguments& more = {}) {
    return Arguments{"train"} + place.task("sst2", "dense-sst2") + Arguments{"--output_dir", place / output} +
           words(
               "--skim --max_steps 400 --save_steps 100 --logging_steps 30 --eval_strategy steps --eval_steps 50 "
               "--report=false --per_device_train_batch_size 4 --progress off") +
           more;
  };
  REQUIRE(run_program(command("whole")).code == 0);
  CHECK(run_until(command("out"), "step    150", SIGTERM).code == 128 + SIGTERM);
  const std::int64_t stopped_at = json_of(checkpoint_in(place / "out") / "trainer_state.json")["global_step"];
  CHECK(stopped_at >= 150);

  const Ran other = run_program(command("out", {"--learning_rate", "1e-3"}));
  CHECK(other.code == 1);
  CHECK_THAT(other.err, ContainsSubstring("other flags: --learning_rate 5e-05, now 0.001"));

  const Ran again = run_program(command("out", {"--threads", "1"}));
  INFO(again.err);
  REQUIRE(again.code == 0);
  CHECK_THAT(again.err, ContainsSubstring("going on after step " + std::to_string(stopped_at) + " of 400"));
  for (const char* file : {"model.safetensors", "config.json", "checkpoint-400/model.safetensors",
                           "checkpoint-400/optimizer.safetensors"}) {
    INFO(file);
    if (fs::exists(fs::path(place / "whole") / file))
      CHECK(read_bytes(fs::path(place / "out") / file) == read_bytes(fs::path(place / "whole") / file));
  }
  const json state = json_of(place / "out/trainer_state.json"), whole = json_of(place / "whole/trainer_state.json");
  for (const char* key : {"global_step", "best_metric", "loss_sum", "skim_budget", "num_input_tokens_seen"}) {
    INFO(key);
    CHECK(state[key] == whole[key]);
  }
  const auto losses = [&](const std::string& run) {
    std::vector<json> rows;
    for (const std::string& line : lines(read_bytes(place / (run + "/metrics.jsonl")))) {
      const json row = json::parse(line);
      if (row.contains("loss")) rows.push_back({row["step"], row["loss"], row["task_loss"], row["mac_share"]});
    }
    return rows;
  };
  CHECK(losses("out") == losses("whole"));
  const auto evaluations = [&](const std::string& run) {
    std::vector<json> rows;
    for (const std::string& line : lines(read_bytes(place / (run + "/metrics.jsonl")))) {
      const json row = json::parse(line);
      if (row.contains("eval_loss")) rows.push_back({row["step"], row["eval_loss"], row["eval_accuracy"]});
    }
    return rows;
  };
  CHECK(evaluations("out") == evaluations("whole"));
  CHECK(read_bytes(place / "out/metrics.csv") == read_bytes(place / "whole/metrics.csv"));
  CHECK(lines(read_bytes(place / "out/metrics.csv")).size() == 1 + evaluations("whole").size());

  const Ran elsewhere = run_program(command("elsewhere", {"--resume_from_checkpoint", place / "whole/checkpoint-300"}));
  INFO(elsewhere.err);
  REQUIRE(elsewhere.code == 0);
  CHECK_THAT(elsewhere.err, ContainsSubstring("going on after step 300 of 400"));
  CHECK(read_bytes(place / "elsewhere/model.safetensors") == read_bytes(place / "whole/model.safetensors"));

  const Ran none = run_program(command("none", {"--resume_from_checkpoint", place / "dense-sst2"}));
  CHECK(none.code == 1);
  CHECK_THAT(none.err, ContainsSubstring("dense-sst2: is no checkpoint of this run's model: it lacks "));
}

TEST_CASE("train: --time_limit stops before that time with a checkpoint, and the run goes on to the same bits") {
  const Workplace place;
  const auto command = [&](const std::string& output, const Arguments& more = {}) {
    return Arguments{"train"} + place.task() + Arguments{"--output_dir", place / output} +
           words(
               "--max_steps 6000 --logging_steps 1000 --save_strategy no --report=false --per_device_train_batch_size "
               "4 --progress off") +
           more;
  };
  const auto start = std::chrono::steady_clock::now();
  REQUIRE(run_program(command("whole")).code == 0);
  const std::chrono::duration<double> needed = std::chrono::steady_clock::now() - start;
  const std::string half = std::to_string(needed.count() / 2) + "s";  // whatever this machine needs
  Ran ran;
  int starts = 0;
  bool has_told_step = false;
  do {
    ran = run_program(command("out", {"--time_limit", half}));
    INFO(ran.err);
    REQUIRE((ran.code == 142 || ran.code == 0));
    if (ran.code == 142) CHECK_THAT(ran.err, ContainsSubstring("the time limit is near"));
    has_told_step |= ran.err.find("stopped by --time_limit at step ") != std::string::npos;
  } while (ran.code == 142 && ++starts < 100);
  CHECK(starts > 0);
  CHECK(has_told_step);
  CHECK(read_bytes(place / "out/model.safetensors") == read_bytes(place / "whole/model.safetensors"));
  CHECK(run_program(command("other", {"--time_limit", "soon"})).err ==
        "--time_limit: expected a time such as 90s, 30m or 1h30m, or seconds, got \"soon\"\n");
}

std::vector<std::string> checkpoints_of(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("checkpoint-")) names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

TEST_CASE("train: the best model is the result, its checkpoint stays, and a stopped run ends with the same bits") {
  const Workplace place;
  // So fast that it falls apart: the best score comes early.
  const auto command = [&](const std::string& output, const Arguments& more = {}) {
    return Arguments{"train"} + place.task() + Arguments{"--output_dir", place / output} +
           words(
               "--max_steps 300 --learning_rate 0.02 --lr_scheduler_type constant --eval_strategy steps --eval_steps "
               "10 --save_steps 10 --report=false --save_total_limit 1 --load_best_model_at_end "
               "--metric_for_best_model loss --per_device_train_batch_size 4 --progress off --dropout 0") +
           more;
  };
  const Ran ran = run_program(command("whole"));
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  const json state = json_of(place / "whole/trainer_state.json");
  const std::int64_t best = state["best_global_step"];
  REQUIRE(best < 300);
  const std::string name = "checkpoint-" + std::to_string(best);
  CHECK(state["best_model_checkpoint"] == place / ("whole/" + name));
  CHECK(checkpoints_of(place / "whole") == Arguments{name, "checkpoint-300"});
  CHECK(read_bytes(place / "whole/model.safetensors") == read_bytes(place / ("whole/" + name + "/model.safetensors")));
  CHECK(read_bytes(place / "whole/model.safetensors") != read_bytes(place / "whole/checkpoint-300/model.safetensors"));
  double least = 1e9;
  for (const json& row : state["log_history"]) {
    if (row.contains("eval_loss")) least = std::min(least, row["eval_loss"].get<double>());
  }
  CHECK(state["best_metric"] == least);
  CHECK(json_of(place / "whole/eval_results.json")["eval_loss"] == least);

  const std::string after = "step    " + std::to_string(std::max<std::int64_t>(best + 50, 100));
  CHECK(run_until(command("out"), after, SIGTERM).code == 128 + SIGTERM);
  const Ran again = run_program(command("out"));
  INFO(again.err);
  REQUIRE(again.code == 0);
  CHECK_THAT(again.err, ContainsSubstring("going on after step "));
  CHECK(read_bytes(place / "out/model.safetensors") == read_bytes(place / "whole/model.safetensors"));
  const json resumed = json_of(place / "out/trainer_state.json");
  for (const char* key : {"best_metric", "best_global_step", "global_step", "loss_sum"})
    CHECK(resumed[key] == state[key]);
  CHECK(checkpoints_of(place / "out") == checkpoints_of(place / "whole"));

  // Elsewhere the best one is that beside the checkpoint from which the run goes on.
  const Ran elsewhere = run_program(command("elsewhere", {"--resume_from_checkpoint", place / "whole/checkpoint-300"}));
  INFO(elsewhere.err);
  REQUIRE(elsewhere.code == 0);
  CHECK(read_bytes(place / "elsewhere/model.safetensors") == read_bytes(place / "whole/model.safetensors"));
  CHECK(json_of(place / "elsewhere/trainer_state.json")["best_model_checkpoint"] == place / ("whole/" + name));

  const Ran by_best = run_program(command("best", {"--save_strategy", "best"}));
  REQUIRE(by_best.code == 0);
  CHECK(checkpoints_of(place / "best") == Arguments{name});
  CHECK(read_bytes(place / "best/model.safetensors") == read_bytes(place / "whole/model.safetensors"));
}

// bfloat16 copies of the weights follow what is loaded into them. The largest loss is an early one.
TEST_CASE("cuda train: the best model is the result, and scores as it did") {
  if (!test::has_cuda()) return;
  const Workplace place;
  const Ran ran = place.train("out", {"--device",
                                      "cuda",
                                      "--dtype",
                                      "bfloat16",
                                      "--max_steps",
                                      "100",
                                      "--learning_rate",
                                      "0.02",
                                      "--eval_strategy",
                                      "steps",
                                      "--eval_steps",
                                      "10",
                                      "--save_strategy",
                                      "best",
                                      "--load_best_model_at_end",
                                      "--greater_is_better",
                                      "--report=false",
                                      "--lr_scheduler_type",
                                      "constant",
                                      "--dropout",
                                      "0"});
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  const json state = json_of(place / "out/trainer_state.json");
  const std::string best = state["best_model_checkpoint"];
  CHECK(state["best_global_step"] < 100);
  CHECK(read_bytes(place / "out/model.safetensors") == read_bytes(fs::path(best) / "model.safetensors"));
  CHECK(json_of(place / "out/eval_results.json")["eval_loss"] == state["best_metric"]);
}

TEST_CASE("train: a skimmed model that was the best one gets its threshold at the end") {
  const Workplace place;
  const Ran ran =
      place.train("out", {"--skim", "--skim_target", "0.4", "--max_steps", "40", "--eval_strategy", "steps",
                          "--eval_steps", "10", "--save_strategy", "steps", "--save_steps", "10",
                          "--load_best_model_at_end", "--metric_for_best_model", "accuracy", "--report=false"});
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  const json state = json_of(place / "out/trainer_state.json");
  const fs::path best = state["best_model_checkpoint"].get<std::string>();
  CHECK(read_bytes(place / "out/model.safetensors") == read_bytes(best / "model.safetensors"));
  CHECK(json_of(place / "out/config.json").contains("skim_threshold"));
  CHECK_FALSE(json_of(best / "config.json").contains("skim_threshold"));
  CHECK(json_of(place / "out/train_results.json")["held_out_mac_share"] <= 0.4);
}

TEST_CASE("train: stops early when the score gets no better") {
  const Workplace place;
  const Arguments patient = {"--report=false",
                             "--learning_rate",
                             "0",
                             "--max_steps",
                             "100",
                             "--eval_strategy",
                             "steps",
                             "--eval_steps",
                             "5",
                             "--save_strategy",
                             "no",
                             "--dropout",
                             "0",
                             "--early_stopping_patience",
                             "3"};
  const Ran ran = place.train("out", patient);
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  CHECK_THAT(ran.err, ContainsSubstring("eval_loss was not better for 3 evaluations: training ends at step 20"));
  const json state = json_of(place / "out/trainer_state.json");
  CHECK(state["global_step"] == 20);
  CHECK(state["max_steps"] == 100);
  CHECK(state["best_global_step"] == 5);
  CHECK(json_of(place / "out/train_results.json")["epoch"] == 5.0);

  const Ran accuracy = place.train("other", patient + Arguments{"--metric_for_best_model", "mcc"});
  CHECK(accuracy.code == 1);
  CHECK_THAT(accuracy.err,
             ContainsSubstring("--metric_for_best_model: evaluations have no \"eval_mcc\"; they have loss"));
  CHECK_FALSE(fs::exists(place / "other"));
}

}  // namespace
}  // namespace tk
