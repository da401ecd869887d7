#include "transkimmer/cli/run/time_limit.h"

#include "tests/support/catch.h"

namespace tk {
namespace {

TEST_CASE("time limit: times are seconds, or numbers with units") {
  CHECK(seconds_in("90") == 90);
  CHECK(seconds_in("0.5") == 0.5);
  CHECK(seconds_in("90s") == 90);
  CHECK(seconds_in("30m") == 1800);
  CHECK(seconds_in("1.5h") == 5400);
  CHECK(seconds_in("1h30m") == 5400);
  CHECK(seconds_in("1d2h3m4s") == 93784);
  for (const char* none : {"", "0", "m", "30x", "1h30", "30 m", "-5", "1e3", "nan", "inf", "1..5", "2000d", "5m-1s"}) {
    INFO(none);
    CHECK_FALSE(seconds_in(none));
  }
}

}  // namespace
}  // namespace tk
