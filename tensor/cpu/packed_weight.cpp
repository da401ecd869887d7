#include "tensor/packed_weight.h"

#include "tensor/cpu/gemm_tiles.h"
#include "tensor/kernels.h"
#include "tensor/ops/row_major.h"

namespace tk {

PackedWeight::PackedWeight(const Tensor& weight) : tiles_(cpu::tile_products()) {
  TK_CHECK(weight.device() == Device::kCpu && weight.dtype() == DType::kFloat32 && weight.rank() == 2,
           "packed weight: expected a float32 matrix on the cpu, got ", weight.dtype(), ' ', weight.shape(), " on ",
           weight.device());
  if (tiles_ == nullptr) return;
  out_ = weight.shape()[0];
  in_ = weight.shape()[1];
  panels_ = empty({tiles_->packed_size(in_, out_)});
  pack_weight_kernel(Device::kCpu, panels_, row_major(weight));
}

bool PackedWeight::serves() const { return tiles_ != nullptr && tiles_ == cpu::tile_products(); }

}  // namespace tk
