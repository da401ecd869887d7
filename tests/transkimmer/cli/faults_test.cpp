#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "tensor/io/safetensors.h"
#include "tests/support/catch.h"
#include "tests/transkimmer/cli/program.h"

// Faults from outside, against the built program: full disks, folders without permission, files that change while they
// are read, signals at any moment, several runs at once. Each ends in a result that is whole, or in one line that says
// what happened; a file that is there under its name is whole.
namespace tk {
namespace {

namespace fs = std::filesystem;
using Arguments = std::vector<std::string>;
using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

constexpr int kRunTimeError = 1;

bool ends_with_line(const std::string& text) { return text.empty() || text.ends_with('\n'); }

void check_lines(const fs::path& file) {
  const std::string text = read_bytes(file);
  CHECK(ends_with_line(text));
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) CHECK(nlohmann::json::accept(line));
}

void check_whole(const fs::path& file) {
  INFO(file.string());
  const std::string name = file.filename().string();
  CHECK(name.find(".tmp-") == std::string::npos);
  if (name.ends_with(".safetensors")) {
    const SafetensorsFile weights = SafetensorsFile::open(file);
    for (const SafetensorsEntry& entry : weights.entries()) CHECK_NOTHROW(weights.tensor(entry));
  } else if (name.ends_with(".json")) {
    CHECK(nlohmann::json::accept(read_bytes(file)));
  } else if (name.ends_with(".jsonl")) {
    check_lines(file);
  } else if (name.ends_with(".html")) {
    CHECK_THAT(read_bytes(file), ContainsSubstring("</html>"));
  } else {
    CHECK(ends_with_line(read_bytes(file)));
  }
}

// No temporary file is left, and every file is complete.
void check_all_whole(const fs::path& folder) {
  if (!fs::exists(folder)) return;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    CHECK(entry.path().filename().string().find(".tmp-") == std::string::npos);
    if (entry.is_regular_file()) check_whole(entry.path());
  }
}

void check_no_temporary(const std::string& folder) {
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    INFO(entry.path().string());
    CHECK(entry.path().filename().string().find(".tmp-") == std::string::npos);
  }
}

std::string last_line(const std::string& text) {
  const std::string said = text.substr(0, text.size() - std::min<std::size_t>(text.size(), text.ends_with('\n')));
  return said.substr(said.rfind('\n') + 1);
}

void check_failed(const Ran& ran, const std::string& text) {
  INFO(ran.err);
  CHECK(ran.code == kRunTimeError);
  CHECK_THAT(last_line(ran.err), ContainsSubstring(text));
  CHECK(last_line(ran.err).size() < 400);
}

Arguments train(const Workplace& place, const std::string& output, const Arguments& more = {}) {
  return Arguments{"train"} + place.task() +
         Arguments{"--output_dir",
                   place / output,
                   "--max_steps",
                   "6",
                   "--per_device_train_batch_size",
                   "8",
                   "--logging_steps",
                   "1",
                   "--save_steps",
                   "2"} +
         more;
}

Arguments predict(const Workplace& place, const std::string& output) {
  return Arguments{"predict"} + place.task() + Arguments{"--output_dir", place / output, "--write_logits"};
}

Arguments convert(const Workplace& place, const std::string& output) {
  return {"convert", place / "model", place / output, "--dtype", "bfloat16"};
}

Arguments init(const Workplace& place, const std::string& output) {
  return {"init", "--config", place / "config.json", place / output};
}

// The commands that write, each into `output`.
std::vector<Arguments> writers(const Workplace& place, const std::string& output) {
  return {train(place, output), predict(place, output), convert(place, output), init(place, output)};
}

// As root the kernel asks for no permission, unless the program runs without that capability.
Ran run_without_privilege(const Arguments& arguments) {
  if (::geteuid() != 0) return run_program(arguments);
  return run_under(
      {"setpriv", "--bounding-set", "-dac_override,-dac_read_search", "--inh-caps", "-dac_override,-dac_read_search"},
      arguments);
}

