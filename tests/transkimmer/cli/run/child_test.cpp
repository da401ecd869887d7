#include "transkimmer/cli/run/child.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "tensor/error.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/variables.h"

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

// What the next test starts.
TEST_CASE("child: variables on standard error", "[.variables]") {
  for (const char* name :
       {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "TK_NCCL_ID", "TRANSKIMMER_SEED", "TK_KEPT", "TK_GIVEN"}) {
    const char* const value = std::getenv(name);
    std::fprintf(stderr, "%s=%s;", name, value != nullptr ? value : "");
  }
}

TEST_CASE("child: variables that set flags or make a rank do not reach it, and those that are given do") {
  const TemporaryFolder place;
  const test::Variables variables{{"OMPI_COMM_WORLD_SIZE", "2"}, {"PMIX_RANK", "1"},  {"TK_NCCL_ID", "x"},
                                  {"TRANSKIMMER_SEED", "3"},     {"TK_KEPT", "here"}, {"TK_GIVEN", "else"}};
  Child child({"[.variables]"}, place / "log", place / "out", {"TK_GIVEN=this"});
  CHECK(child.wait() == 0);
  CHECK_THAT(read_bytes(place / "log"), ContainsSubstring("OMPI_COMM_WORLD_SIZE=;PMIX_RANK=;TK_NCCL_ID=;"
                                                          "TRANSKIMMER_SEED=;TK_KEPT=here;TK_GIVEN=this;"));
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
