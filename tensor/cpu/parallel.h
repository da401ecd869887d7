#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "tensor/allocator.h"
#include "tensor/parallel_for.h"
#include "tensor/threads.h"

namespace tk::cpu {

inline constexpr std::int64_t kElementGrain = 1 << 14;  // elements of a chunk

/// Calls f(begin, end) for chunks of [0, n) that depend on n and `grain` alone, in parallel if `elements`, what is
/// computed in all, are enough.
template <class F>
void parallel_chunks(std::int64_t n, std::int64_t grain, std::int64_t elements, F&& f) {
  const std::int64_t chunks = (n + grain - 1) / grain;
  if (chunks <= 1) {
    if (n > 0) f(std::int64_t{0}, n);
    return;
  }
  parallel_for(chunks, elements >= thread_grain() ? num_threads() : 1,
               [&](std::int64_t c) { f(c * grain, std::min(n, (c + 1) * grain)); });
}
template <class F>
void parallel_chunks(std::int64_t n, std::int64_t grain, F&& f) {
  parallel_chunks(n, grain, n, std::forward<F>(f));
}

/// Calls f(row) for every row of `cols` elements, in parallel when there is enough to do.
template <class F>
void parallel_rows(std::int64_t rows, std::int64_t cols, F&& f) {
  const std::int64_t grain = std::max<std::int64_t>(1, kElementGrain / std::max<std::int64_t>(cols, 1));
  parallel_chunks(rows, grain, rows * cols, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) f(row);
  });
}

/// How many of `threads` a product of so many multiply-adds is worth: all or one.
inline int threads_for(std::int64_t macs, int threads) { return macs >= 64 * thread_grain() ? threads : 1; }

/// Working memory of a kernel, from the caching allocator.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t n)
      : bytes_(n * static_cast<std::int64_t>(sizeof(T))), data_(static_cast<T*>(allocate(Device::kCpu, bytes_))) {}
  ~Scratch() { deallocate(Device::kCpu, data_, bytes_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* data() { return data_; }
  T& operator[](std::int64_t i) { return data_[i]; }

 private:
  std::int64_t bytes_;
  T* data_;
};

/// Working memory for each thread of a kernel's loops, `n` elements a thread. Made before the loop, so that what a
/// kernel asks of the allocator does not depend on timing, and running out of memory is an error and not the program's
/// end.
template <class T>
class ThreadScratch {
 public:
  explicit ThreadScratch(std::int64_t n) : stride_((n + kLine - 1) / kLine * kLine), all_(stride_ * num_threads()) {}
  /// The calling thread's part.
  T* mine() { return all_.data() + stride_ * thread_index(); }

 private:
  static constexpr std::int64_t kLine = 64;  // elements: no two threads write to one cache line

  std::int64_t stride_;
  Scratch<T> all_;
};

}  // namespace tk::cpu