// A folder's or file's permissions as long as this lives.
class Permissions {
 public:
  Permissions(fs::path path, fs::perms perms) : path_(std::move(path)), before_(fs::status(path_).permissions()) {
    fs::permissions(path_, perms);
  }
  ~Permissions() { fs::permissions(path_, before_); }
  Permissions(const Permissions&) = delete;
  Permissions& operator=(const Permissions&) = delete;

 private:
  fs::path path_;
  fs::perms before_;
};

constexpr fs::perms kReadOnly = fs::perms::owner_read | fs::perms::owner_exec;

void sleep(Seconds seconds) { std::this_thread::sleep_for(seconds); }

Seconds time_of(const Arguments& arguments) {
  const Clock::time_point start = Clock::now();
  REQUIRE(run_program(arguments).code == 0);
  return Clock::now() - start;
}

// The i-th of n moments of a run that takes `whole`: spread by the golden ratio, a little beyond its end.
Seconds moment(int i, Seconds whole) { return 1.1 * whole * std::fmod(0.618034 * (i + 1), 1.0); }

TEST_CASE("full disk: whatever can no longer be written, the file is named and what is there is whole") {
  const Workplace place;
  int run = 0;
  for (std::size_t command = 0; command < writers(place, "").size(); ++command) {
    int failures = 0;
    for (const int bytes : {0, 100, 1000, 2500, 6000, 20000, 40000, 100000}) {
      const std::string output = "out-" + std::to_string(++run);
      const Ran ran = run_under({"prlimit", "--fsize=" + std::to_string(bytes)}, writers(place, output)[command]);
      INFO(output << " with files of at most " << bytes << " bytes: " << ran.err);
      check_all_whole(place / output);
      check_no_temporary(place / "");
      if (ran.code == 0) continue;
      ++failures;
      // Standard output and error are files here, too: at 0 bytes nothing can be said.
      CHECK(ran.code == kRunTimeError);
      if (bytes >= 1000) CHECK_THAT(last_line(ran.err), ContainsSubstring(place / output));
    }
    CHECK(failures > 0);
  }
}

TEST_CASE("full disk: the log of a run keeps whole lines") {
  const Workplace place;
  const Ran ran =
      run_under({"prlimit", "--fsize=30000"},
                train(place, "out",
                      {"--max_steps", "400", "--save_strategy", "no", "--progress", "off", "--eval_strategy", "no"}));
  check_failed(ran, place / "out/metrics.jsonl: cannot be written: File too large");
  check_all_whole(place / "out");
  CHECK(fs::file_size(place / "out/metrics.jsonl") > 20000);
}

TEST_CASE("permissions: a folder that may not be written to is named, and nothing is made in it") {
  const Workplace place;
  fs::create_directories(place / "locked/inner");
  const Permissions inner(place / "locked/inner", kReadOnly);
  const Permissions outer(place / "locked", kReadOnly);
  for (const std::string output : {"locked/inner", "locked/new", "locked/new/below"}) {
    for (const Arguments& arguments : writers(place, output)) {
      check_failed(run_without_privilege(arguments), place / "locked");
    }
  }
  CHECK(fs::is_empty(place / "locked/inner"));
  CHECK(std::distance(fs::directory_iterator(place / "locked"), fs::directory_iterator()) == 1);
}

TEST_CASE("permissions: a file that may not be read is named") {
  const Workplace place;
  for (const std::string file :
       {"model/model.safetensors", "model/config.json", "model/vocab.txt", "data/SST-2/train.tsv"}) {
    const Permissions none(place / file, fs::perms::none);
    check_failed(run_without_privilege(train(place, "out")), place / file);
    CHECK_FALSE(fs::exists(place / "out"));
  }
}

