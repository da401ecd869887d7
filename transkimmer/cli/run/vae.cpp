#include "transkimmer/cli/run/vae.h"

#include <algorithm>

#include "autograd/grad_mode.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "tensor/ops/elementwise.h"

namespace tk {
namespace {

std::vector<Linear> layers_of(const std::vector<std::int64_t>& widths) {
  std::vector<Linear> layers;
  for (std::size_t i = 1; i < widths.size(); ++i) layers.emplace_back(widths[i - 1], widths[i]);
  return layers;
}

Variable through(const std::vector<Linear>& layers, Variable x) {
  for (std::size_t i = 0; i + 1 < layers.size(); ++i) x = layers[i].activated(x, Activation::kRelu);
  return layers.back()(x);
}

}  // namespace

Vae::Vae(const VaeShape& shape, Device device) : latents_(shape.latents), prior_({shape.latents.count}, false) {
  std::vector<std::int64_t> widths = {shape.pixels};
  widths.insert(widths.end(), shape.hidden.begin(), shape.hidden.end());
  widths.push_back(latents_.width());
  encoder_ = layers_of(widths);
  std::ranges::reverse(widths);
  decoder_ = layers_of(widths);
  for (const NamedParameter& named : parameters()) named.parameter->move_to(device);
}

ParameterList Vae::parameters() {
  ParameterList list;
  for (std::size_t i = 0; i < encoder_.size(); ++i) encoder_[i].collect(list, concat("encoder.", i));
  for (std::size_t i = 0; i < decoder_.size(); ++i) decoder_[i].collect(list, concat("decoder.", i));
  if (!latents_.is_categorical()) list.push_back({{"prior"}, &prior_});
  return list;
}

Variable Vae::encode(const Tensor& x) const { return latents_.parameters_of(through(encoder_, Variable(x))); }

Variable Vae::distortion(const Tensor& x, const Variable& drawn) const {
  const Variable logits = through(decoder_, drawn);
  return sum(softplus(logits) - logits * x, 1);
}

Variable Vae::divergence(const Variable& parameters) const { return latents_.divergence(parameters, prior_); }

Variable Vae::loss(const Surrogate& surrogate, const Tensor& x, const Draws& draws) const {
  const Variable parameters = encode(x);
  const auto cost = [&](const Variable& drawn) { return distortion(x, drawn); };
  return surrogate(cost, parameters, draws) + divergence(parameters);
}

Tensor Vae::elbo(const Tensor& x, const Draws& draws) const {
  const NoGrad no_grad;
  const Variable parameters = encode(x);
  const Variable drawn(latents_.draw(parameters.value(), draws));
  return neg((distortion(x, drawn) + divergence(parameters)).value());
}

}  // namespace tk
