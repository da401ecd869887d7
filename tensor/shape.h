#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <span>

namespace tk {

/// Up to kMaxRank extents (or strides) in a value without an allocation.
class Shape {
 public:
  static constexpr std::int64_t kMaxRank = 6;

  Shape() = default;
  /// Throws when more than kMaxRank are given.
  Shape(std::initializer_list<std::int64_t> dims);
  explicit Shape(std::span<const std::int64_t> dims);
  /// `rank` extents, all `value`.
  static Shape filled(std::int64_t rank, std::int64_t value);

  std::int64_t rank() const { return rank_; }
  std::int64_t operator[](std::int64_t i) const { return dims_[static_cast<std::size_t>(i)]; }
  std::int64_t& operator[](std::int64_t i) { return dims_[static_cast<std::size_t>(i)]; }
  std::int64_t back() const { return dims_[static_cast<std::size_t>(rank_ - 1)]; }
  const std::int64_t* begin() const { return dims_.data(); }
  const std::int64_t* end() const { return dims_.data() + rank_; }

  /// The product of all extents; 1 for rank 0.
  std::int64_t numel() const;
  void push_back(std::int64_t extent);
  /// The same without dimension i.
  Shape without(std::int64_t i) const;

  friend bool operator==(const Shape& a, const Shape& b);

 private:
  std::array<std::int64_t, kMaxRank> dims_{};
  std::int64_t rank_ = 0;
};

/// Which dimensions an op goes over: one (`1`), several (`{0, -1}`), or all of them (`{}`). Negative ones count from
/// the end.
class Dims {
 public:
  Dims() = default;
  Dims(std::int64_t dim) : dims_{dim} {}
  Dims(std::initializer_list<std::int64_t> dims) : dims_(dims) {}

  /// Bit i: whether dimension i of `rank` is among them. Throws "<op>: ..." for one out of range or named twice.
  std::uint32_t bits(const char* op, std::int64_t rank) const;

 private:
  Shape dims_;  // none: all
};

/// "[8, 64]"
std::ostream& operator<<(std::ostream& out, const Shape& shape);

/// Row-major strides in elements.
Shape contiguous_strides(const Shape& shape);

/// The shape that a and b broadcast to (aligned at the last dimension, as in NumPy); throws "<op>: ..." if they do not.
Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b);

/// `dim` counted from the end when negative; throws "<op>: ..." when out of range for `rank`.
std::int64_t normalize_dim(const char* op, std::int64_t dim, std::int64_t rank);

}  // namespace tk
