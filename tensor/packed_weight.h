#pragma once

#include "tensor/kernel_arguments.h"
#include "tensor/ops/quantize.h"
#include "tensor/tensor.h"

namespace tk {

namespace cpu {
struct TileProducts;
}

/// A weight [out, in] of linear layers in the order in which products of the CPU read it. A product packs the weight
/// that it is given, which takes as long as some dozens of rows; one that is packed once serves many products. It is of
/// the product_precision() and the cpu_isa() of its making: factors of bfloat16 take half of the memory.
class PackedWeight {
 public:
  PackedWeight() = default;
  /// Of a float32 matrix on the CPU whose rows are contiguous; of nothing where BLAS computes the products.
  explicit PackedWeight(const Tensor& weight);

  /// Whether products that the calling thread asks for now can read such weights, made now.
  static bool serve();
  /// Whether they can read this one.
  bool serves() const;
  std::int64_t out() const { return out_; }
  std::int64_t in() const { return in_; }
  const Tensor& panels() const { return panels_; }
  std::int64_t bytes() const { return panels_.defined() ? panels_.bytes() : 0; }
  /// Without a bias.
  PackedMatrix matrix() const {
    return {.panels = panels_, .start = {}, .scale = {}, .bias = {}, .out = out_, .in = in_};
  }

 private:
  const cpu::TileProducts* tiles_ = nullptr;
  std::int64_t out_ = 0, in_ = 0;
  Tensor panels_;
};

/// The same of an int8 weight, for products on any instruction set (tensor/cpu/gemm_int8.h).
class PackedInt8Weight {
 public:
  PackedInt8Weight() = default;
  /// Throws for more than 65536 columns, whose sums int32 may not hold.
  explicit PackedInt8Weight(const QuantizedRows& weight);

  std::int64_t out() const { return scale_.numel(); }
  std::int64_t in() const { return in_; }
  const Tensor& panels() const { return panels_; }
  const Tensor& start() const { return start_; }
  const Tensor& scale() const { return scale_; }
  std::int64_t bytes() const { return panels_.bytes() + start_.bytes() + scale_.bytes(); }
  PackedMatrix matrix() const {
    return {.panels = panels_, .start = start_, .scale = scale_, .bias = {}, .out = out(), .in = in_};
  }

 private:
  std::int64_t in_ = 0;
  Tensor panels_, start_, scale_;
};

}  // namespace tk
