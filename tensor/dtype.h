#pragma once

#include <cstdint>
#include <iosfwd>
#include <string_view>

#include "tensor/bfloat16.h"
#include "tensor/error.h"

namespace tk {

enum class DType : std::uint8_t { kBool, kInt8, kInt32, kInt64, kBFloat16, kFloat32, kFloat64 };

/// Bytes of one element.
std::int64_t size_of(DType dtype);
const char* name(DType dtype);
bool is_floating(DType dtype);
/// The dtype of what belongs to a row or a column (a bias, gamma, mean, ...) of activations of dtype `x`: float32
/// beside bfloat16, else the same.
inline DType row_dtype(DType x) { return x == DType::kBFloat16 ? DType::kFloat32 : x; }
std::ostream& operator<<(std::ostream& out, DType dtype);

/// The dtype called `name` ("float32", "bfloat16", ...); throws tk::Error that lists the known names.
DType dtype_from_name(std::string_view name);

template <class T>
struct DTypeOf;
template <>
struct DTypeOf<bool> {
  static constexpr DType value = DType::kBool;
};
template <>
struct DTypeOf<std::int8_t> {
  static constexpr DType value = DType::kInt8;
};
template <>
struct DTypeOf<std::int32_t> {
  static constexpr DType value = DType::kInt32;
};
template <>
struct DTypeOf<std::int64_t> {
  static constexpr DType value = DType::kInt64;
};
template <>
struct DTypeOf<BFloat16> {
  static constexpr DType value = DType::kBFloat16;
};
template <>
struct DTypeOf<float> {
  static constexpr DType value = DType::kFloat32;
};
template <>
struct DTypeOf<double> {
  static constexpr DType value = DType::kFloat64;
};
template <class T>
inline constexpr DType dtype_of = DTypeOf<T>::value;

template <class T>
struct Compute {
  using type = T;
};
template <>
struct Compute<BFloat16> {
  using type = float;
};
/// What elements of type T are computed in: that of the row_dtype.
template <class T>
using compute_t = typename Compute<T>::type;

/// Calls f.template operator()<T>() with the element type of `dtype`.
template <class F>
decltype(auto) dispatch_all(DType dtype, F&& f) {
  switch (dtype) {
    case DType::kBool:
      return f.template operator()<bool>();
    case DType::kInt8:
      return f.template operator()<std::int8_t>();
    case DType::kInt32:
      return f.template operator()<std::int32_t>();
    case DType::kInt64:
      return f.template operator()<std::int64_t>();
    case DType::kBFloat16:
      return f.template operator()<BFloat16>();
    case DType::kFloat32:
      return f.template operator()<float>();
    case DType::kFloat64:
      break;
  }
  return f.template operator()<double>();
}

/// Calls f.template operator()<U>() with an unsigned type as wide as an element of `dtype`: for what moves elements.
template <class F>
decltype(auto) dispatch_width(DType dtype, F&& f) {
  switch (size_of(dtype)) {
    case 1:
      return f.template operator()<std::uint8_t>();
    case 2:
      return f.template operator()<std::uint16_t>();
    case 4:
      return f.template operator()<std::uint32_t>();
    default:
      return f.template operator()<std::uint64_t>();
  }
}

/// Calls f.template operator()<T>() for the types that arithmetic runs in: float32 and float64. Throws "<op>: ..." for
/// any other.
template <class F>
decltype(auto) dispatch_floating(DType dtype, const char* op, F&& f) {
  TK_CHECK(dtype == DType::kFloat32 || dtype == DType::kFloat64, op, ": expected float32 or float64, got ", dtype);
  if (dtype == DType::kFloat32) return f.template operator()<float>();
  return f.template operator()<double>();
}

/// The same for index types: int32 and int64.
template <class F>
decltype(auto) dispatch_index(DType dtype, const char* op, F&& f) {
  TK_CHECK(dtype == DType::kInt32 || dtype == DType::kInt64, op, ": expected int32 or int64 indices, got ", dtype);
  if (dtype == DType::kInt32) return f.template operator()<std::int32_t>();
  return f.template operator()<std::int64_t>();
}

}  // namespace tk
