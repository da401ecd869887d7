#include <signal.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "tensor/error.h"
#include "tests/support/catch.h"
#include "tests/transkimmer/cli/program.h"

// `transkimmer sweep` run as a user runs it.
namespace tk {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;
using Arguments = std::vector<std::string>;

// Few steps; what `skim` and `sweep` have in common.
const Arguments kShort = {"--dense_steps",
                          "4",
                          "--max_steps",
                          "6",
                          "--min_tokens",
                          "0",
                          "--distill_samples",
                          "20",
                          "--per_device_train_batch_size",
                          "8"};

Arguments sweep(const Workplace& place, const std::string& tasks, const std::string& speedups, const std::string& seeds,
                const std::string& output, const Arguments& more = {}) {
  return Arguments{"sweep",         "--tasks",      tasks,          "--speedups",      speedups,
                   "--seeds",       seeds,          "--data_dir",   place / "data",    "--model_name_or_path",
                   place / "model", "--output_dir", place / output, "--speed_samples", "4"} +
         kShort + more;
}

std::string weights(const Workplace& place, const std::string& run) {
  return read_bytes(place / (run + "/model.safetensors"));
}

TEST_CASE("sweep: tasks, speed-ups and seeds by one command, to the bits of `skim`, with tables, JSON and a page") {
  const Workplace place;
  const Ran ran = run_program(sweep(place, "stsb,sst2", "2,3", "42,7", "out", {"--jobs", "2"}));
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  CHECK_THAT(ran.err, ContainsSubstring("10 models to train, 2 side by side\n"));
  CHECK_THAT(ran.err, ContainsSubstring("mnli-dense-7: finished in "));
  CHECK_THAT(ran.err, ContainsSubstring("; 0 of 10 left\n"));
  CHECK_THAT(ran.err, ContainsSubstring("8 models to time, each alone"));
  CHECK_THAT(ran.out, ContainsSubstring("\nSTS-B        score  range"));
  CHECK_THAT(ran.out, ContainsSubstring("\nSST-2 "));
  CHECK_THAT(ran.out, ContainsSubstring("of 2 tasks"));
  CHECK(ran.out.find("MNLI") == std::string::npos);  // STS-B starts from it, but nobody asked for it

  const Ran single =
      run_program(Arguments{"skim"} + place.task("stsb") + kShort +
                  Arguments{"--speedup", "2,3", "--seed", "7", "--report=false", "--output_dir", place / "single"});
  INFO(single.err);
  REQUIRE(single.code == 0);
  CHECK(weights(place, "out/mnli-dense-7") == weights(place, "single/start"));
  CHECK(weights(place, "out/stsb-dense-7") == weights(place, "single/dense"));
  CHECK(weights(place, "out/stsb-2-3x-7") == weights(place, "single"));
  CHECK(weights(place, "out/stsb-2-3x-7") != weights(place, "out/stsb-2-3x-42"));

  const json results = json_of(place / "out/sweep_results.json");
  REQUIRE(results["runs"].size() == 12);
  for (const json& run : results["runs"]) {
    const json own = json_of(fs::path(place / "out") / run["folder"].get<std::string>() / "all_results.json");
    const std::string at = run["speedup"].is_null() ? "" : concat("_", run["speedup"].get<int>(), "x");
    CHECK(run["mac_share"] == own["eval_mac_share" + at]);
    CHECK(run["score"].is_null() == run["metrics"].begin()->is_null());
    CHECK(run["time_speedup_unpadded"] > 0);
    CHECK(run["seconds"]["train"] >= 0);
    CHECK(run["dense_score"].is_null() == false);
  }
  CHECK(results["tables"]["sst2"].size() == 3);
  CHECK(results["means"].size() == 3);
  const json manifest = json_of(place / "out/run.json");
  CHECK(manifest.contains("finished"));
  CHECK(manifest["parts"].size() == 11);
  const std::string page = read_bytes(place / "out/report.html");
  CHECK_THAT(page, ContainsSubstring("STS-B <small>"));
  CHECK_THAT(page, ContainsSubstring("measured time"));
  CHECK(fs::exists(place / "out/logs/stsb-2-3x-7.log"));
}

TEST_CASE("sweep: processes side by side, threads and variables of the environment change no bits") {
  const Workplace place;
  REQUIRE(run_program(sweep(place, "sst2", "2", "1,2", "one", {"--speed_samples", "0"})).code == 0);
  const Ran two = run_program(sweep(place, "sst2", "2", "1,2", "two", {"--jobs", "2", "--threads", "1"}), "",
                              {"TRANSKIMMER_MAX_TRAIN_SAMPLES=32", "TRANSKIMMER_SKIM_WIDTH=1"});
  INFO(two.err);
  REQUIRE(two.code == 0);
  CHECK(weights(place, "one/sst2-dense-2") == weights(place, "two/sst2-dense-2"));
  CHECK(weights(place, "one/sst2-2x-2") == weights(place, "two/sst2-2x-2"));  // a twelfth of the width of 16 is 1
  CHECK(json_of(place / "one/sweep_results.json")["runs"][2]["time_speedup_unpadded"].is_null());
  CHECK(json_of(place / "two/sst2-2x-2/run.json")["flags"]["skim_width"] == 1);
}

TEST_CASE("sweep: a stopped one goes on, does nothing twice, and takes more seeds later, other flags are refused") {
  const Workplace place;
  const auto again = [&](const std::string& seeds, const Arguments& more = {}) {
    return sweep(place, "sst2", "2", seeds, "out", more);
  };
  const Ran stopped = run_until(again("42"), "sst2-2x-42: began", SIGTERM);
  CHECK(stopped.code == 128 + SIGTERM);
  const fs::path out = place / "out";
  CHECK(json_of(out / "sweep_results.json")["runs"].size() == 1);  // what is there is shown
  CHECK_THAT(stopped.out, ContainsSubstring("dense"));
  REQUIRE(fs::exists(out / "sst2-dense-42/model.safetensors"));
  CHECK_FALSE(json_of(out / "run.json").contains("finished"));
  const std::string dense = read_bytes(out / "sst2-dense-42/run.json");

  const Ran other = run_program(again("42", {"--dense_steps", "5"}));
  CHECK(other.code == 1);
  CHECK_THAT(other.err, ContainsSubstring("is not finished and has other flags: --dense_steps 4, now 5; name another"));

  const Ran whole = run_program(again("42"));
  INFO(whole.err);
  REQUIRE(whole.code == 0);
  CHECK_THAT(whole.err, ContainsSubstring("1 of 2 models are there from an earlier start"));
  CHECK(read_bytes(out / "sst2-dense-42/run.json") == dense);

  const std::string skimmed = read_bytes(out / "sst2-2x-42/run.json");
  const std::string timed = read_bytes(out / "logs/sst2-2x-42.json");
  const Ran more = run_program(again("42,1", {"--jobs", "2"}));
  INFO(more.err);
  REQUIRE(more.code == 0);
  CHECK_THAT(more.err, ContainsSubstring("2 of 4 models are there"));
  CHECK_THAT(more.err, ContainsSubstring("1 models to time"));
  CHECK(read_bytes(out / "sst2-2x-42/run.json") == skimmed);
  CHECK(read_bytes(out / "logs/sst2-2x-42.json") == timed);
  CHECK(json_of(out / "sweep_results.json")["tables"]["sst2"][1]["score"]["runs"] == 2);
}

TEST_CASE("sweep: --time_limit stops it with checkpoints until the same command has gone on to the same bits") {
  const Workplace place;
  // So many steps that training is most of a process's time.
  const Arguments longer = {"--dense_steps", "1500", "--max_steps", "800"};
  const auto command = [&](const std::string& output, const Arguments& more) {
    return sweep(place, "sst2", "2", "1,2", output, longer + more);
  };
  const auto began = std::chrono::steady_clock::now();
  const Ran undisturbed = run_program(command("whole", {}));
  const std::chrono::duration<double> needed = std::chrono::steady_clock::now() - began;
  INFO(undisturbed.err);
  REQUIRE(undisturbed.code == 0);
  const auto timed = [&](const std::string& limit) {
    return command(
        "out", {"--jobs", "2", "--time_limit", limit, "--report_to", "tensorboard", "--logging_dir", place / "events"});
  };
  CHECK(run_program(timed("0.001s")).code == 142);
  // Out of time once a model has taken steps, whatever time that takes.
  Running running(timed("1h"));
  const fs::path log = place / "out/logs/sst2-dense-1.log";
  while (!running.ended() && (!fs::exists(log) || read_bytes(log).find("step ") == std::string::npos)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  running.send(SIGALRM);
  const Ran stopped = running.wait();
  INFO(stopped.err);
  CHECK(stopped.code == 142);
  CHECK_THAT(stopped.err, ContainsSubstring("stopping "));
  // Then by clocks, in a share of what this machine needed, until all is there.
  Ran ran;
  int stops = 0;
  do {
    ran = run_program(timed(std::to_string(needed.count() / 4) + "s"));
    INFO(ran.err);
    REQUIRE((ran.code == 142 || ran.code == 0));
  } while (ran.code == 142 && ++stops < 100);
  bool has_gone_on = false;
  for (const char* model : {"sst2-dense-1", "sst2-dense-2", "sst2-2x-1", "sst2-2x-2"}) {
    INFO(model);
    CHECK(weights(place, std::string("out/") + model) == weights(place, std::string("whole/") + model));
    const std::string log = read_bytes(place / ("out/logs/" + std::string(model) + ".log"));
    has_gone_on |= log.find("going on after step ") != std::string::npos;
    CHECK_FALSE(fs::is_empty(fs::path(place / "events") / model));
    CHECK_FALSE(fs::exists(fs::path(place / "out") / model / "runs"));
  }
  CHECK(has_gone_on);
  CHECK_FALSE(fs::exists(place / "whole/sst2-dense-1/runs"));
}

TEST_CASE("sweep: a process that fails is named, what needs it is left out, and the rest goes on") {
  const Workplace place;
  const fs::path train = place / "data/STS-B/train.tsv";
  const std::string good = read_bytes(train);
  write_bytes(train, good + "16\tg\tf\t1\t1\ts\ts\tone\ttwo\tmany\n");
  const Arguments arguments = sweep(place, "sst2,stsb", "2", "42", "out", {"--distill_tasks", "none"});
  const Ran ran = run_program(arguments);
  CHECK(ran.code == 1);
  CHECK_THAT(ran.err, ContainsSubstring("warning: stsb-dense-42: exit code 1: bad score \"many\" in "));
  CHECK_THAT(ran.err, ContainsSubstring("1 process failed, and 1 models that need them were not begun"));
  CHECK_THAT(ran.out, ContainsSubstring("\nSST-2 "));
  CHECK(ran.out.find("STS-B") == std::string::npos);
  CHECK_FALSE(json_of(place / "out/run.json").contains("finished"));
  CHECK(json_of(place / "out/sweep_results.json")["runs"].size() == 2);

  write_bytes(train, good);
  const Ran mended = run_program(arguments);
  INFO(mended.err);
  CHECK(mended.code == 0);
  CHECK_THAT(mended.out, ContainsSubstring("\nSTS-B "));
}

TEST_CASE("sweep: all that is wrong with its flags is said at once, before anything starts") {
  const Workplace place;
  const auto check = [&](const Arguments& flags, const Arguments& problems) {
    const Ran ran = run_program(sweep(place, "sst2", "2", "42", "out", flags));
    CHECK(ran.code == 2);
    for (const std::string& problem : problems) CHECK_THAT(ran.err, ContainsSubstring(problem));
  };
  check({"--tasks", "sst2,cola,sst2", "--model_name_or_path", place / "none", "--skim_gate", "layer", "--skim_cls",
         "free"},
        {"CoLA/train.tsv (nor", "--tasks: sst2 is there more than once", "--model_name_or_path: ", "--skim_cls: gate"});
  check({"--speedups", "0.5,4,4", "--seeds", "1,0,1", "--distill_pairs", "2"},
        {"--speedups: expected numbers from 1 to 100, got 0.5", "--speedups: 4 is there more than once",
         "--seeds: expected integers of at least 1, got \"0\"", "--seeds: 1 is there more than once",
         "--distill_pairs: sst2 has no pairs"});
  check({"--tasks", "all", "--data_dir", place / "none"}, {"none has no task with train and dev rows"});
  check({"--task_name", "sst2"}, {"--task_name: tasks of GLUE are named by --tasks"});
  check({"--tasks", "stb", "--seeds", ","}, {"--tasks: unknown task \"stb\"", "--seeds: expected a seed"});
  CHECK_FALSE(fs::exists(place / "out"));
  CHECK_THAT(run_program({"sweep", "--help"}).out, ContainsSubstring("--skim_gate"));
}

}  // namespace
}  // namespace tk
