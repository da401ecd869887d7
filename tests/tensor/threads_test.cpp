#include "tensor/threads.h"

#include <omp.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "tensor/cpu/parallel.h"
#include "tensor/tensor.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

// How many threads a loop of f's thread has after a kernel was asked for there.
template <class F>
int threads_of_new_thread(F&& f) {
  int n = 0;
  std::thread([&] {
    f();
    zeros({4}).fill(1);
    n = omp_get_max_threads();
  }).join();
  return n;
}

}  // namespace

TEST_CASE("threads: a number that was set holds for threads that begin later") {
  const ThreadCount threads(3);
  CHECK(threads_of_new_thread([] {}) == 3);
  CHECK(threads_of_new_thread([] { CHECK(num_threads() == 3); }) == 3);
}

TEST_CASE("threads: a number that was set holds for threads that are there") {
  const ThreadCount threads(3);
  std::atomic<bool> began = false, set = false;
  int n = 0;
  std::thread other([&] {
    zeros({4}).fill(1);
    began = true;
    began.notify_one();
    set.wait(false);
    zeros({4}).fill(1);
    n = omp_get_max_threads();
  });
  began.wait(false);
  set_num_threads(5);
  set = true;
  set.notify_one();
  other.join();
  CHECK(n == 5);
}

TEST_CASE("threads: a thread's own number is its alone, and stays") {
  const ThreadCount threads(3);
  CHECK(threads_of_new_thread([] {
          set_own_num_threads(2);
          set_num_threads(4);
        }) == 2);
  CHECK(num_threads() == 4);
  CHECK(threads_of_new_thread([] {}) == 4);
  CHECK(message_of([] { set_num_threads(0); }) == "set_num_threads: expected at least 1, got 0");
  CHECK(message_of([] { set_own_num_threads(0); }) == "set_own_num_threads: expected at least 1, got 0");
}

TEST_CASE("threads: less than the grain is the calling thread's, and so is a product of less than 64 times as much") {
  const ThreadCount threads(3);
  const auto are_shared = [](std::int64_t elements) {
    std::atomic<bool> has_helper = false;
    const auto patience = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    cpu::parallel_chunks(8, 1, elements, [&](std::int64_t, std::int64_t) {
      if (thread_index() > 0) has_helper = true;
      if (thread_index() > 0 || elements < thread_grain()) return;
      while (!has_helper && std::chrono::steady_clock::now() < patience) std::this_thread::yield();
    });
    return has_helper.load();
  };
  CHECK(are_shared(1));  // tests share all that there is
  set_thread_grain(100);
  CHECK_FALSE(are_shared(99));
  CHECK(are_shared(100));
  CHECK(cpu::threads_for(6399, 3) == 1);
  CHECK(cpu::threads_for(6400, 3) == 3);
  CHECK(message_of([] { set_thread_grain(-1); }) == "set_thread_grain: expected at least 0, got -1");
}

TEST_CASE("threads: those that a loop uses begin") {
  const ThreadCount threads(3);
  start_threads();
  CHECK(num_threads() == 3);
  int inside = 0;
#pragma omp parallel
#pragma omp single
  inside = num_threads();
  CHECK(inside == 1);  // in a parallel region a kernel has one
}
