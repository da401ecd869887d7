#include "transkimmer/cli/run/event_log.h"

#include <signal.h>
#include <sys/resource.h>

#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"
#include "tests/transkimmer/cli/events.h"
#include "transkimmer/cli/run/run_files.h"

namespace tk {
namespace {

namespace fs = std::filesystem;

TEST_CASE("event log: tags are those of transformers") {
  CHECK(event_tag("loss") == "train/loss");
  CHECK(event_tag("eval_loss") == "eval/loss");
  CHECK(event_tag("eval_accuracy_mm") == "eval/accuracy_mm");
  CHECK(event_tag("test_f1") == "test/f1");
  CHECK(event_tag("evaluations") == "train/evaluations");
}

TEST_CASE("event log: a file begins with its version, and each row is an event with its numbers") {
  const TemporaryFolder folder;
  EventLog log(folder / "logs", 0);
  log.add_text("args", "{}");
  log.add(5, nlohmann::json{{"step", 5}, {"loss", 0.5}, {"eval_f1", nullptr}, {"note", "none"}, {"epoch", 1}});
  const std::vector<fs::path> files = event_files(folder / "logs");
  REQUIRE(files.size() == 1);
  CHECK(is_event_file(files[0].filename().string()));
  const std::vector<std::string> records = records_of(files[0]);
  REQUIRE(records.size() == 3);
  CHECK(records[0].ends_with("brain.Event:2"));
  CHECK_THAT(records[1], ContainsSubstring("args/text_summary"));
  CHECK_THAT(records[2], ContainsSubstring("train/loss") && ContainsSubstring("train/epoch"));
  CHECK_THAT(records[2], !ContainsSubstring("f1") && !ContainsSubstring("note") && !ContainsSubstring("step"));
}

TEST_CASE("event log: another start writes a new file into the folder, from whose step on it holds") {
  const TemporaryFolder folder;
  const auto restarts = [](const std::string& record) { return record.ends_with(std::string("\x3a\x02\x08\x01")); };
  { EventLog log(folder.path(), 0); }
  EventLog log(folder.path(), 40);
  const std::vector<fs::path> files = event_files(folder.path());
  REQUIRE(files.size() == 2);
  std::vector<std::string> first = records_of(files[0]), second = records_of(files[1]);
  if (first.size() > second.size()) std::swap(first, second);
  CHECK(first.size() == 1);
  REQUIRE(second.size() == 2);
  CHECK(restarts(second[1]));
  CHECK_THAT(second[1], ContainsSubstring("\x10\x28"));  // step 40
}

TEST_CASE("event log: a run goes on in the folder that it has") {
  const TemporaryFolder folder;
  const fs::path made = event_folder_in(folder.path());
  CHECK(made.parent_path() == folder / "runs");
  CHECK_THAT(made.filename().string(), ContainsSubstring("_"));
  fs::create_directories(folder / "runs/earlier");
  CHECK(event_folder_in(folder.path()) == folder / "runs/earlier");
}

TEST_CASE("event log: what cannot be written ends nothing, and leaves whole records") {
  const TemporaryFolder folder;
  EventLog log(folder.path(), 0);
  log.add(1, nlohmann::json{{"loss", 1}});
  const fs::path file = event_files(folder.path())[0];
  const auto size = fs::file_size(file);
  const auto earlier = ::signal(SIGXFSZ, SIG_IGN);
  rlimit limit = {};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &limit) == 0);
  rlimit small = limit;
  small.rlim_cur = size + 10;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  CHECK_NOTHROW(log.add(2, nlohmann::json{{"loss", 2}}));
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  ::signal(SIGXFSZ, earlier);
  CHECK_NOTHROW(log.add(3, nlohmann::json{{"loss", 3}}));
  CHECK(fs::file_size(file) == size);
}

TEST_CASE("event log: where no folder can be made the run hears it before it begins") {
  const TemporaryFolder folder;
  write_bytes(folder / "taken", "");
  CHECK_THROWS_WITH(EventLog(folder / "taken/logs", 0), ContainsSubstring("taken/logs: cannot create: "));
}

}  // namespace
}  // namespace tk
