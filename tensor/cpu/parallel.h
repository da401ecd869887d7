#pragma once

#include <algorithm>
#include <cstdint>

#include "tensor/allocator.h"

namespace tk::cpu {

inline constexpr std::int64_t kElementGrain = 1 << 14;  // elements that are worth a thread

/// Calls f(begin, end) for chunks of [0, n) that depend on n and `grain` alone, in parallel.
template <class F>
void parallel_chunks(std::int64_t n, std::int64_t grain, F&& f) {
  const std::int64_t chunks = (n + grain - 1) / grain;
  if (chunks <= 1) {
    if (n > 0) f(std::int64_t{0}, n);
    return;
  }
#pragma omp parallel for schedule(static)
  for (std::int64_t c = 0; c < chunks; ++c) f(c * grain, std::min(n, (c + 1) * grain));
}

/// Calls f(row) for every row of `cols` elements, in parallel when there is enough to do.
template <class F>
void parallel_rows(std::int64_t rows, std::int64_t cols, F&& f) {
  const std::int64_t grain = std::max<std::int64_t>(1, kElementGrain / std::max<std::int64_t>(cols, 1));
  parallel_chunks(rows, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) f(row);
  });
}

/// Working memory of a kernel, from the caching allocator.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t n) : bytes_(n * static_cast<std::int64_t>(sizeof(T))), data_(static_cast<T*>(allocate(Device::kCpu, bytes_))) {}
  ~Scratch() { deallocate(Device::kCpu, data_, bytes_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* data() { return data_; }
  T& operator[](std::int64_t i) { return data_[i]; }

 private:
  std::int64_t bytes_;
  T* data_;
};

}  // namespace tk::cpu
