#include "transkimmer/cli/run/output_folder.h"

#include <nlohmann/json.hpp>

#include "tensor/error.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"
#include "transkimmer/cli/run/manifest.h"
#include "transkimmer/cli/run/replace_run.h"
#include "transkimmer/cli/run/run_files.h"

namespace tk {
namespace {

namespace fs = std::filesystem;

Manifest manifest_of(const std::string& command) {
  return Manifest(command, nlohmann::json::object(), 1, Device::kCpu);
}

// A folder whose files say which run they are of.
void write_run(const fs::path& folder, const std::string& run) {
  fs::create_directories(folder / "checkpoint-2");
  for (const char* file : {"config.json", "model.safetensors", "vocab.txt", "metrics.jsonl", "checkpoint-2/config.json",
                           "checkpoint-2/model.safetensors"}) {
    write_bytes(folder / file, run);
  }
}

void write_finished_run(const fs::path& folder, const std::string& run) {
  OutputFolder output(folder, EarlierRun::kReplace);
  Manifest manifest = manifest_of(run);
  output.begin_run(manifest);
  write_run(output.work(), run);
  output.finish_run(manifest);
}

std::string command_of(const fs::path& folder) {
  return nlohmann::json::parse(read_bytes(folder / "run.json"))["command"].get<std::string>();
}

// Whether all that a run leaves is of that one.
void check_is(const fs::path& folder, const std::string& run) {
  for (const char* file : {"config.json", "model.safetensors", "vocab.txt", "checkpoint-2/model.safetensors"}) {
    INFO(file);
    CHECK(read_bytes(folder / file) == run);
  }
  CHECK(command_of(folder) == run);
  CHECK(holds_finished_run(folder));
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

TEST_CASE("output folder: in a new folder a run is where it belongs from its first step on") {
  const TemporaryFolder place;
  OutputFolder output(place / "out", EarlierRun::kRefuse);
  Manifest manifest = manifest_of("new");
  output.begin_run(manifest);
  CHECK(output.work() == place / "out");
  CHECK(command_of(place / "out") == "new");
  CHECK_FALSE(holds_finished_run(place / "out"));
  output.finish_run(manifest);
  CHECK(holds_finished_run(place / "out"));
}

TEST_CASE("output folder: one made for a run that never began disappears") {
  const TemporaryFolder place;
  { const OutputFolder output(place / "out", EarlierRun::kRefuse); }
  CHECK_FALSE(fs::exists(place / "out"));
}

TEST_CASE("output folder: a run replaces an earlier one as a whole, at its end") {
  const TemporaryFolder place;
  write_finished_run(place / "out", "old");
  fs::create_directories(place / "out/checkpoint-4");
  write_bytes(place / "out/checkpoint-4/config.json", "old");
  write_bytes(place / "out/notes.txt", "mine");
  CHECK_THROWS_WITH(OutputFolder(place / "out", EarlierRun::kRefuse), ContainsSubstring("holds a finished run"));
  {
    OutputFolder output(place / "out", EarlierRun::kReplace);
    Manifest manifest = manifest_of("new");
    output.begin_run(manifest);
    CHECK(output.work() == place / "out/unfinished");
    CHECK(output.final_name(output.work() / "a/b") == place / "out/a/b");
    CHECK(output.final_name(place / "elsewhere") == place / "elsewhere");
    write_run(output.work(), "new");
    check_is(place / "out", "old");
    output.finish_run(manifest);
  }
  check_is(place / "out", "new");
  CHECK(read_bytes(place / "out/notes.txt") == "mine");
  CHECK_FALSE(fs::exists(place / "out/checkpoint-4"));
  CHECK(names_in(place / "out") == std::vector<std::string>{"checkpoint-2", "config.json", "metrics.jsonl",
                                                            "model.safetensors", "notes.txt", "run.json", "vocab.txt"});
}

TEST_CASE("output folder: of a run that fails before its first checkpoint nothing stays beside an earlier one") {
  const TemporaryFolder place;
  write_finished_run(place / "out", "old");
  {
    OutputFolder output(place / "out", EarlierRun::kReplace);
    Manifest manifest = manifest_of("new");
    output.begin_run(manifest);
    write_bytes(output.work() / "metrics.jsonl", "new");
  }
  check_is(place / "out", "old");
  CHECK_FALSE(fs::exists(place / "out/unfinished"));
}

TEST_CASE("output folder: a stopped run keeps its checkpoints beside the earlier run, until the next one has begun") {
  const TemporaryFolder place;
  write_finished_run(place / "out", "old");
  const auto stopped = [&](const std::string& run, const std::vector<fs::path>& inputs) {
    OutputFolder output(place / "out", EarlierRun::kReplace);
    Manifest manifest = manifest_of(run);
    output.begin_run(manifest, {}, inputs);
    write_run(output.work(), run);
  };
  stopped("first", {});
  check_is(place / "out", "old");
  CHECK(command_of(place / "out/unfinished") == "first");
  stopped("second", {});
  CHECK(command_of(place / "out/unfinished") == "second");
  stopped("third", {place / "out/unfinished/checkpoint-2"});  // which it was trained on from
  CHECK(command_of(place / "out/unfinished") == "second");
  CHECK(command_of(place / "out/unfinished-2") == "third");
  write_finished_run(place / "out", "last");
  check_is(place / "out", "last");
  CHECK(unfinished_runs(place / "out").empty());
}

TEST_CASE("output folder: what no run wrote is not removed, and said before anything begins") {
  const TemporaryFolder place;
  write_finished_run(place / "out", "old");
  write_bytes(place / "out/checkpoint-2/notes.txt", "mine");
  {
    OutputFolder output(place / "out", EarlierRun::kReplace);
    Manifest manifest = manifest_of("new");
    CHECK_THROWS_WITH(output.begin_run(manifest), ContainsSubstring("checkpoint-2/notes.txt: no run wrote this"));
  }
  check_is(place / "out", "old");
  fs::remove(place / "out/checkpoint-2/notes.txt");
  fs::create_directories(place / "out/unfinished");
  write_bytes(place / "out/unfinished/notes.txt", "mine");
  {
    Manifest manifest = manifest_of("new");
    manifest.write(place / "out/unfinished/run.json");  // one that has not come to its end
    OutputFolder output(place / "out", EarlierRun::kReplace);
    CHECK_THROWS_WITH(output.begin_run(manifest), ContainsSubstring("unfinished/notes.txt: no run wrote this"));
  }
  fs::remove_all(place / "out/unfinished");
  fs::create_directories(place / "out/data");
  {
    OutputFolder output(place / "out", EarlierRun::kReplace);
    Manifest manifest = manifest_of("new");
    CHECK_THROWS_WITH(output.begin_run(manifest, {"data"}), ContainsSubstring("out/data: no run wrote this"));
  }
  CHECK(fs::exists(place / "out/data"));
}

TEST_CASE("output folder: a run's parts are replaced with it, and only its own") {
  const TemporaryFolder place;
  const auto run = [&](const std::string& name, const char* file) {
    OutputFolder output(place / "out", EarlierRun::kReplace);
    Manifest manifest = manifest_of(name);
    output.begin_run(manifest, {"data"});
    OutputFolder part(output, "data");
    write_bytes(part.path() / file, name);
    CHECK(part.final_name(part.path() / file) == place / "out/data" / file);
    write_run(output.work(), name);
    output.finish_run(manifest);
  };
  run("old", "train.tsv");
  fs::create_directories(place / "out/data/start.tmp-transkimmer-17-1");
  write_bytes(place / "out/data/start.tmp-transkimmer-17-1/model.bin", "what a killed run left");
  run("new", "dev.tsv");
  check_is(place / "out", "new");
  CHECK(names_in(place / "out/data") == std::vector<std::string>{"dev.tsv"});
}

TEST_CASE("output folder: an unfinished run goes on with its finished parts, if its flags are the same") {
  const TemporaryFolder place;
  const auto manifest = [](double speedup) {
    return Manifest("skim", {{"speedup", speedup}, {"output_dir", concat("in/", speedup)}}, 1, Device::kCpu);
  };
  const auto begin = [&](OutputFolder& output, double speedup) {
    Manifest now = manifest(speedup);
    output.begin_run(now, {"dense", "dense-2"});
  };
  {
    OutputFolder output(place / "out", EarlierRun::kContinue);  // of a new folder it asks nothing
    begin(output, 4);
    write_finished_run(output.work() / "dense", "dense");
    write_run(output.work() / "dense-2", "half");
    write_run(output.work(), "half");
    write_bytes(output.work() / kTeacherLogits, "answers");
  }
  CHECK_THROWS_WITH(OutputFolder(place / "out", EarlierRun::kRefuse), ContainsSubstring("holds another run"));
  {
    OutputFolder output(place / "out", EarlierRun::kContinue);
    CHECK_THROWS_WITH(begin(output, 3), ContainsSubstring("not finished and has other flags: --speedup 4.0, now 3.0;"));
    CHECK(names_in(place / "out").size() > 4);
  }
  OutputFolder output(place / "out", EarlierRun::kContinue);
  begin(output, 4);
  CHECK(output.work() == place / "out");
  CHECK(names_in(place / "out") == std::vector<std::string>{"checkpoint-2", "dense", "run.json", kTeacherLogits});
  CHECK(output.checkpoint() == fs::path(place / "out/checkpoint-2"));
  check_is(place / "out/dense", "dense");
  OutputFolder part(output, "dense-2");
  CHECK(names_in(part.path()).empty());
  Manifest whole = manifest(4);
  output.finish_run(whole);
}

TEST_CASE("output folder: a finished run does not go on, and neither does what is no run") {
  const TemporaryFolder place;
  write_finished_run(place / "out", "old");
  CHECK_THROWS_WITH(OutputFolder(place / "out", EarlierRun::kContinue), ContainsSubstring("holds a finished run"));
  fs::create_directories(place / "notes");
  write_bytes(place / "notes/mine.txt", "mine");
  CHECK_THROWS_WITH(OutputFolder(place / "notes", EarlierRun::kContinue), ContainsSubstring("is not empty"));
}

TEST_CASE("output folder: a run is extended, finished or not, by parts and never at their cost") {
  const TemporaryFolder place;
  const auto begin = [&](const std::string& tasks, double steps, const std::vector<std::string>& parts, bool finish) {
    OutputFolder output(place / "out", EarlierRun::kExtend);
    Manifest manifest("sweep", {{"tasks", tasks}, {"max_steps", steps}}, 1, Device::kCpu);
    output.begin_run(manifest, parts);
    CHECK(output.work() == place / "out");
    if (finish) output.finish_run(manifest);
  };
  begin("cola", 4, {"cola"}, false);
  write_run(place / "out/cola", "half");
  write_bytes(place / "out/cola/notes.txt", "mine");
  begin("cola", 4, {"cola"}, true);
  CHECK(holds_finished_run(place / "out"));
  CHECK(fs::exists(place / "out/cola/notes.txt"));
  CHECK_THROWS_WITH(
      begin("cola", 5, {"cola"}, true),
      ContainsSubstring("holds a run that has other flags: --max_steps 4.0, now 5.0; name another folder"));
  CHECK(holds_finished_run(place / "out"));
  begin("rte", 4, {"rte"}, false);
  CHECK_FALSE(holds_finished_run(place / "out"));
  CHECK(parts_of_run(place / "out") == std::vector<std::string>{"rte", "cola"});
  CHECK(read_bytes(place / "out/cola/config.json") == "half");

  write_finished_run(place / "other", "train");
  CHECK_THROWS_WITH(
      [&] {
        OutputFolder output(place / "other", EarlierRun::kExtend);
        Manifest manifest("sweep", {{"max_steps", 4}}, 1, Device::kCpu);
        output.begin_run(manifest);
      }(),
      ContainsSubstring("has other flags: --max_steps not given, now 4; name another folder"));
  check_is(place / "other", "train");
}

TEST_CASE("output folder: a replacement that fails changes nothing") {
  const TemporaryFolder place;
  write_finished_run(place / "out", "old");
  fs::create_directories(place / "out/report.html/taken");  // a folder by the name of a file, which the run moves away
  fs::create_directories(place / "out/unfinished");
  write_run(place / "out/unfinished", "new");
  fs::create_directories(place / "out/unfinished/extra");
  fs::create_directories(place / "out/extra/taken");  // nothing can be renamed to this
  Manifest manifest = manifest_of("new");
  manifest.finish();
  manifest.write(place / "out/unfinished/run.json");
  CHECK_THROWS_WITH(replace_run(place / "out", place / "out/unfinished"), ContainsSubstring("cannot rename to"));
  check_is(place / "out", "old");
  check_is(place / "out/unfinished", "new");
  CHECK(fs::exists(place / "out/report.html/taken"));
}

TEST_CASE("output folder: a replacement that was broken off at any rename is completed by the next run") {
  // What replace_run has done after each of its steps: the earlier run's files out of the way, the new ones in.
  const std::vector<std::string> files = {"model.safetensors", "config.json",  "metrics.jsonl",
                                          "vocab.txt",         "checkpoint-2", "run.json"};
  for (std::size_t steps = 0; steps <= 2 * files.size() + 1; ++steps) {
    const TemporaryFolder place;
    const fs::path out = place / "out";
    write_finished_run(out, "old");
    write_run(out / "unfinished", "new");
    Manifest manifest = manifest_of("new");
    manifest.finish();
    manifest.write(out / "unfinished/run.json");
    const fs::path earlier = out / "earlier-run.tmp-transkimmer-17-1";
    const fs::path moving = out / "unfinished.tmp-transkimmer-move";
    fs::create_directories(earlier);
    for (std::size_t i = 0; i < std::min(steps, files.size()); ++i) fs::rename(out / files[i], earlier / files[i]);
    if (steps > files.size()) fs::rename(out / "unfinished", moving);
    for (std::size_t i = files.size() + 1; i < steps; ++i) {
      const std::string& file = files[2 * files.size() - i];
      fs::rename(moving / file, out / file);
    }
    INFO("broken off after " << steps << " renames");
    CHECK_THROWS_WITH(OutputFolder(out, EarlierRun::kRefuse), ContainsSubstring("holds a finished run"));
    check_is(out, "new");
    CHECK(names_in(out).size() == files.size());
  }
}

TEST_CASE("output folder: what killed processes left under temporary names goes") {
  const TemporaryFolder place;
  fs::create_directories(place / "out/checkpoint-4.tmp-transkimmer-17-3");
  write_bytes(place / "out/report.html.tmp-transkimmer-17-4", "half");
  const OutputFolder output(place / "out", EarlierRun::kRefuse);  // nothing else is there
  CHECK(fs::is_empty(place / "out"));
}

TEST_CASE("output folder: what a run could not remove on its way goes at its end") {
  const TemporaryFolder place;
  OutputFolder output(place / "out", EarlierRun::kRefuse);
  Manifest manifest = manifest_of("new");
  output.begin_run(manifest);
  fs::create_directories(output.work() / "checkpoint-2.tmp-transkimmer-17-3");
  output.finish_run(manifest);
  CHECK(names_in(place / "out") == std::vector<std::string>{"run.json"});
}

TEST_CASE("output folder: a lock keeps a second run out") {
  const TemporaryFolder place;
  const OutputFolder output(place / "out", EarlierRun::kRefuse);
  CHECK_THROWS_WITH(OutputFolder(place / "out", EarlierRun::kReplace),
                    ContainsSubstring("another run is writing to it now"));
}

}  // namespace
}  // namespace tk
