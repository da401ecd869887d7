#include "transkimmer/cli/run/child.h"

#include <csignal>

#include "tensor/error.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"

// The child of this program is this program: Catch's.
namespace tk {
namespace {

TEST_CASE("child: what it says is in its files, and its exit code is told") {
  const TemporaryFolder place;
  Child good({"--help"}, place / "log", place / "out");
  CHECK(good.wait() == 0);
  CHECK(good.ended() == 0);
  CHECK_THAT(read_bytes(place / "out"), ContainsSubstring("--list-tests"));
  CHECK(read_bytes(place / "log").empty());
  Child bad({"--no-such-flag"}, place / "log");
  CHECK(bad.wait() > 0);
  CHECK_THAT(read_bytes(place / "log"), ContainsSubstring("no-such-flag"));
}

TEST_CASE("child: a log that cannot be opened is an error, and no process") {
  const TemporaryFolder place;
  CHECK_THROWS_WITH(Child({"--list-tests"}, place / "none/log"), ContainsSubstring("none/log: cannot open: "));
}

TEST_CASE("child: how it ended, in words") {
  CHECK(ending_text(3) == "exit code 3");
  CHECK(ending_text(-SIGKILL) == "signal 9 (Killed)");
}

}  // namespace
}  // namespace tk