TEST_CASE("files that change: one that shrinks, goes away or is replaced while it is read is a clear line") {
  const Workplace place;
  const std::string path = place / "model/model.safetensors";
  const std::string good = read_bytes(path);
  for (std::size_t command = 1; command < 3; ++command) {  // predict and convert
    const Seconds whole = time_of(writers(place, "whole-" + std::to_string(command))[command]);
    for (int i = 0; i < 12; ++i) {
      const std::string output = "out-" + std::to_string(command) + "-" + std::to_string(i);
      const auto change = [&] {
        if (i % 3 == 0) fs::resize_file(path, good.size() / 2);
        if (i % 3 == 1) fs::resize_file(path, 0);
        if (i % 3 == 2) fs::remove(path);
      };
      if (i < 3) change();  // before the file is opened, however slow the machine
      Running program(writers(place, output)[command]);
      sleep(moment(i, whole));
      if (i >= 3) change();
      const Ran ran = program.wait();
      INFO(ran.err);
      CHECK((ran.code == kRunTimeError || (ran.code == 0 && i >= 3)));
      if (ran.code != 0) {
        CHECK_THAT(last_line(ran.err), ContainsSubstring("model"));
        CHECK_FALSE(fs::exists(place / output));
      }
      check_all_whole(place / output);
      write_bytes(path, good);
    }
  }
}

TEST_CASE("signals: at any moment the files are whole or absent, and the exit code says which signal it was") {
  const Workplace place;
  int stopped = 0;
  for (std::size_t command = 0; command < writers(place, "").size(); ++command) {
    const Seconds whole = time_of(writers(place, "whole-" + std::to_string(command))[command]);
    for (int i = 0; i < 12; ++i) {
      const int signal = i % 2 == 0 ? SIGINT : SIGTERM;
      const std::string output = "out-" + std::to_string(command) + "-" + std::to_string(i);
      Running program(writers(place, output)[command]);
      sleep(moment(i, whole));
      program.send(signal);
      const Ran ran = program.wait();
      INFO(output << ": " << ran.code << ' ' << ran.err);
      // Minus the signal: it came before the program began to work.
      CHECK((ran.code == 0 || ran.code == 128 + signal || ran.code == -signal));
      if (ran.code == -signal) CHECK_FALSE(fs::exists(place / output));
      if (ran.code == 128 + signal)
        CHECK_THAT(last_line(ran.err), ContainsSubstring("interrupted") || ContainsSubstring("terminated"));
      stopped += ran.code != 0;
      check_all_whole(place / output);
      check_no_temporary(place / "");
    }
  }
  CHECK(stopped > 10);
}

TEST_CASE("signals: a run that is asked to stop twice ends at once, and what is there is whole") {
  const Workplace place;
  Running program(train(place, "out", {"--max_steps", "1000000"}));
  while (!fs::exists(place / "out/checkpoint-2")) sleep(Seconds(0.002));
  program.send(SIGTERM);
  program.send(SIGTERM);
  const Ran ran = program.wait();
  CHECK((ran.code == -SIGTERM || ran.code == 128 + SIGTERM));
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(place / "out")) {
    const bool is_temporary =
        entry.path().string().find(".tmp-") != std::string::npos;  // there was no time to clean up
    if (entry.is_regular_file() && !is_temporary) check_whole(entry.path());
  }
}

// The program with a shell in front that changes its descriptors, such as "2>&-".
Ran run_redirected(const std::string& redirections, const Arguments& arguments) {
  return run_under({"sh", "-c", "exec \"$@\" " + redirections, "sh"}, arguments);
}

void check_loads(const Workplace& place, const std::string& model) {
  const Ran ran = run_program(Arguments{"eval", "--speed_samples", "0"} + place.task("sst2", model));
  INFO(ran.err);
  CHECK(ran.code == 0);
}

TEST_CASE("signals: a terminal that goes away stops a run as the others do, unless it was started to ignore that") {
  const Workplace place;
  const Arguments endless = {"--max_steps", "1000000", "--save_strategy", "no"};
  const Ran ran = run_until(train(place, "out", endless), "step ", SIGHUP);
  CHECK(ran.code == 128 + SIGHUP);
  CHECK(last_line(ran.err) == "the terminal was closed");
  CHECK(std::distance(fs::directory_iterator(place / "out"), fs::directory_iterator()) == 3);
  // nohup would redirect as well; a shell's trap alone makes the program ignore the signal.
  const Ran kept = run_under({"sh", "-c", "trap '' HUP; \"$@\" & kill -HUP $!; wait $!", "sh"}, train(place, "kept"));
  CHECK(kept.code == 0);
  check_loads(place, "kept");
}

