#pragma once

#include <cstdint>
#include <string>

#include "autograd/estimators/estimators.h"
#include "tensor/choices.h"

// Discrete latents of a model: their law, and estimators of gradients through them.
namespace tk {

enum class LatentKind : std::uint8_t {
  kCategorical,  ///< one of `values` classes; parameters: logits
  kBinomial,     ///< how many of `values` trials succeed; parameter: their logit
  kPoisson       ///< a count, cut at `values` - 1 by estimators that take it as a class; parameter: the log rate
};
inline constexpr Choice<LatentKind> kLatentKinds[] = {
    {LatentKind::kCategorical, "categorical"}, {LatentKind::kBinomial, "binomial"}, {LatentKind::kPoisson, "poisson"}};
inline Choices<LatentKind> choices(LatentKind) { return kLatentKinds; }

/// Independent latents of one kind. `parameters` below are [rows, latents, values] logits of categorical ones, and
/// [rows, latents] of counts; `drawn`, what a model reads of them, is [rows, width()]: one-hot, or the counts.
struct Latents {
  LatentKind kind = LatentKind::kCategorical;
  std::int64_t count = 1;
  std::int64_t values = 2;

  bool is_categorical() const { return kind == LatentKind::kCategorical; }
  std::int64_t width() const { return is_categorical() ? count * values : count; }
  /// [rows, width()], what a layer gives, as parameters. Log rates are cut to (-8, log(values / 4)), beyond which
  /// `values` would be too few.
  Variable parameters_of(const Variable& x) const;
  Tensor draw(const Tensor& parameters, const Draws& draws) const;
  /// KL(q || p), [rows]: of categorical latents from the uniform law, of counts from the one with the prior's
  /// parameters, [latents].
  Variable divergence(const Variable& parameters, const Variable& prior) const;

  /// Why an estimator is not for these; empty if it is.
  std::string problem(const ChosenEstimator& chosen) const;
  /// The estimator of a cost of what is drawn, [rows, width()] to [rows], as a surrogate in the parameters. Counts of
  /// least_norm are themselves; else a binomial count is the sum of its trials, which are Bernoulli nodes, and a
  /// Poisson count a categorical node with the logits k log(rate) - log k!.
  Surrogate surrogate(const ChosenEstimator& chosen) const;
};

}  // namespace tk
