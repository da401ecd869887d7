#include "tensor/shape.h"

#include <algorithm>
#include <ostream>

#include "tensor/error.h"

namespace tk {

Shape::Shape(std::initializer_list<std::int64_t> dims) : Shape(std::span(dims.begin(), dims.size())) {}

Shape::Shape(std::span<const std::int64_t> dims) {
  for (const std::int64_t extent : dims) push_back(extent);
}

Shape Shape::filled(std::int64_t rank, std::int64_t value) {
  Shape shape;
  for (std::int64_t i = 0; i < rank; ++i) shape.push_back(value);
  return shape;
}

std::int64_t Shape::numel() const {
  std::int64_t n = 1;
  for (const std::int64_t extent : *this) n *= extent;
  return n;
}

void Shape::push_back(std::int64_t extent) {
  TK_CHECK(rank_ < kMaxRank, "shape: expected at most ", kMaxRank, " dimensions, got more");
  dims_[static_cast<std::size_t>(rank_++)] = extent;
}

Shape Shape::without(std::int64_t i) const {
  Shape shape;
  for (std::int64_t k = 0; k < rank_; ++k) {
    if (k != i) shape.push_back((*this)[k]);
  }
  return shape;
}

bool operator==(const Shape& a, const Shape& b) { return std::ranges::equal(a, b); }

std::uint32_t Dims::bits(const char* op, std::int64_t rank) const {
  if (dims_.rank() == 0) return (1u << rank) - 1;
  std::uint32_t bits = 0;
  for (const std::int64_t dim : dims_) {
    const std::uint32_t bit = 1u << normalize_dim(op, dim, rank);
    TK_CHECK((bits & bit) == 0, op, ": dimension ", dim, " is named twice");
    bits |= bit;
  }
  return bits;
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '[';
  for (std::int64_t i = 0; i < shape.rank(); ++i) out << (i ? ", " : "") << shape[i];
  return out << ']';
}

Shape contiguous_strides(const Shape& shape) {
  Shape strides = Shape::filled(shape.rank(), 1);
  for (std::int64_t i = shape.rank() - 2; i >= 0; --i) {
    strides[i] = strides[i + 1] * std::max<std::int64_t>(shape[i + 1], 1);
  }
  return strides;
}

Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b) {
  const std::int64_t rank = std::max(a.rank(), b.rank());
  Shape out = Shape::filled(rank, 1);
  for (std::int64_t i = 1; i <= rank; ++i) {
    const std::int64_t x = i <= a.rank() ? a[a.rank() - i] : 1;
    const std::int64_t y = i <= b.rank() ? b[b.rank() - i] : 1;
    TK_CHECK(x == y || x == 1 || y == 1, op, ": shapes do not broadcast: ", a, " and ", b);
    out[rank - i] = x == 1 ? y : x;
  }
  return out;
}

std::int64_t normalize_dim(const char* op, std::int64_t dim, std::int64_t rank) {
  TK_CHECK(-rank <= dim && dim < rank, op, ": dimension ", dim, " is out of range for rank ", rank);
  return dim < 0 ? dim + rank : dim;
}

}  // namespace tk
