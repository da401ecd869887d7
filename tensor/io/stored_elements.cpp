#include "tensor/io/stored_elements.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <vector>

#include "tensor/error.h"
#include "tensor/io/float16.h"
#include "tensor/io/in_quotes.h"
#include "tensor/io/input_file.h"

namespace tk {
namespace {

static_assert(std::endian::native == std::endian::little, "elements are used as they lie in the file");

struct StoredType {
  std::string_view name;
  DType dtype;
};

// The dtypes of files that are dtypes of tensors too.
constexpr StoredType kStoredTypes[] = {{"BOOL", DType::kBool},  {"I8", DType::kInt8},       {"I32", DType::kInt32},
                                       {"I64", DType::kInt64},  {"BF16", DType::kBFloat16}, {"F32", DType::kFloat32},
                                       {"F64", DType::kFloat64}};

Tensor stored(const InputFile& file, std::int64_t begin, const Shape& shape, DType dtype) {
  const Tensor x = empty(shape, dtype);
  file.read(begin, {static_cast<std::byte*>(x.raw_data()), static_cast<std::size_t>(x.bytes())});
  return x;
}

// Each element of type `From` in the file turned into a `To`.
template <class To, class From, class F>
Tensor converted(const InputFile& file, std::int64_t begin, const Shape& shape, F&& convert) {
  const Tensor x = empty(shape, dtype_of<To>);
  std::vector<From> elements(static_cast<std::size_t>(x.numel()));
  file.read(begin, std::as_writable_bytes(std::span(elements)));
  std::ranges::transform(elements, x.data<To>(), convert);
  return x;
}

}  // namespace

std::string_view stored_name(DType dtype) { return std::ranges::find(kStoredTypes, dtype, &StoredType::dtype)->name; }

DType stored_dtype(std::string_view name) { return std::ranges::find(kStoredTypes, name, &StoredType::name)->dtype; }

Tensor read_elements(const InputFile& file, std::int64_t begin, std::span<const std::int64_t> extents,
                     std::string_view dtype, std::string_view tensor) {
  TK_CHECK(std::ssize(extents) <= Shape::kMaxRank, file.path(), ": tensor ", in_quotes(tensor), " has ", extents.size(),
           " dimensions, at most ", Shape::kMaxRank, " are supported");
  const Shape shape{extents};
  if (dtype == "F16") return converted<float, Float16>(file, begin, shape, [](Float16 x) { return float(x); });
  if (dtype == "U8") return converted<std::int32_t, std::uint8_t>(file, begin, shape, std::identity());
  if (dtype == "BOOL") return converted<bool, std::uint8_t>(file, begin, shape, [](auto x) { return x != 0; });
  const auto* found = std::ranges::find(kStoredTypes, dtype, &StoredType::name);
  TK_CHECK(found != std::end(kStoredTypes), file.path(), ": tensor ", in_quotes(tensor), " has dtype ", dtype,
           ", which cannot be loaded; supported: F64, F32, F16, BF16, I64, I32, I8, U8, BOOL");
  return stored(file, begin, shape, found->dtype);
}

}  // namespace tk
