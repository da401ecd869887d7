#include "transkimmer/cli/run/job_pool.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"

// The jobs are this program: Catch's.
namespace tk {
namespace {

// Their ends, in the order of the jobs, once as many have come.
std::vector<JobEnd> all_ended(JobPool& pool) {
  std::vector<JobEnd> all;
  while (pool.count() > 0) std::ranges::copy(pool.ended(), std::back_inserter(all));
  std::ranges::sort(all, {}, &JobEnd::job);
  return all;
}

TEST_CASE("job pool: of a process alone there is one place, and each end is told once") {
  const TemporaryFolder place;
  JobPool pool(alone(), 2);
  CHECK(pool.room() == 2);
  CHECK(pool.begin({.job = 4, .arguments = {"--help"}, .log = place / "log"}).empty());
  CHECK(pool.begin({.job = 1, .arguments = {"--no-such-flag"}, .log = place / "log"}).empty());
  CHECK(pool.count() == 2);
  const std::vector<JobEnd> ended = all_ended(pool);
  REQUIRE(ended.size() == 2);
  CHECK(ended[0].job == 1);
  CHECK(ended[0].code > 0);
  CHECK(ended[1].job == 4);
  CHECK(ended[1].code == 0);
  CHECK(pool.ended().empty());
  pool.finish();
}

// What the next test starts.
TEST_CASE("job pool: its GPUs on standard error", "[.gpus]") {
  const char* const gpus = std::getenv("CUDA_VISIBLE_DEVICES");
  std::fprintf(stderr, "%s;", gpus != nullptr ? gpus : "");
}

TEST_CASE("job pool: with several GPUs jobs go where fewest run") {
  const TemporaryFolder place;
  JobPool pool(alone(), 2, {"5,7", "7,5"});
  CHECK(pool.room() == 4);
  const auto begin = [&](std::size_t job) {
    return pool.begin({.job = job, .arguments = {"[.gpus]"}, .log = place / std::to_string(job)});
  };
  CHECK(begin(0) == " on GPU 0");
  CHECK(begin(1) == " on GPU 1");
  CHECK(begin(2) == " on GPU 0");
  CHECK(all_ended(pool).size() == 3);
  CHECK_THAT(read_bytes(place / "0"), ContainsSubstring("5,7;"));
  CHECK_THAT(read_bytes(place / "1"), ContainsSubstring("7,5;"));
}

}  // namespace
}  // namespace tk
