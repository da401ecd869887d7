#include "transkimmer/cli/run/job_queue.h"

#include "tensor/error.h"
#include "tests/support/catch.h"

namespace tk {
namespace {

using State = JobQueue::State;

TEST_CASE("job queue: a job begins when all that it needs is done, the first of the list first") {
  JobQueue queue({{}, {0}, {}, {1, 2}});
  CHECK(queue.begin_next() == std::size_t{0});
  CHECK(queue.begin_next() == std::size_t{2});
  CHECK_FALSE(queue.begin_next());
  queue.end(0, true);
  CHECK(queue.begin_next() == std::size_t{1});
  queue.end(1, true);
  CHECK_FALSE(queue.begin_next());
  CHECK(queue.left() == 2);
  queue.end(2, true);
  CHECK(queue.begin_next() == std::size_t{3});
  queue.end(3, true);
  CHECK(queue.left() == 0);
  CHECK(queue.count(State::kDone) == 4);
}

TEST_CASE("job queue: what needs a failed job is left out, all the rest goes on") {
  JobQueue queue({{}, {0}, {1}, {}, {3}});
  CHECK(queue.begin_next() == std::size_t{0});
  queue.end(0, false);
  CHECK(queue.state(1) == State::kLeftOut);
  CHECK(queue.state(2) == State::kLeftOut);
  CHECK(queue.begin_next() == std::size_t{3});
  queue.end(3, true);
  CHECK(queue.begin_next() == std::size_t{4});
  queue.end(4, true);
  CHECK(queue.left() == 0);
  CHECK(queue.count(State::kFailed) == 1);
}

TEST_CASE("job queue: a job that is done from an earlier start need not run") {
  JobQueue queue({{}, {0}});
  queue.end(0, true);
  CHECK(queue.begin_next() == std::size_t{1});
}

TEST_CASE("job queue: a job cannot need one behind it") {
  using Needs = std::vector<std::vector<std::size_t>>;
  CHECK_THROWS_AS(JobQueue(Needs{{1}, {}}), Error);
  CHECK_THROWS_AS(JobQueue(Needs{{0}}), Error);
}

TEST_CASE("job clock: jobs take what those of their kind took, side by side") {
  JobClock clock;
  CHECK_FALSE(clock.left({"a"}, 1));
  clock.took("a", 10);
  clock.took("a", 20);
  clock.took("b", 3);
  CHECK(*clock.left({"a", "b", "b"}, 1) == Approx(21));
  CHECK(*clock.left({"a", "b", "b"}, 2) == Approx(10.5));
  CHECK(*clock.left({"a"}, 8) == Approx(15));  // one job is no faster on more slots
  CHECK(*clock.left({"c"}, 1) == Approx(11));  // the mean of all
}

}  // namespace
}  // namespace tk
