#include "tensor/precision.h"

#include "tensor/cpu_isa.h"
#include "tensor/error.h"

namespace tk {
namespace {

thread_local ProductPrecision current = ProductPrecision::kFloat32;

}  // namespace

ProductPrecision product_precision() { return current; }

WithProductPrecision::WithProductPrecision(ProductPrecision precision) : before_(current) { current = precision; }

WithProductPrecision::~WithProductPrecision() { current = before_; }

DType factor_dtype() { return product_precision() == ProductPrecision::kBFloat16 ? DType::kBFloat16 : DType::kFloat32; }

bool products_outrun_memory(DType dtype) {
  return dtype == DType::kInt8 || (dtype == DType::kBFloat16 && cpu_isa() >= CpuIsa::kAmx);
}

DType activation_dtype(Device device, DType dtype) { return device == Device::kCpu ? DType::kFloat32 : dtype; }

ProductPrecision precision_of(Device device, DType dtype) {
  const bool rounds = device == Device::kCpu && dtype == DType::kBFloat16;
  return rounds ? ProductPrecision::kBFloat16 : ProductPrecision::kFloat32;
}

void check_computes_in(const char* what, Device device, DType dtype) {
  if (dtype == DType::kFloat32) return;
  if (dtype == DType::kInt8) {
    TK_CHECK(device == Device::kCpu, what, ": int8 is computed on the cpu alone, and this is ", device);
    return;
  }
  TK_CHECK(dtype == DType::kBFloat16, what, ": computes in float32, bfloat16 or int8, not in ", dtype);
  TK_CHECK(device != Device::kCpu || cpu_isa() >= CpuIsa::kAvx512Bf16, what,
           ": bfloat16 on the cpu takes AVX512_BF16 or AMX, and products run on ", name(cpu_isa()),
           "; compute in float32");
}

}  // namespace tk
