#include "transkimmer/cli/run/latents.h"

#include <cmath>

#include "autograd/estimators/enumeration.h"
#include "autograd/estimators/least_norm.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"
#include "autograd/ops/softmax.h"
#include "tensor/ops/cumsum.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/gate.h"
#include "tensor/ops/reduce.h"

namespace tk {
namespace {

constexpr double kLeastLogRate = -8;
constexpr std::int64_t kMostStatesOfExact = 256;  // it keeps the graph of every state

// Gumbel, or logistic, numbers of each latent, [rows, latents, values].
Tensor gumbel_of(const Latents& latents, const Tensor& parameters, const Draws& draws) {
  return gumbel_noise(draws.key(0), latents.count * latents.values, parameters.dtype())
      .reshape({parameters.size(0), latents.count, latents.values});
}
Tensor logistic_of(const Latents& latents, const Tensor& parameters, const Draws& draws) {
  return logistic_noise(draws.key(0), latents.count * latents.values, parameters.dtype())
      .reshape({parameters.size(0), latents.count, latents.values});
}

// 0, 1, ... values - 1, made where they are needed: a recorded step copies nothing from the host.
Tensor counts_of(const Latents& latents, const Variable& like) {
  return arange(latents.values, DType::kInt32, like.device()).to(like.dtype());
}
// The logarithms of their factorials.
Tensor log_factorials(const Tensor& counts) {
  return cumsum(log(clamp(counts, 1, static_cast<double>(counts.numel()))), 0);
}

Surrogate least_norm_surrogate(const Latents& latents, int order) {
  return [latents, order](const Cost& cost, const Variable& parameters, const Draws& draws) {
    return cost(latents.kind == LatentKind::kBinomial
                    ? least_norm_binomial(parameters, logistic_of(latents, parameters.value(), draws), order)
                    : least_norm_poisson(parameters, gumbel_of(latents, parameters.value(), draws), order));
  };
}

Surrogate of_classes(const Latents& latents, const Surrogate& surrogate) {
  return [latents, surrogate](const Cost& cost, const Variable& logits, const Draws& draws) {
    const Shape flat{logits.size(0), latents.width()};
    return surrogate([&](const Variable& choices) { return cost(reshape(choices, flat)); }, logits, draws);
  };
}

Surrogate of_trials(const Latents& latents, const Surrogate& surrogate) {
  return [latents, surrogate](const Cost& cost, const Variable& logit, const Draws& draws) {
    const Shape trials{logit.size(0), latents.count, latents.values};
    const Variable nodes = reshape(expand(unsqueeze(logit, 2), trials), {trials[0], trials[1] * trials[2]});
    return surrogate([&](const Variable& choices) { return cost(sum(reshape(choices, trials), 2)); }, nodes, draws);
  };
}

Surrogate of_counts_as_classes(const Latents& latents, const Surrogate& surrogate) {
  return [latents, surrogate](const Cost& cost, const Variable& log_rate, const Draws& draws) {
    const Tensor counts = counts_of(latents, log_rate);
    const Variable logits = unsqueeze(log_rate, 2) * counts - log_factorials(counts);
    return surrogate([&](const Variable& choices) { return cost(sum(choices * counts, 2)); }, logits, draws);
  };
}

}  // namespace

Variable Latents::parameters_of(const Variable& x) const {
  if (is_categorical()) return reshape(x, {x.size(0), count, values});
  return kind == LatentKind::kBinomial ? x : clamp(x, kLeastLogRate, std::log(static_cast<double>(values) / 4));
}

Tensor Latents::draw(const Tensor& parameters, const Draws& draws) const {
  if (is_categorical()) {
    return choose(parameters, gumbel_of(*this, parameters, draws)).reshape({parameters.size(0), width()});
  }
  if (kind == LatentKind::kPoisson) return poisson_counts(parameters, gumbel_of(*this, parameters, draws));
  const Tensor margins = add(parameters.unsqueeze(2), logistic_of(*this, parameters, draws));
  return sum(greater(margins, 0).to(parameters.dtype()), 2);
}

Variable Latents::divergence(const Variable& parameters, const Variable& prior) const {
  if (is_categorical()) {
    const Variable log_q = log_softmax(parameters);
    return sum(exp(log_q) * log_q, {1, 2}) + static_cast<double>(count) * std::log(static_cast<double>(values));
  }
  const Variable above = parameters - prior;
  if (kind == LatentKind::kBinomial) {
    const Variable of_trial = sigmoid(parameters) * above - softplus(parameters) + softplus(prior);
    return sum(of_trial, 1) * static_cast<double>(values);
  }
  const Variable rate = exp(parameters);
  return sum(rate * above - rate + exp(prior), 1);
}

std::string Latents::problem(const ChosenEstimator& chosen) const {
  const Estimator& e = *chosen.estimator;
  const auto refused = [&](const std::string& why) { return concat("--estimators: ", e.name, ' ', why); };
  if (e.order > 0 && !is_categorical()) {
    return kind == LatentKind::kBinomial && values < e.order - 1 ? refused("needs more trials") : "";
  }
  if (e.bias == Bias::kExact) {
    // Of a binomial count the trials are enumerated.
    const double states = std::pow(kind == LatentKind::kBinomial ? 2.0 : static_cast<double>(values),
                                   static_cast<double>(kind == LatentKind::kBinomial ? count * values : count));
    if (states > static_cast<double>(kMostStatesOfExact)) {
      return refused(concat("takes at most ", kMostStatesOfExact, " states"));
    }
  }
  const bool gates = kind == LatentKind::kBinomial;
  const bool fits = e.surrogate != nullptr ? gates || !e.bernoulli_only : (gates ? e.gates : e.classes) != nullptr;
  return fits ? "" : refused(concat("is not for ", choice_name(kind), " latents"));
}

Surrogate Latents::surrogate(const ChosenEstimator& chosen) const {
  if (chosen.estimator->order > 0 && !is_categorical()) return least_norm_surrogate(*this, chosen.estimator->order);
  const Surrogate of_nodes = make_surrogate(chosen);
  switch (kind) {
    case LatentKind::kCategorical:
      return of_classes(*this, of_nodes);
    case LatentKind::kBinomial:
      return of_trials(*this, of_nodes);
    case LatentKind::kPoisson:
      return of_counts_as_classes(*this, of_nodes);
  }
  return {};
}

}  // namespace tk
