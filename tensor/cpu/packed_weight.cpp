#include "tensor/packed_weight.h"

#include "tensor/cpu/gemm_int8.h"
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

bool PackedWeight::serve() { return cpu::tile_products() != nullptr; }

bool PackedWeight::serves() const { return tiles_ != nullptr && tiles_ == cpu::tile_products(); }

PackedInt8Weight::PackedInt8Weight(const QuantizedRows& weight) {
  const Tensor& w = weight.values;
  TK_CHECK(w.device() == Device::kCpu && w.dtype() == DType::kInt8 && w.rank() == 2 && w.shape()[1] <= cpu::kMostDepth,
           "packed weight: expected an int8 matrix on the cpu of at most ", cpu::kMostDepth, " columns, got ",
           w.dtype(), ' ', w.shape(), " on ", w.device());
  const Shape expected{w.shape()[0], 1};
  TK_CHECK(weight.scale.dtype() == DType::kFloat32 && weight.scale.shape() == expected,
           "packed weight: expected float32 scales [", w.shape()[0], ", 1], got ", weight.scale.dtype(), ' ',
           weight.scale.shape());
  in_ = w.shape()[1];
  scale_ = weight.scale.clone();
  const std::int64_t out = cpu::padded(w.shape()[0], cpu::kPanelCols);
  panels_ = empty({out * cpu::padded(in_, cpu::kDepthUnit)}, DType::kInt8);
  start_ = empty({out}, DType::kInt32);
  pack_int8_weight_kernel(Device::kCpu, panels_, start_, w.contiguous());
}

}  // namespace tk
