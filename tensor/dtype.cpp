#include "tensor/dtype.h"

#include <array>
#include <ostream>

namespace tk {
namespace {

struct DTypeInfo {
  DType dtype;
  const char* name;
  std::int64_t size;
};

constexpr std::array<DTypeInfo, 7> kDTypes = {{{DType::kBool, "bool", 1},
                                               {DType::kInt8, "int8", 1},
                                               {DType::kInt32, "int32", 4},
                                               {DType::kInt64, "int64", 8},
                                               {DType::kBFloat16, "bfloat16", 2},
                                               {DType::kFloat32, "float32", 4},
                                               {DType::kFloat64, "float64", 8}}};

const DTypeInfo& info(DType dtype) { return kDTypes[static_cast<std::size_t>(dtype)]; }

}  // namespace

std::int64_t size_of(DType dtype) { return info(dtype).size; }

const char* name(DType dtype) { return info(dtype).name; }

bool is_floating(DType dtype) {
  return dtype == DType::kBFloat16 || dtype == DType::kFloat32 || dtype == DType::kFloat64;
}

std::ostream& operator<<(std::ostream& out, DType dtype) { return out << name(dtype); }

DType dtype_from_name(std::string_view name) {
  std::string known;
  for (const DTypeInfo& entry : kDTypes) {
    if (name == entry.name) return entry.dtype;
    known += known.empty() ? entry.name : std::string(", ") + entry.name;
  }
  throw Error(concat("dtype: unknown name \"", name, "\"; known: ", known));
}

}  // namespace tk
