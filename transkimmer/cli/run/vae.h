#pragma once

#include <vector>

#include "nn/linear.h"
#include "transkimmer/cli/run/latents.h"

namespace tk {

struct VaeShape {
  Latents latents;
  std::int64_t pixels = 0;
  std::vector<std::int64_t> hidden;  ///< of the encoder; the decoder has them in reverse
};

/// A variational autoencoder (Kingma and Welling, arXiv 1312.6114) with discrete latents: an encoder of ReLU layers
/// gives the parameters of the latents' law, the decoder reads what is drawn and gives each pixel's Bernoulli logit.
/// Images x [rows, pixels] lie between 0 and 1: -log p(x|D) is the cross-entropy with them. Counts have a learnt prior,
/// which begins with a logit of 0, or a rate of 1.
class Vae {
 public:
  /// Its weights begin with the thread's next numbers (manual_seed).
  Vae(const VaeShape& shape, Device device);
  Vae(const Vae&) = delete;
  Vae& operator=(const Vae&) = delete;

  const Latents& latents() const { return latents_; }
  ParameterList parameters();
  /// The latents' parameters.
  Variable encode(const Tensor& x) const;
  /// -log p(x | drawn), [rows], in nats.
  Variable distortion(const Tensor& x, const Variable& drawn) const;
  Variable divergence(const Variable& parameters) const;
  /// An estimate of -ELBO for each row: its gradient is that of the surrogate, latents().surrogate(...).
  Variable loss(const Surrogate& surrogate, const Tensor& x, const Draws& draws) const;
  /// The ELBO of each row, from one draw of the latents' law itself.
  Tensor elbo(const Tensor& x, const Draws& draws) const;

 private:
  Latents latents_;
  std::vector<Linear> encoder_, decoder_;
  Parameter prior_;
};

}  // namespace tk
