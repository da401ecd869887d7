#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "tensor/cpu/parallel.h"
#include "tensor/tensor.h"

namespace tk::cpu {

/// N tensors of one shape, walked side by side, each by its own strides. Neighbouring dimensions that all of them walk
/// as if they were one are one, and a row is the last that is left: rows are as long as they can be.
template <std::size_t N>
class StridedRows {
 public:
  using Each = std::array<std::int64_t, N>;

  template <class... Tensors>
  explicit StridedRows(const Tensors&... tensors) {
    const std::array<const Tensor*, N> all = {&tensors...};
    const Shape& shape = all[0]->shape();
    is_empty_ = all[0]->numel() == 0;
    for (std::int64_t d = shape.rank() - 1; d >= 0; --d) {
      if (shape[d] == 1) continue;
      Each strides;
      for (std::size_t k = 0; k < N; ++k) strides[k] = all[k]->strides()[d];
      if (rank_ > 0 && continues(strides)) {
        extents_[rank_ - 1] *= shape[d];
      } else {
        extents_[rank_] = shape[d];
        strides_[rank_++] = strides;
      }
    }
    if (rank_ > 0) return;
    rank_ = 1;
    extents_[0] = 1;
    strides_[0].fill(1);
  }

  /// From an element of tensor k to the next one of a row.
  std::int64_t stride(std::size_t k) const { return strides_[0][k]; }

  /// Calls f(at, n) for pieces of rows: n elements, the first of tensor k `at[k]` behind its beginning. In parallel
  /// when there is enough to do.
  template <class F>
  void for_each(F&& f) const {
    if (is_empty_) return;
    const std::int64_t length = std::min(extents_[0], kElementGrain), pieces = (extents_[0] + length - 1) / length;
    parallel_rows(count(1) * pieces, length, [&](std::int64_t i) {
      const std::int64_t begin = pieces == 1 ? 0 : i % pieces * length;
      f(offsets(1, pieces == 1 ? i : i / pieces, begin), std::min(length, extents_[0] - begin));
    });
  }

  /// Whether rows of tensor `to` lie across those of tensor `from`: each row of one is a column of the other.
  bool crosses(std::size_t to, std::size_t from) const {
    return rank_ >= 2 && strides_[0][to] == 1 && strides_[1][from] == 1;
  }
  std::int64_t row_stride(std::size_t k) const { return strides_[1][k]; }
  /// Calls f(at, high, wide) for strips of `most` neighbouring rows, or fewer, likewise.
  template <class F>
  void for_each_strip(std::int64_t most, F&& f) const {
    if (is_empty_) return;
    const std::int64_t strips = (extents_[1] + most - 1) / most;
    parallel_rows(count(2) * strips, most * extents_[0], [&](std::int64_t i) {
      const std::int64_t begin = i % strips * most;
      Each at = offsets(2, i / strips, 0);
      for (std::size_t k = 0; k < N; ++k) at[k] += begin * strides_[1][k];
      f(at, std::min(most, extents_[1] - begin), extents_[0]);
    });
  }

 private:
  bool continues(const Each& strides) const {
    for (std::size_t k = 0; k < N; ++k) {
      if (strides[k] != extents_[rank_ - 1] * strides_[rank_ - 1][k]) return false;
    }
    return true;
  }

  // How many places the dimensions from d on have.
  std::int64_t count(std::size_t d) const {
    std::int64_t n = 1;
    for (; d < rank_; ++d) n *= extents_[d];
    return n;
  }

  // Of element `col` of a row, at place i of the dimensions from d on.
  Each offsets(std::size_t d, std::int64_t i, std::int64_t col) const {
    Each at;
    for (std::size_t k = 0; k < N; ++k) at[k] = col * strides_[0][k];
    for (; d < rank_; ++d) {
      const bool last = d + 1 == rank_;
      const std::int64_t place = last ? i : i % extents_[d];
      for (std::size_t k = 0; k < N; ++k) at[k] += place * strides_[d][k];
      if (!last) i /= extents_[d];
    }
    return at;
  }

  bool is_empty_;
  std::size_t rank_ = 0;  // the last dimension is the first here
  std::array<std::int64_t, Shape::kMaxRank> extents_;
  std::array<Each, Shape::kMaxRank> strides_;
};

template <class... Tensors>
StridedRows(const Tensors&...) -> StridedRows<sizeof...(Tensors)>;

}  // namespace tk::cpu