TEST_CASE("descriptors: a log that cannot be written ends no run, a result that cannot be is an error") {
  const Workplace place;
  REQUIRE(run_program(train(place, "plain")).code == 0);
  const std::string bits = read_bytes(place / "plain/model.safetensors");
  int count = 0;
  for (const auto& [redirections, code] : std::vector<std::pair<std::string, int>>{{"2>&-", 0},
                                                                                   {"2>/dev/full", 0},
                                                                                   {"<&- 2>&-", 0},
                                                                                   {">&-", kRunTimeError},
                                                                                   {">/dev/full", kRunTimeError},
                                                                                   {">&- 2>&-", kRunTimeError},
                                                                                   {"<&- >&- 2>&-", kRunTimeError}}) {
    INFO(redirections);
    const std::string output = "out-" + std::to_string(++count);
    const Ran ran = run_redirected(redirections, train(place, output));
    CHECK(ran.code == code);
    CHECK(read_bytes(place / (output + "/model.safetensors")) == bits);
    check_all_whole(place / output);
    if (code != 0 && redirections.find('2') == std::string::npos) {
      CHECK(last_line(ran.err).starts_with("standard output: "));
    }
  }
}

TEST_CASE("descriptors: readers that go away end no run") {
  const Workplace place;
  for (const std::string pipe : {"2>&1 >/dev/null | head -n 1", "| true"}) {
    const std::string output = pipe.starts_with("2") ? "log" : "results";
    const Ran ran = run_under({"sh", "-c", "\"$@\" " + pipe, "sh"}, train(place, output));
    CHECK(ran.code == 0);  // the reader's
    check_loads(place, output);
  }
}

TEST_CASE("inputs: what is needed at the end is read at the start") {
  const Workplace place;
  SECTION("training on from a checkpoint of the folder that is written over") {
    REQUIRE(run_program(train(place, "out")).code == 0);
    const Arguments from = {"train", "--task_name", "sst2", "--data_dir", place / "data"};
    const Ran ran = run_program(from + Arguments{"--model_name_or_path", place / "out/checkpoint-4", "--output_dir",
                                                 place / "out", "--overwrite_output_dir", "--max_steps", "2"});
    INFO(ran.err);
    CHECK(ran.code == 0);
    check_loads(place, "out");
    CHECK_FALSE(fs::exists(place / "out/checkpoint-4"));
  }
  SECTION("a model written over the one that it was trained on from") {
    const Ran ran = run_program(train(place, "model", {"--overwrite_output_dir"}));
    INFO(ran.err);
    CHECK(ran.code == 0);
    check_loads(place, "model");
  }
  SECTION("a start model that goes away") {
    Running program(train(place, "out", {"--max_steps", "40", "--save_total_limit", "1"}));
    while (!fs::exists(place / "out/checkpoint-2") && !program.ended()) sleep(Seconds(0.001));
    fs::remove_all(place / "model");
    const Ran ran = program.wait();
    INFO(ran.err);
    CHECK(ran.code == 0);
    check_loads(place, "out");
  }
  SECTION("a tokenizer's file that cannot be read, or is none") {
    write_bytes(place / "secret", "root:*:19000:0:99999:7:::\n");
    fs::create_symlink(place / "secret", place / "model/special_tokens_map.json");
    check_failed(run_program(train(place, "out", {"--save_strategy", "no"})),
                 place / "model/special_tokens_map.json: not valid JSON");
    CHECK_FALSE(fs::exists(place / "out"));
    check_failed(run_program(convert(place, "out")), place / "model/special_tokens_map.json: not valid JSON");
    CHECK_FALSE(fs::exists(place / "out"));
  }
}

