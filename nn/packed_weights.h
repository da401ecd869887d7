#pragma once

#include <cstdint>
#include <mutex>
#include <vector>

#include "tensor/packed_weight.h"

namespace tk {

/// Ranges of the rows of one weight, packed for products of the CPU when they are first asked for, and again after the
/// weight was written. For any number of threads at once.
class PackedWeights {
 public:
  /// Rows begin to begin + n of a float32 `weight` [out, in].
  PackedWeight range(const Tensor& weight, std::int64_t begin, std::int64_t n);

 private:
  struct Entry {
    std::int64_t begin, n;
    const void* data;  // of the weight that was packed
    std::uint64_t version;
    PackedWeight packed;
  };

  std::mutex mutex_;
  std::vector<Entry> entries_;
};

}  // namespace tk
