#pragma once

#include "tensor/kernel_arguments.h"

// How a layer's gates narrow its row sets, one row at a time, for both backends.
namespace tk::math {

/// Masks of a row, or the gradients in them.
template <class T>
struct RowMasks {
  T keys = 1, updated = 1, fed = 1;
};

/// Where the answers [.., gates] for a row of sentence s lie; row `first` is that sentence's first, or a dummy's own. A
/// first row that is not asked has none: -1.
TK_HOST_DEVICE std::int64_t answer_of(std::int64_t row, std::int64_t first, std::int64_t s, const FirstRowRule& rule,
                                      bool is_dummy) {
  if (rule.asked) return row;
  if (is_dummy) return row - s;
  return row == first ? -1 : row - s - 1;
}

/// Of a row with the masks r and u before it and gates g: keys r g0, updated keys g1, fed u keys g2. The layers' gate
/// is g0 alone.
template <class T>
TK_HOST_DEVICE RowMasks<T> gate_masks(T r, T u, const T (&g)[3]) {
  const T keys = r * g[0];
  return {keys, keys * g[1], u * keys * g[2]};
}

/// Gradients of a row: of r and u, and in dg of its gates.
template <class T>
TK_HOST_DEVICE RowMasks<T> gate_masks_backward(T (&dg)[3], const RowMasks<T>& d, T r, T u, const T (&g)[3]) {
  const T keys = r * g[0];
  const T dkeys = d.keys + d.updated * g[1] + d.fed * u * g[2];
  dg[0] = dkeys * r;
  dg[1] = d.updated * keys;
  dg[2] = d.fed * u * keys;
  return {dkeys * g[0], d.fed * keys * g[2], T(0)};
}

}  // namespace tk::math
