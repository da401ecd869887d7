#include "tensor/parallel_for.h"

#include <array>
#include <atomic>
#include <chrono>
#include <ctime>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "tensor/threads.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

using Clock = std::chrono::steady_clock;

// Waits until `done`, for a minute at most.
template <class F>
bool comes(F&& done) {
  const auto end = Clock::now() + std::chrono::minutes(1);
  while (!done() && Clock::now() < end) std::this_thread::yield();
  return done();
}

double processor_seconds() {
  timespec time;
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

}  // namespace

TEST_CASE("parallel_for: calls the body once for every index") {
  for (const int threads : {1, 2, 3, 5}) {
    const ThreadCount count(threads);
    for (const std::int64_t n : {0, 1, 2, 3, 7, 1000}) {
      std::vector<std::atomic<int>> calls(static_cast<std::size_t>(n));
      parallel_for(n, threads, [&](std::int64_t i) { ++calls[i]; });
      bool all = true;
      for (const std::atomic<int>& of_index : calls) all = all && of_index == 1;
      CHECK(all);
    }
  }
}

TEST_CASE("parallel_for: many short loops, of which no thread takes part in one that is over") {
  const ThreadCount threads(3);
  std::int64_t wrong = 0;
  for (std::int64_t loop = 0; loop < 20000; ++loop) {
    std::array<std::atomic<std::int64_t>, 5> of_index = {};
    parallel_for(5, 3, [&, loop](std::int64_t i) { of_index[i] += loop; });
    for (const auto& sum : of_index) wrong += sum != loop;
  }
  CHECK(wrong == 0);
}

TEST_CASE("parallel_for: what is written in a loop is seen in the next") {
  const ThreadCount threads(3);
  std::vector<std::int64_t> x(64, 0), y(64, 0);
  for (int loop = 0; loop < 2000; ++loop) {
    parallel_for(64, 3, [&](std::int64_t i) { y[i] = x[63 - i] + 1; });
    parallel_for(64, 3, [&](std::int64_t i) { x[i] = y[63 - i] + 1; });
  }
  CHECK(x == std::vector<std::int64_t>(64, 4000));
}

TEST_CASE("parallel_for: all threads that were asked for come, each with its number, and no more") {
  const ThreadCount threads(4);
  std::vector<std::atomic<bool>> here(4);
  std::atomic<int> most = 0;
  parallel_for(100, 3, [&](std::int64_t) {
    here[thread_index()] = true;
    if (thread_index() > most) most = thread_index();
    comes([&] { return here[0] && here[1] && here[2]; });
  });
  CHECK((here[0] && here[1] && here[2]));
  CHECK(most == 2);
  CHECK(thread_index() == 0);
}

TEST_CASE("parallel_for: one that fails ends the loop, and the next is as ever") {
  const ThreadCount threads(3);
  const auto fails_at = [](std::int64_t at, int threads) {
    parallel_for(1000, threads, [at](std::int64_t i) {
      if (i == at) throw std::runtime_error("row " + std::to_string(i));
    });
  };
  for (const std::int64_t at : {0, 400, 999}) {
    CHECK_THROWS_WITH(fails_at(at, 3), "row " + std::to_string(at));
    CHECK_THROWS_WITH(fails_at(at, 1), "row " + std::to_string(at));
    CHECK_NOTHROW(fails_at(-1, 3));
  }
}

TEST_CASE("parallel_for: a body has one thread") {
  const ThreadCount threads(3);
  std::atomic<int> wrong = 0;
  parallel_for(30, 3, [&](std::int64_t) {
    const auto self = std::this_thread::get_id();
    const int index = thread_index();
    wrong += !in_parallel_for() || num_threads() != 1;
    parallel_for(5, 3, [&](std::int64_t) { wrong += std::this_thread::get_id() != self || thread_index() != 0; });
    wrong += thread_index() != index || !in_parallel_for();
  });
  CHECK(wrong == 0);
  CHECK_FALSE(in_parallel_for());
  CHECK(num_threads() == 3);
}

TEST_CASE("parallel_for: threads that call it have helpers of their own") {
  const ThreadCount threads(2);
  std::array<std::int64_t, 4> sums = {};
  std::vector<std::thread> callers;
  for (int c = 0; c < 4; ++c) {
    callers.emplace_back([&, c] {
      for (int loop = 0; loop < 500; ++loop) {
        std::atomic<std::int64_t> sum = 0;
        parallel_for(10, 2, [&](std::int64_t i) { sum += i; });
        sums[c] += sum;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(sums == std::array<std::int64_t, 4>{22500, 22500, 22500, 22500});
}

TEST_CASE("parallel_for: threads that have nothing to do sleep") {
  const ThreadCount threads(3);
  parallel_for(100, 3, [](std::int64_t) { std::this_thread::yield(); });
  const double before = processor_seconds();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  CHECK(processor_seconds() - before < 0.1);  // one that looked all the time would have taken 0.2
}
