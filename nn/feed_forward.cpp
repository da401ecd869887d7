#include "nn/feed_forward.h"

#include "autograd/ops/bias_activation.h"
#include "autograd/ops/residual_dropout_layer_norm.h"

namespace tk {

FeedForward::FeedForward(const FeedForwardOptions& options)
    : intermediate(options.hidden, options.intermediate, true, Init::kZeros),
      output(options.intermediate, options.hidden, true, Init::kZeros),
      norm(options.hidden, options.layer_norm_epsilon),
      options_(options) {}

Variable FeedForward::operator()(const Variable& y, const Packed& rows, const Variable& scale,
                                 const Context& context) const {
  const Variable inner = bias_activation(intermediate.without_bias(y), intermediate.bias, options_.activation);
  const DropoutKey dropout =
      context.dropout(options_.hidden_dropout, rows, {Purpose::kHiddenDropout, options_.layer, 1});
  return residual_dropout_layer_norm(output.without_bias(inner), output.bias, y, scale, norm.weight, norm.bias,
                                     norm.epsilon, dropout);
}

void FeedForward::collect(ParameterList& list, const std::string& layer_path, const FeedForwardNames& names) {
  const std::string path = layer_path + '.';
  intermediate.collect(list, path + names.intermediate);
  output.collect(list, path + names.output);
  norm.collect(list, path + names.norm);
}

}  // namespace tk
