#pragma once

#include <cmath>
#include <cstdint>

#include "tensor/device.h"

namespace tk {

/// How many of a sentence's n rows make `share` of its original length: at least the first, at most all.
TK_HOST_DEVICE std::int64_t rows_of_share(double share, std::int64_t length, std::int64_t n) {
  const auto rows = static_cast<std::int64_t>(std::llround(share * static_cast<double>(length)));
  return rows < 1 ? 1 : rows < n ? rows : n;
}

/// Whether row i of n is one of `kept` evenly spread ones: i = floor(k n / kept) for some k < kept.
TK_HOST_DEVICE bool is_evenly_spread(std::int64_t i, std::int64_t n, std::int64_t kept) {
  const std::int64_t k = (i * kept + n - 1) / n;  // the first with k n / kept >= i
  return k < kept && k * n / kept == i;
}

}  // namespace tk
