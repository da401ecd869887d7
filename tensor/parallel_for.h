#pragma once

#include <cstdint>
#include <memory>

namespace tk {

/// Which of a loop's threads the calling one is: 0 is the one that began the loop, and the only one outside of loops.
int thread_index();
/// Whether the calling thread is in a loop's body.
bool in_parallel_for();

/// A loop's body, of whatever type.
class LoopBody {
 public:
  template <class F>
  explicit LoopBody(F& f)
      : f_(std::addressof(f)),
        call_([](const void* body, std::int64_t i) { (*static_cast<F*>(const_cast<void*>(body)))(i); }) {}
  void operator()(std::int64_t i) const { call_(f_, i); }

 private:
  const void* f_;
  void (*call_)(const void* body, std::int64_t i);
};

/// Calls body(i) for every i of [0, n), in any order, on at most `threads` of num_threads() threads, and returns when
/// all is done. Rethrows what one of them throws; then some may not have been called.
///
/// The calling thread begins at once. Others wait for loops between them, a while by looking (OMP_WAIT_POLICY=passive:
/// not at all) and then asleep, and join as they come; one that has not come when nothing is left is not waited for. In
/// a loop's body there is one thread.
void parallel_for(std::int64_t n, int threads, LoopBody body);
template <class F>
void parallel_for(std::int64_t n, int threads, F&& f) {
  parallel_for(n, threads, LoopBody(f));
}

}  // namespace tk
