#include "nn/feed_forward.h"

#include "autograd/ops/residual_dropout_layer_norm.h"

namespace tk {

FeedForward::FeedForward(const FeedForwardOptions& options)
    : intermediate(options.hidden, options.intermediate, true, options.init),
      output(options.intermediate, options.hidden, true, options.init),
      norm(options.hidden, options.layer_norm_epsilon),
      options_(options) {}

Variable FeedForward::operator()(const Variable& y, const Packed& rows, const Variable& scale,
                                 const Context& context) const {
  const Variable inner = intermediate.activated(y, options_.activation);
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
