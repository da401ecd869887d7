#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "tensor/error.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/transkimmer/cli/program.h"

// Several processes that train together, by the built program.
namespace tk {
namespace {

namespace fs = std::filesystem;
using Arguments = std::vector<std::string>;

bool has_mpirun() {
  if (std::string(TK_MPIRUN).empty()) WARN("cpu: skipped, no Open MPI or no mpirun");
  return !std::string(TK_MPIRUN).empty();
}

// What mpirun starts as each rank is `before` with the program behind it.
Ran run_ranks(int ranks, const Arguments& arguments, const Arguments& before = {}) {
  return run_under(Arguments{TK_MPIRUN} + words("--oversubscribe --allow-run-as-root --bind-to none -n") +
                       Arguments{std::to_string(ranks)} + before,
                   arguments);
}

Arguments training(const Workplace& place, const std::string& output, const std::string& more) {
  return Arguments{"train"} + place.task() + Arguments{"--output_dir", place / output} +
         words(
             "--per_device_train_batch_size 12 --micro_batches 8 --learning_rate 1e-3 --report=false --threads 1 "
             "--progress off") +
         words(more);
}

void check_same_model(const fs::path& a, const fs::path& b) {
  for (const char* file : {"model.safetensors", "config.json"}) {
    INFO(file);
    CHECK(read_bytes(a / file) == read_bytes(b / file));
  }
}

// Sends rank `rank` a signal once a test of the shell holds.
Arguments once(const std::string& test, int rank, const std::string& signal) {
  return {"sh", "-c",
          "if [ $OMPI_COMM_WORLD_RANK = " + std::to_string(rank) + " ]; then ( until " + test +
              " || ! kill -0 $$; do sleep 0.01; done; kill -" + signal + " $$ ) & fi; exec \"$@\"",
          "sh"};
}

std::string is_there(const std::string& file) { return "[ -e " + file + " ]"; }
std::string has_lines(const std::string& file, int n) {
  return "[ $(cat " + file + " 2>/dev/null | wc -l) -ge " + std::to_string(n) + " ]";
}

TEST_CASE("ranks: mpirun -n 3 trains to the bits of one process, and goes on where two were with one and with four") {
  if (!has_mpirun()) return;
  const Workplace place;
  for (const std::string skim : {"", " --skim"}) {
    INFO(skim);
    const std::string flags =
        "--max_steps 20 --save_steps 10 --eval_strategy steps --eval_steps 10 --logging_steps 5" + skim;
    const auto name = [&](const std::string& output) { return output + (skim.empty() ? "" : "-skimmed"); };
    const Ran one = run_program(training(place, name("one"), flags));
    INFO(one.err);
    REQUIRE(one.code == 0);
    const Ran three = run_ranks(3, training(place, name("three"), flags));
    INFO(three.err);
    REQUIRE(three.code == 0);
    check_same_model(place / name("one"), place / name("three"));
    CHECK(read_bytes(place / (name("three") + "/metrics.csv")) == read_bytes(place / (name("one") + "/metrics.csv")));
    CHECK_THAT(three.out, ContainsSubstring("rank_bytes_sent_per_step"));
    CHECK(lines(three.out).size() == lines(one.out).size() + 2);  // the first rank's, how many they were, and the bytes

    REQUIRE(run_ranks(2, training(place, name("two"), flags)).code == 0);
    const std::string go_on = " --resume_from_checkpoint " + place / (name("two") + "/checkpoint-10");
    for (const int ranks : {1, 4}) {
      const std::string output = name("on-" + std::to_string(ranks));
      const Ran on = run_ranks(ranks, training(place, output, flags + go_on));
      INFO(on.err);
      REQUIRE(on.code == 0);
      CHECK_THAT(on.err, ContainsSubstring("going on after step 10 of 20"));
      check_same_model(place / name("one"), place / output);
    }
  }
}

TEST_CASE("ranks: when one is killed at a random step the others end, and one process goes on to the same bits") {
  if (!has_mpirun()) return;
  const Workplace place;
  constexpr int kSteps = 200, kBetweenCheckpoints = 20;
  const std::string flags =
      concat("--max_steps ", kSteps, " --logging_steps 1 --save_steps ", kBetweenCheckpoints, " --do_eval=false");
  std::mt19937 draw(21);
  REQUIRE(run_program(training(place, "whole", flags)).code == 0);
  for (const int rank : {0, 1, 2}) {
    const int step = 1 + static_cast<int>(draw() % (kSteps - 3 * kBetweenCheckpoints));
    INFO("rank " << rank << " after step " << step);
    const std::string output = "killed-" + std::to_string(rank);
    const std::string log = place / (output + "/metrics.jsonl");
    const Ran killed = run_ranks(3, training(place, output, flags), once(has_lines(log, step), rank, "KILL"));
    INFO(killed.err);
    CHECK(killed.code != 0);
    CHECK_THAT(killed.err, ContainsSubstring("process rank " + std::to_string(rank)));  // mpirun's line
    const Ran on = run_program(training(place, output, flags));
    INFO(on.err);
    REQUIRE(on.code == 0);
    if (step > kBetweenCheckpoints) CHECK_THAT(on.err, ContainsSubstring("going on after step"));
    check_same_model(place / "whole", place / output);
    CHECK(lines(read_bytes(log)).size() == kSteps);
  }
}

TEST_CASE("ranks: when one does not answer the others name it after --rank_timeout, and end") {
  if (!has_mpirun()) return;
  const Workplace place;
  const Arguments arguments =
      training(place, "stopped", "--max_steps 1000000 --save_steps 20 --do_eval=false --rank_timeout 2");
  const Ran stopped = run_ranks(3, arguments, once(is_there(place / "stopped/checkpoint-20"), 1, "STOP"));
  INFO(stopped.err);
  CHECK(stopped.code != 0);
  CHECK_THAT(stopped.err, ContainsSubstring(": rank 1 has not answered for 2 s (--rank_timeout)"));
}

TEST_CASE("ranks: eval and predict share the batches, and say what one process says") {
  if (!has_mpirun()) return;
  const Workplace place;
  const Arguments scoring =
      Arguments{"eval"} + place.task() + words("--json --speed_samples 0 --per_device_eval_batch_size 3 --threads 1");
  const Ran one = run_program(scoring), three = run_ranks(3, scoring);
  INFO(three.err);
  REQUIRE(three.code == 0);
  nlohmann::json a = nlohmann::json::parse(one.out), b = nlohmann::json::parse(three.out);
  for (nlohmann::json* results : {&a, &b}) {
    for (const char* timed : {"eval_runtime", "eval_samples_per_second", "eval_steps_per_second"}) {
      CHECK(results->erase(timed) == 1);
    }
    // Each process makes tables of its own for what it need not compute again.
    for (const char* own : {"eval_executed_macs", "eval_executed_mac_share"}) results->erase(own);
  }
  CHECK(a == b);

  const Ran all = run_ranks(2, scoring + Arguments{"--log_all_ranks"});
  CHECK_THAT(all.err, ContainsSubstring("rank 0 of 2"));
  CHECK_THAT(all.err, ContainsSubstring("rank 1 of 2"));
  CHECK_THAT(three.err, ContainsSubstring("rank 0 of 3"));
  CHECK_THAT(three.err, !ContainsSubstring("rank 1 of 3"));

  const auto predicting = [&](const std::string& output) {
    return Arguments{"predict"} + place.task() + Arguments{"--output_dir", place / output} +
           words("--write_logits --per_device_eval_batch_size 2 --threads 1");
  };
  REQUIRE(run_program(predicting("by-one")).code == 0);
  REQUIRE(run_ranks(4, predicting("by-four")).code == 0);
  for (const char* file : {"predict_results_sst2.txt", "logits_sst2.tsv"}) {
    INFO(file);
    CHECK(read_bytes(fs::path(place / "by-four") / file) == read_bytes(fs::path(place / "by-one") / file));
  }
}

Arguments sweep(const Workplace& place, const std::string& output, const std::string& more) {
  return Arguments{"sweep",         "--data_dir",   place / "data", "--model_name_or_path",
                   place / "model", "--output_dir", place / output} +
         words(
             "--tasks sst2 --speedups 2 --seeds 1,2 --min_tokens 0 --distill_samples 20 --per_device_train_batch_size "
             "8 --threads 1") +
         words(more);
}

TEST_CASE("ranks: sweep runs its models on all of them, to the bits of one, and the first writes the tables") {
  if (!has_mpirun()) return;
  const Workplace place;
  const std::string flags = "--dense_steps 4 --max_steps 6 --speed_samples 4";
  REQUIRE(run_program(sweep(place, "one", flags)).code == 0);
  const Ran three = run_ranks(3, sweep(place, "three", flags));
  INFO(three.err);
  REQUIRE(three.code == 0);
  CHECK_THAT(three.err, ContainsSubstring("4 models to train, 3 side by side"));
  CHECK_THAT(three.err, ContainsSubstring("sst2-dense-1: began on rank 0"));
  CHECK_THAT(three.err, ContainsSubstring("sst2-dense-2: began on rank 1"));
  CHECK_THAT(three.err, ContainsSubstring("sst2-2x-2, timed: began on rank 0"));
  CHECK(lines(three.out).size() == 4);
  for (const std::string model : {"sst2-dense-1", "sst2-dense-2", "sst2-2x-1", "sst2-2x-2"}) {
    check_same_model(place / ("one/" + model), place / ("three/" + model));
  }
  CHECK(json_of(place / "three/sweep_results.json")["runs"].size() == 4);
  CHECK(json_of(place / "three/run.json").contains("finished"));
}

TEST_CASE(
    "ranks: when one of a sweep is killed or stopped the rest ends, and the same command goes on to the same bits") {
  if (!has_mpirun()) return;
  const Workplace place;
  const std::string flags = "--dense_steps 600 --max_steps 200 --speed_samples 0";
  REQUIRE(run_program(sweep(place, "whole", flags)).code == 0);
  const auto check = [&](const std::string& signal, const std::string& line, const std::string& more = "") {
    INFO(signal);
    const Arguments arguments = sweep(place, signal, flags);
    const Ran ended =
        run_ranks(2, arguments + words(more), once(is_there(place / (signal + "/sst2-dense-2/run.json")), 1, signal));
    INFO(ended.err);
    CHECK(ended.code != 0);
    CHECK_THAT(ended.err, ContainsSubstring(line));
    const Ran on = run_ranks(2, arguments);
    INFO(on.err);
    REQUIRE(on.code == 0);
    for (const std::string model : {"sst2-dense-1", "sst2-dense-2", "sst2-2x-1", "sst2-2x-2"}) {
      check_same_model(place / ("whole/" + model), place / (signal + "/" + model));
    }
  };
  check("KILL", "process rank 1");  // mpirun's line
  check("STOP", "rank 0: rank 1 has not answered for 2 s (--rank_timeout)", "--rank_timeout 2");
  check("TERM", "terminated");
}

TEST_CASE("ranks: what is refused") {
  const Workplace place;
  const Ran ranks = run_program(training(place, "cpu", "--ranks 2 --device cpu"));
  CHECK(ranks.code == 1);
  CHECK_THAT(ranks.err, ContainsSubstring("--ranks: processes on the CPU are started by mpirun: mpirun -n 2"));
  CHECK_FALSE(fs::exists(place / "cpu"));
  const Ran gpus = run_program(sweep(place, "cpu", "--ranks 2 --device cpu"));
  CHECK(gpus.code == 1);
  CHECK_THAT(gpus.err, ContainsSubstring("--ranks: processes on the CPU are started by mpirun: mpirun -n 2"));
  CHECK_FALSE(fs::exists(place / "cpu"));
  CHECK(run_program(training(place, "time", "--rank_timeout soon")).code == 2);
  if (!has_mpirun()) return;
  const Ran few = run_ranks(2, Arguments{"train"} + place.task() + Arguments{"--output_dir", place / "few"} +
                                   words("--micro_batches 1 --progress off --threads 1"));
  CHECK(few.code != 0);
  CHECK_THAT(few.err, ContainsSubstring("--micro_batches: expected one for each of the 2 ranks at least, got 1"));
  const Ran selftest = run_ranks(2, words("selftest --threads 1"));
  CHECK(selftest.code != 0);
  CHECK_THAT(selftest.err, ContainsSubstring("started as one of 2, and selftest is for one"));
}

}  // namespace
}  // namespace tk
