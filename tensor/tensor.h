#pragma once

#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <memory>
#include <span>
#include <vector>

#include "tensor/device.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"
#include "tensor/storage.h"

namespace tk {

/// A strided view of shared memory: a cheap value handle without gradients. Copies share elements. A default-made
/// tensor is undefined: it has no storage, and ops take it as "not given" where they say so.
class Tensor {
 public:
  Tensor() = default;
  Tensor(std::shared_ptr<Storage> storage, DType dtype, const Shape& shape, const Shape& strides, std::int64_t offset);

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  const Shape& strides() const { return strides_; }
  std::int64_t rank() const { return shape_.rank(); }
  /// The extent of dimension i, from the end when negative; throws when out of range.
  std::int64_t size(std::int64_t i) const;
  std::int64_t numel() const { return numel_; }
  std::int64_t bytes() const { return numel_ * size_of(dtype_); }
  DType dtype() const { return dtype_; }
  Device device() const { return storage_ ? storage_->device() : Device::kCpu; }
  bool is_contiguous() const;

  /// The first element, in the device's memory. Throws when T is not the tensor's element type, or the tensor is
  /// undefined.
  template <class T>
  T* data() const {
    if (storage_ == nullptr || dtype_ != dtype_of<T>) refuse_dtype(dtype_of<T>);
    return static_cast<T*>(storage_->data()) + offset_;
  }
  void* raw_data() const;

  std::uint64_t version() const { return storage_ ? storage_->version() : 0; }
  /// Says that the elements were written. Kernels and what is built on them do so; who writes through raw pointers
  /// calls it.
  void bump_version() const { storage_->bump_version(); }
  /// Whether no other tensor looks at the storage.
  bool is_unshared() const { return storage_.use_count() == 1; }
  bool shares_storage(const Tensor& other) const { return storage_ && storage_ == other.storage_; }

  // Views: no element is copied.
  /// Swaps two dimensions.
  Tensor transpose(std::int64_t a, std::int64_t b) const;
  /// Reorders all dimensions.
  Tensor permute(std::span<const std::int64_t> order) const;
  Tensor permute(std::initializer_list<std::int64_t> order) const {
    return permute(std::span(order.begin(), order.size()));
  }
  /// `length` entries of dimension `dim` from `start` on.
  Tensor narrow(std::int64_t dim, std::int64_t start, std::int64_t length) const;
  /// Entry `index` of dimension `dim`, which disappears.
  Tensor select(std::int64_t dim, std::int64_t index) const;
  /// Entry i of dimension 0: select(0, i).
  Tensor operator[](std::int64_t i) const { return select(0, i); }
  Tensor unsqueeze(std::int64_t dim) const;
  Tensor squeeze(std::int64_t dim) const;
  /// Repeats dimensions of extent 1 (and new leading ones) by stride 0.
  Tensor expand(const Shape& shape) const;
  /// Other extents with the same number of elements (one may be -1); a view if contiguous, else of a copy.
  Tensor reshape(Shape shape) const;

  /// *this if it is contiguous, else a contiguous copy.
  Tensor contiguous() const;
  /// A contiguous copy.
  Tensor clone() const;
  /// Copies the elements of `source` here, broadcast, converted and moved between devices as needed.
  void copy_from(const Tensor& source) const;
  /// *this if it has that dtype, else a converted copy. Floats become integers by truncation, and bool by != 0.
  Tensor to(DType dtype) const;
  /// *this if it lies on that device, else a contiguous copy there.
  Tensor to(Device device) const;
  /// Sets every element.
  void fill(double value) const;

  /// All elements in row-major order; T must be the element type.
  template <class T>
  std::vector<T> to_vector() const;
  /// The only element, as double; throws when there is not exactly one.
  double item() const;

 private:
  [[noreturn]] void refuse_dtype(DType asked) const;

  std::shared_ptr<Storage> storage_;
  Shape shape_;
  Shape strides_;  // in elements
  std::int64_t offset_ = 0;
  std::int64_t numel_ = 0;
  DType dtype_ = DType::kFloat32;
};

using Tensors = std::vector<Tensor>;

/// Uninitialised elements. Throws when an extent is negative or the byte count overflows.
Tensor empty(const Shape& shape, DType dtype = DType::kFloat32, Device device = Device::kCpu);
Tensor empty_like(const Tensor& x);
Tensor zeros(const Shape& shape, DType dtype = DType::kFloat32, Device device = Device::kCpu);
Tensor zeros_like(const Tensor& x);
Tensor ones(const Shape& shape, DType dtype = DType::kFloat32, Device device = Device::kCpu);
Tensor full(const Shape& shape, double value, DType dtype = DType::kFloat32, Device device = Device::kCpu);
/// 0, 1, ..., n - 1.
Tensor arange(std::int64_t n, DType dtype = DType::kInt32, Device device = Device::kCpu);
/// A copy of the values in row-major order; throws when their number is not the shape's.
template <class T>
Tensor from_values(std::span<const T> values, const Shape& shape, Device device = Device::kCpu);
template <class T>
Tensor from_values(const std::vector<T>& values, const Shape& shape, Device device = Device::kCpu) {
  return from_values(std::span<const T>(values), shape, device);
}
/// A rank-1 tensor.
template <class T>
Tensor from_values(const std::vector<T>& values) {
  return from_values(std::span<const T>(values), {static_cast<std::int64_t>(values.size())});
}
/// A tensor over memory that `owner` keeps alive, such as a mapped file. Treat it as read-only if the memory is.
Tensor from_blob(void* data, const Shape& shape, DType dtype, std::shared_ptr<const void> owner);

/// The byte count of such a tensor; throws when an extent is negative or the product overflows 64 bits.
std::int64_t checked_bytes(const Shape& shape, DType dtype);

/// Shape, dtype and up to a few elements a dimension, for error messages and a debugger.
std::ostream& operator<<(std::ostream& out, const Tensor& x);

}  // namespace tk
