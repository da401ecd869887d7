#include "nn/feed_forward.h"

#include "autograd/ops/residual_dropout_layer_norm.h"
#include "tensor/ops/index.h"
#include "tensor/ops/residual_branch.h"

namespace tk {

FeedForward::FeedForward(const FeedForwardOptions& options)
    : intermediate(options.hidden, options.intermediate, true, options.init),
      output(options.intermediate, options.hidden, true, options.init),
      norm(options.hidden, options.layer_norm_epsilon),
      options_(options) {}

Variable FeedForward::operator()(const Variable& y, const Packed& rows, const Variable& scale,
                                 const Context& context) const {
  const DropoutKey dropout =
      context.dropout(options_.hidden_dropout, rows, {Purpose::kHiddenDropout, options_.layer, 1});
  if (const std::optional<ResidualBranch> branch = packed(y); branch && !scale.defined() && dropout.p == 0) {
    const Tensor out = empty_like(y.value());
    residual_branch_into(out, y.value(), Tensor(), Tensor(), *branch);
    return Variable(out);
  }
  const Variable inner = intermediate.activated(y, options_.activation);
  return residual_dropout_layer_norm(output.without_bias(inner), output.bias, y, scale, norm.weight, norm.bias,
                                     norm.epsilon, dropout);
}

void FeedForward::update(const Tensor& y, const Kept& some, const Context& context) const {
  if (const std::optional<ResidualBranch> branch = packed(Variable(y))) {
    return residual_branch_into(y, y, some.rows, Tensor(), *branch);
  }
  const Variable rows(index_select(y, some.rows));
  index_copy_to(y, some.rows, (*this)(rows, some.packed, Variable(), context).value());
}

std::optional<ResidualBranch> FeedForward::packed(const Variable& y) const {
  const PackedMatrix first = intermediate.packed(y), last = output.packed_without_bias(y);
  if (!first.defined() || !last.defined()) return std::nullopt;
  return ResidualBranch{
      .inner = first, .activation = options_.activation, .last = last, .norm = norm.of_residual(output.bias)};
}

void FeedForward::collect(ParameterList& list, const std::string& layer_path, const FeedForwardNames& names) {
  const std::string path = layer_path + '.';
  intermediate.collect(list, path + names.intermediate);
  output.collect(list, path + names.output);
  norm.collect(list, path + names.norm);
}

}  // namespace tk
