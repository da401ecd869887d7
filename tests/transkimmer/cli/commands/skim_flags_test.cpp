#include "transkimmer/cli/commands/skim_flags.h"

#include "tests/support/catch.h"

namespace tk {
namespace {

using Speedups = std::vector<double>;

TEST_CASE("skim flags: speed-ups are one, several in any order, or a range with the whole numbers in it") {
  CHECK(parse_speedups("4") == Speedups{4});
  CHECK(parse_speedups("5,2,3.2") == Speedups{2, 3.2, 5});
  CHECK(parse_speedups("2-5") == Speedups{2, 3, 4, 5});
  CHECK(parse_speedups("1.5-3.5") == Speedups{1.5, 2, 3, 3.5});
  CHECK(parse_speedups("1-100")->size() == 100);
  for (const char* text :
       {"", "x", "4x", "0.5", "101", "2,2", "2,,x", "5-2", "2-2", "2-", "-2", "1-2-3", "nan", "1-1e9"}) {
    INFO(text);
    CHECK_FALSE(parse_speedups(text));
    CHECK(speedup_problem(text) == "expected numbers from 1 to 100 with commas between, or LOW-HIGH");
  }
}

TEST_CASE("skim flags: a staged model is trained for a range, one of the published gate for one budget") {
  const SpeedupRange one = trained_speedups({4}, SkimGate::kStaged);
  CHECK(one.all == Speedups{2, 4, 5});
  CHECK(one.chosen == 4);
  CHECK(trained_speedups({1}, SkimGate::kStaged).all == Speedups{1, 1.25});
  const SpeedupRange several = trained_speedups({2, 3.2}, SkimGate::kStaged);
  CHECK(several.all == Speedups{2, 3.2});
  CHECK(several.chosen == 3.2);
  const SpeedupRange published = trained_speedups({4}, SkimGate::kLayer);
  CHECK(published.all.empty());
  CHECK(published.chosen == 4);
}

}  // namespace
}  // namespace tk
