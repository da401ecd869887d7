#include "nn/packed_weights.h"

#include <algorithm>

namespace tk {

PackedWeight PackedWeights::range(const Tensor& weight, std::int64_t begin, std::int64_t n) {
  const std::lock_guard lock(mutex_);
  const auto is_it = [&](const Entry& entry) { return entry.begin == begin && entry.n == n; };
  auto found = std::find_if(entries_.begin(), entries_.end(), is_it);
  if (found == entries_.end())
    found = entries_.insert(found, Entry{.begin = begin, .n = n, .data = nullptr, .version = 0, .packed = {}});
  const bool is_fresh = found->data == weight.raw_data() && found->version == weight.version();
  if (!is_fresh || !found->packed.serves()) {
    found->data = weight.raw_data();
    found->version = weight.version();
    found->packed = PackedWeight(weight.narrow(0, begin, n));
  }
  return found->packed;
}

}  // namespace tk
