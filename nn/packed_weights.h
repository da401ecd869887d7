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
  /// The same of an int8 one.
  PackedInt8Weight range(const QuantizedRows& weight, std::int64_t begin, std::int64_t n);

 private:
  template <class Packed>
  struct Entry {
    std::int64_t begin, n;
    const void* data;  // of the weight that was packed
    std::uint64_t version;
    Packed packed;
  };
  template <class Packed, class Weight>
  static Packed range_of(std::vector<Entry<Packed>>& entries, const Tensor& values, const Weight& weight,
                         std::int64_t begin, std::int64_t n);

  std::mutex mutex_;
  std::vector<Entry<PackedWeight>> entries_;
  std::vector<Entry<PackedInt8Weight>> int8_entries_;
};

}  // namespace tk
