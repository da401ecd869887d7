#pragma once

#include <cstdint>

#include "tensor/device.h"
#include "tensor/dtype.h"

namespace tk {

/// What the factors of the CPU's float32 products are rounded to before they are multiplied. Sums, and everything that
/// is no product of matrices, are float32 either way.
enum class ProductPrecision : std::uint8_t { kFloat32, kBFloat16 };

/// Of the products that the calling thread asks for; float32 at the start. A backward computes in the precision in
/// which its op was recorded.
ProductPrecision product_precision();

/// The calling thread's precision as long as it lives. A product throws tk::Error where cpu_isa() has none of bfloat16.
class WithProductPrecision {
 public:
  explicit WithProductPrecision(ProductPrecision precision);
  ~WithProductPrecision();
  WithProductPrecision(const WithProductPrecision&) = delete;
  WithProductPrecision& operator=(const WithProductPrecision&) = delete;

 private:
  ProductPrecision before_;
};

/// What the factors of the calling thread's products with a weight are rounded to, if that is not int8.
DType factor_dtype();
/// Whether products of the CPU with weights in a dtype, int8 or bfloat16 by AMX, are so fast that they wait for memory:
/// then what lies between them should stay in a cache, and what replaces a product costs more than it.
bool products_outrun_memory(DType dtype);

/// How a model is computed in a dtype there: on the CPU bfloat16 and int8 round the factors of products alone, and
/// activations are float32.
DType activation_dtype(Device device, DType dtype);
ProductPrecision precision_of(Device device, DType dtype);
/// Throws, in the name of `what`, unless models are computed in this dtype there: float32 everywhere; bfloat16 on CUDA,
/// and on the CPU where cpu_isa() has products of it; int8 on the CPU, inference alone.
void check_computes_in(const char* what, Device device, DType dtype);

}  // namespace tk
