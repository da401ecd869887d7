#pragma once

#include <optional>
#include <string>

#include "nn/context.h"
#include "nn/layer_names.h"
#include "nn/layer_norm.h"
#include "nn/linear.h"
#include "tensor/activation.h"

namespace tk {

struct FeedForwardOptions {
  std::int64_t hidden = 0;
  std::int64_t intermediate = 0;
  Activation activation = Activation::kGelu;
  double layer_norm_epsilon = 1e-12;
  double hidden_dropout = 0;
  std::uint8_t layer = 0;
  Init init = Init::kZeros;  ///< of the weights
};

/// The second half of an encoder layer: LN(y + scale * dropout(W_2 f(W_1 y + b_1) + b_2)), f the
/// activation. Weights begin as zeros: a model draws or loads them.
class FeedForward {
 public:
  FeedForward() = default;
  explicit FeedForward(const FeedForwardOptions& options);

  /// y [rows, hidden]; scale [rows] may be undefined (1).
  Variable operator()(const Variable& y, const Packed& rows, const Variable& scale, const Context& context) const;
  /// In evaluation, some rows of y where they lie: what operator() makes of them. None is a dummy on the CPU.
  void update(const Tensor& y, const Kept& some, const Context& context) const;
  void collect(ParameterList& list, const std::string& layer_path, const FeedForwardNames& names);

  Linear intermediate;
  Linear output;
  LayerNorm norm;

 private:
  // For rows like y, where there are packed weights.
  std::optional<ResidualBranch> packed(const Variable& y) const;

  FeedForwardOptions options_;
};

}  // namespace tk
