#include "nn/packed_weights.h"

#include <algorithm>

namespace tk {
namespace {

Tensor part(const Tensor& weight, std::int64_t begin, std::int64_t n) { return weight.narrow(0, begin, n); }
QuantizedRows part(const QuantizedRows& weight, std::int64_t begin, std::int64_t n) { return weight.narrow(begin, n); }

bool serves(const PackedWeight& packed) { return packed.serves(); }
bool serves(const PackedInt8Weight&) { return true; }

}  // namespace

template <class Packed, class Weight>
Packed PackedWeights::range_of(std::vector<Entry<Packed>>& entries, const Tensor& values, const Weight& weight,
                               std::int64_t begin, std::int64_t n) {
  const auto is_it = [&](const auto& entry) { return entry.begin == begin && entry.n == n; };
  auto found = std::find_if(entries.begin(), entries.end(), is_it);
  if (found == entries.end())
    found = entries.insert(found, {.begin = begin, .n = n, .data = nullptr, .version = 0, .packed = {}});
  const bool is_fresh = found->data == values.raw_data() && found->version == values.version();
  if (!is_fresh || !serves(found->packed)) {
    found->data = values.raw_data();
    found->version = values.version();
    found->packed = Packed(part(weight, begin, n));
  }
  return found->packed;
}

PackedWeight PackedWeights::range(const Tensor& weight, std::int64_t begin, std::int64_t n) {
  const std::lock_guard lock(mutex_);
  return range_of(entries_, weight, weight, begin, n);
}

PackedInt8Weight PackedWeights::range(const QuantizedRows& weight, std::int64_t begin, std::int64_t n) {
  const std::lock_guard lock(mutex_);
  return range_of(int8_entries_, weight.values, weight, begin, n);
}

}  // namespace tk