TEST_CASE("overwriting: a run that fails or is stopped leaves the earlier one as it was") {
  const Workplace place;
  REQUIRE(run_program(train(place, "out")).code == 0);
  std::map<std::string, std::string> before;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(place / "out")) {
    if (entry.is_regular_file()) before[entry.path()] = read_bytes(entry.path());
  }
  const auto check_as_before = [&] {
    for (const auto& [path, bytes] : before) {
      INFO(path);
      CHECK(read_bytes(path) == bytes);
    }
  };
  const Arguments over = {"--overwrite_output_dir", "--seed", "7", "--save_strategy", "no"};
  const Ran failed = run_program(train(place, "out", over + Arguments{"--learning_rate", "1e39"}));
  CHECK(failed.code == kRunTimeError);
  check_as_before();
  CHECK_FALSE(fs::exists(place / "out/unfinished"));

  const Ran stopped = run_until(train(place, "out", over + Arguments{"--max_steps", "1000000"}), "step ", SIGTERM);
  CHECK(stopped.code == 128 + SIGTERM);
  CHECK_THAT(stopped.err, ContainsSubstring(place / "out/unfinished/checkpoint-"));
  check_as_before();
  check_all_whole(place / "out");

  REQUIRE(run_program(train(place, "out", over)).code == 0);
  CHECK_FALSE(fs::exists(place / "out/unfinished"));
  CHECK_FALSE(fs::exists(place / "out/checkpoint-4"));
  CHECK(read_bytes(place / "out/model.safetensors") != before[place / "out/model.safetensors"]);
  check_loads(place, "out");
}

TEST_CASE("overwriting: a folder by the name of one of the demo's, which no demo made, stays") {
  const Workplace place;
  fs::create_directories(place / "out/data");
  write_bytes(place / "out/data/thesis.txt", "years of work");
  check_failed(run_program({"demo", "--output_dir", place / "out", "--overwrite_output_dir"}),
               place / "out/data: no run wrote this");
  CHECK(read_bytes(place / "out/data/thesis.txt") == "years of work");
}

TEST_CASE("predict: the folder to write to is made before the work, and goes with work that fails") {
  const Workplace place;
  write_bytes(place / "file", "text");
  check_failed(run_program(predict(place, "file")), "exists and is not a folder");
  fs::remove(place / "data/SST-2/test.tsv");
  check_failed(run_program(predict(place, "out")), "test.tsv");
  CHECK_FALSE(fs::exists(place / "out"));
}

TEST_CASE("at once: eight runs on the same data come to the same bits") {
  const Workplace place;
  std::deque<Running> programs;
  for (int i = 0; i < 8; ++i) programs.emplace_back(train(place, "out-" + std::to_string(i), {"--threads", "1"}));
  for (Running& program : programs) CHECK(program.wait().code == 0);
  const std::string first = read_bytes(place / "out-0/model.safetensors");
  for (int i = 1; i < 8; ++i) CHECK(read_bytes(place / ("out-" + std::to_string(i) + "/model.safetensors")) == first);
}

TEST_CASE("at once: of eight runs into one folder one writes, and the others say why they do not") {
  const Workplace place;
  for (const bool overwrite : {false, true}) {
    const std::string output = overwrite ? "over" : "out";
    const Arguments more = overwrite ? Arguments{"--overwrite_output_dir"} : Arguments{};
    std::deque<Running> programs;
    for (int i = 0; i < 8; ++i) programs.emplace_back(train(place, output, more));
    int done = 0;
    for (Running& program : programs) {
      const Ran ran = program.wait();
      if (ran.code == 0) {
        ++done;
        continue;
      }
      check_failed(ran, "--output_dir");
      CHECK_THAT(ran.err, ContainsSubstring("another run") || ContainsSubstring("holds a finished run"));
    }
    CHECK(done >= 1);
    if (!overwrite) CHECK(done == 1);
    check_all_whole(place / output);
    CHECK(fs::exists(place / (output + "/report.html")));
  }
}

TEST_CASE("at once: of eight that make one model folder one does, and the others leave nothing") {
  const Workplace place;
  std::deque<Running> programs;
  for (int i = 0; i < 8; ++i) programs.emplace_back(i % 2 == 0 ? convert(place, "out") : init(place, "out"));
  int done = 0;
  for (Running& program : programs) {
    const Ran ran = program.wait();
    if (ran.code == 0) ++done;
    if (ran.code != 0) check_failed(ran, place / "out");
  }
  CHECK(done == 1);
  check_all_whole(place / "out");
  check_no_temporary(place / "");
}

}  // namespace
}  // namespace tk
