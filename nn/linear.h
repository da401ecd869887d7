#pragma once

#include <memory>
#include <string>

#include "nn/init.h"
#include "nn/packed_weights.h"
#include "nn/parameter.h"
#include "tensor/activation.h"

namespace tk {

/// y = x W^T + b: weight [out, in], bias [out], or none. Both begin uniform in (-1 / sqrt(in), 1 / sqrt(in)).
/// An int8 weight (Parameter::quantize) takes rows, of the CPU, without a graph. Without a graph, on the CPU, a weight
/// that no optimizer keeps is packed once for all calls (tensor/packed_weight.h).
struct Linear {
  Parameter weight;
  Parameter bias;  ///< undefined without one

  Linear() = default;
  Linear(std::int64_t in, std::int64_t out, bool has_bias = true, Init init = Init::kDefault);

  /// x [..., in].
  Variable operator()(const Variable& x) const;
  /// x W^T, for a caller that fuses the bias with what follows.
  Variable without_bias(const Variable& x) const;
  /// Through an activation; the layer has a bias.
  Variable activated(const Variable& x, Activation activation) const;
  /// Columns [begin, begin + n) of y alone.
  Variable columns(const Variable& x, std::int64_t begin, std::int64_t n) const;
  /// What products round their factors to.
  DType factor_dtype() const { return weight.is_quantized() ? DType::kInt8 : tk::factor_dtype(); }
  /// Whether products with rows like x, which have no graph, read a packed weight.
  bool is_packed_for(const Variable& x) const;
  /// That weight, with the bias or without; undefined where there is none.
  PackedMatrix packed(const Variable& x) const;
  PackedMatrix packed_without_bias(const Variable& x) const;
  void collect(ParameterList& list, const std::string& path);

 private:
  Variable times(const Variable& x, const Variable& some_weight, const Variable& some_bias, std::int64_t begin) const;

  PackedInt8Weight packed_int8(const Variable& x, std::int64_t begin, std::int64_t n) const;
  // Of rows begin to begin + n; one that serves nobody where x has a graph or the weight may change.
  PackedWeight packed_if_it_may_be(const Variable& x, std::int64_t begin, std::int64_t n) const;

  std::shared_ptr<PackedWeights> packed_ = std::make_shared<PackedWeights>();
};

}  // namespace tk
