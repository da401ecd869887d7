#include "tensor/tensor.h"

#include <algorithm>
#include <cstring>
#include <ostream>
#include <utility>

#include "tensor/backend.h"
#include "tensor/kernels.h"

namespace tk {

Tensor::Tensor(std::shared_ptr<Storage> storage, DType dtype, const Shape& shape, const Shape& strides,
               std::int64_t offset)
    : storage_(std::move(storage)),
      shape_(shape),
      strides_(strides),
      offset_(offset),
      numel_(shape.numel()),
      dtype_(dtype) {}

std::int64_t Tensor::size(std::int64_t i) const { return shape_[normalize_dim("size", i, rank())]; }

bool Tensor::is_contiguous() const {
  std::int64_t expected = 1;
  for (std::int64_t i = rank() - 1; i >= 0; --i) {
    if (shape_[i] == 1) continue;
    if (strides_[i] != expected) return numel_ == 0;
    expected *= shape_[i];
  }
  return true;
}

void* Tensor::raw_data() const {
  if (!storage_) return nullptr;
  return static_cast<std::byte*>(storage_->data()) + offset_ * size_of(dtype_);
}

void Tensor::refuse_dtype(DType asked) const {
  TK_CHECK(defined(), "data: the tensor is undefined");
  throw Error(concat("data: asked for ", asked, ", the tensor holds ", dtype_));
}

Tensor Tensor::transpose(std::int64_t a, std::int64_t b) const {
  a = normalize_dim("transpose", a, rank());
  b = normalize_dim("transpose", b, rank());
  Tensor view = *this;
  std::swap(view.shape_[a], view.shape_[b]);
  std::swap(view.strides_[a], view.strides_[b]);
  return view;
}

Tensor Tensor::permute(std::span<const std::int64_t> order) const {
  TK_CHECK(static_cast<std::int64_t>(order.size()) == rank(), "permute: expected ", rank(), " dimensions, got ",
           order.size());
  Tensor view = *this;
  Shape seen = Shape::filled(rank(), 0);
  for (std::int64_t i = 0; i < rank(); ++i) {
    const std::int64_t from = normalize_dim("permute", order[static_cast<std::size_t>(i)], rank());
    TK_CHECK(seen[from]++ == 0, "permute: dimension ", from, " is named twice");
    view.shape_[i] = shape_[from];
    view.strides_[i] = strides_[from];
  }
  return view;
}

Tensor Tensor::narrow(std::int64_t dim, std::int64_t start, std::int64_t length) const {
  dim = normalize_dim("narrow", dim, rank());
  TK_CHECK(start >= 0 && length >= 0 && start <= shape_[dim] - length, "narrow: ", length, " from ", start,
           " is out of range for dimension ", dim, " of size ", shape_[dim]);
  Tensor view = *this;
  view.shape_[dim] = length;
  view.offset_ += start * strides_[dim];
  view.numel_ = view.shape_.numel();
  return view;
}

Tensor Tensor::select(std::int64_t dim, std::int64_t index) const {
  dim = normalize_dim("select", dim, rank());
  TK_CHECK(0 <= index && index < shape_[dim], "select: index ", index, " is out of range for dimension ", dim,
           " of size ", shape_[dim]);
  Tensor view = narrow(dim, index, 1);
  view.shape_ = view.shape_.without(dim);
  view.strides_ = view.strides_.without(dim);
  return view;
}

Tensor Tensor::unsqueeze(std::int64_t dim) const {
  dim = normalize_dim("unsqueeze", dim, rank() + 1);
  Tensor view = *this;
  view.shape_ = view.strides_ = Shape();
  for (std::int64_t i = 0; i <= rank(); ++i) {
    if (i == dim) {
      view.shape_.push_back(1);
      view.strides_.push_back(1);
    }
    if (i < rank()) {
      view.shape_.push_back(shape_[i]);
      view.strides_.push_back(strides_[i]);
    }
  }
  return view;
}

Tensor Tensor::squeeze(std::int64_t dim) const {
  dim = normalize_dim("squeeze", dim, rank());
  TK_CHECK(shape_[dim] == 1, "squeeze: dimension ", dim, " has extent ", shape_[dim], ", expected 1");
  return select(dim, 0);
}

Tensor Tensor::expand(const Shape& shape) const {
  TK_CHECK(defined(), "expand: the tensor is undefined");
  TK_CHECK(broadcast_shapes("expand", shape_, shape) == shape, "expand: ", shape_, " does not expand to ", shape);
  Tensor view = *this;
  view.shape_ = shape;
  view.strides_ = Shape::filled(shape.rank(), 0);
  const std::int64_t added = shape.rank() - rank();
  for (std::int64_t i = 0; i < rank(); ++i) {
    view.strides_[i + added] = shape_[i] == shape[i + added] ? strides_[i] : 0;
  }
  view.numel_ = shape.numel();
  return view;
}

Tensor Tensor::reshape(Shape shape) const {
  const Shape asked = shape;
  std::int64_t known = 1;
  std::int64_t open = -1;
  for (std::int64_t i = 0; i < shape.rank(); ++i) {
    if (shape[i] == -1) {
      TK_CHECK(open == -1, "reshape: more than one extent is -1 in ", asked);
      open = i;
    } else {
      TK_CHECK(shape[i] >= 0, "reshape: ", shape_, " does not fit ", asked);
      known *= shape[i];
    }
  }
  if (open >= 0) shape[open] = known > 0 ? numel_ / known : 0;
  TK_CHECK(shape.numel() == numel_, "reshape: ", shape_, " does not fit ", asked);
  Tensor view = contiguous();
  view.shape_ = shape;
  view.strides_ = contiguous_strides(shape);
  return view;
}

Tensor Tensor::contiguous() const { return is_contiguous() ? *this : clone(); }

Tensor Tensor::clone() const {
  TK_CHECK(defined(), "clone: the tensor is undefined");
  Tensor copy = empty(shape_, dtype_, device());
  copy.copy_from(*this);
  return copy;
}

void Tensor::copy_from(const Tensor& source) const {
  TK_CHECK(defined() && source.defined(), "copy_from: the tensor is undefined");
  const bool same_bytes = source.shape() == shape_ && source.dtype() == dtype_ && is_contiguous();
  if (source.device() == Device::kCpu && device() != Device::kCpu && same_bytes) {
    const Tensor from = source.contiguous();
    if (numel_ > 0) backend(device()).copy_in(raw_data(), from.raw_data(), bytes());
    bump_version();
  } else {
    Tensor target = *this;
    copy_kernel(device(), target, source.expand(shape_).to(device()));
  }
}

Tensor Tensor::to(Device device) const {
  if (!defined() || device == this->device()) return *this;
  const Tensor from = contiguous();
  const Tensor moved = empty(shape_, dtype_, device);
  if (numel_ == 0) return moved;
  if (device == Device::kCpu) {
    backend(from.device()).copy_out(moved.raw_data(), from.raw_data(), bytes());
  } else {
    TK_CHECK(from.device() == Device::kCpu, "to: no way from ", from.device(), " to ", device);
    backend(device).copy_in(moved.raw_data(), from.raw_data(), bytes());
  }
  return moved;
}

Tensor Tensor::to(DType dtype) const {
  if (dtype == dtype_) return *this;
  Tensor converted = empty(shape_, dtype, device());
  converted.copy_from(*this);
  return converted;
}

void Tensor::fill(double value) const {
  Tensor target = *this;
  fill_kernel(device(), target, value);
}

template <class T>
std::vector<T> Tensor::to_vector() const {
  const Tensor source = contiguous().to(Device::kCpu);
  const T* first = source.data<T>();
  return std::vector<T>(first, first + numel_);
}

double Tensor::item() const {
  TK_CHECK(numel_ == 1, "item: expected exactly one element, got shape ", shape_);
  return contiguous().to(Device::kCpu).to(DType::kFloat64).data<double>()[0];
}

std::int64_t checked_bytes(const Shape& shape, DType dtype) {
  std::int64_t bytes = size_of(dtype);
  for (const std::int64_t extent : shape) {
    TK_CHECK(extent >= 0, "tensor: negative extent in shape ", shape);
    TK_CHECK(!__builtin_mul_overflow(bytes, extent, &bytes), "tensor: shape ", shape, " is too large");
  }
  return bytes;
}

Tensor empty(const Shape& shape, DType dtype, Device device) {
  auto storage = std::make_shared<Storage>(device, checked_bytes(shape, dtype));
  return Tensor(std::move(storage), dtype, shape, contiguous_strides(shape), 0);
}

Tensor empty_like(const Tensor& x) { return empty(x.shape(), x.dtype(), x.device()); }

Tensor zeros(const Shape& shape, DType dtype, Device device) { return full(shape, 0, dtype, device); }

Tensor ones(const Shape& shape, DType dtype, Device device) { return full(shape, 1, dtype, device); }

Tensor zeros_like(const Tensor& x) { return zeros(x.shape(), x.dtype(), x.device()); }

Tensor full(const Shape& shape, double value, DType dtype, Device device) {
  Tensor x = empty(shape, dtype, device);
  fill_kernel(device, x, value);
  return x;
}

Tensor arange(std::int64_t n, DType dtype, Device device) {
  Tensor x = empty({n}, dtype, device);
  arange_kernel(device, x);
  return x;
}

template <class T>
Tensor from_values(std::span<const T> values, const Shape& shape, Device device) {
  TK_CHECK(shape.numel() == static_cast<std::int64_t>(values.size()), "from_values: shape ", shape, " needs ",
           shape.numel(), " values, got ", values.size());
  Tensor x = empty(shape, dtype_of<T>);
  if (!values.empty()) std::memcpy(x.raw_data(), values.data(), values.size_bytes());
  return x.to(device);
}

Tensor from_blob(void* data, const Shape& shape, DType dtype, std::shared_ptr<const void> owner) {
  auto storage = std::make_shared<Storage>(Device::kCpu, data, checked_bytes(shape, dtype), std::move(owner));
  return Tensor(std::move(storage), dtype, shape, contiguous_strides(shape), 0);
}

std::ostream& operator<<(std::ostream& out, const Tensor& x) {
  if (!x.defined()) return out << "tensor(undefined)";
  constexpr std::int64_t kShown = 6;
  out << "tensor(" << x.dtype() << ' ' << x.shape() << ':';
  const std::vector<double> values = x.to(DType::kFloat64).to_vector<double>();
  for (std::int64_t i = 0; i < std::min(kShown, x.numel()); ++i) out << ' ' << values[static_cast<std::size_t>(i)];
  return out << (x.numel() > kShown ? " ...)" : ")");
}

// std::vector<bool> packs bits, so bool tensors are read through a byte-wise copy.
template <>
std::vector<bool> Tensor::to_vector<bool>() const {
  const Tensor source = contiguous().to(Device::kCpu);
  const bool* first = source.data<bool>();
  return std::vector<bool>(first, first + numel_);
}
template std::vector<std::int8_t> Tensor::to_vector() const;
template std::vector<std::int32_t> Tensor::to_vector() const;
template std::vector<std::int64_t> Tensor::to_vector() const;
template std::vector<BFloat16> Tensor::to_vector() const;
template std::vector<float> Tensor::to_vector() const;
template std::vector<double> Tensor::to_vector() const;

template Tensor from_values(std::span<const bool>, const Shape&, Device);
template Tensor from_values(std::span<const std::int32_t>, const Shape&, Device);
template Tensor from_values(std::span<const std::int64_t>, const Shape&, Device);
template Tensor from_values(std::span<const BFloat16>, const Shape&, Device);
template Tensor from_values(std::span<const float>, const Shape&, Device);
template Tensor from_values(std::span<const double>, const Shape&, Device);

}  // namespace tk
