#include "autograd/estimators/estimators.h"

#include <algorithm>
#include <charconv>
#include <memory>

#include "autograd/estimators/disarm.h"
#include "autograd/estimators/double_control_variates.h"
#include "autograd/estimators/enumeration.h"
#include "autograd/estimators/gapped_straight_through.h"
#include "autograd/estimators/gumbel_rao.h"
#include "autograd/estimators/gumbel_softmax.h"
#include "autograd/estimators/rebar.h"
#include "autograd/estimators/reinforce.h"
#include "autograd/estimators/reinmax.h"
#include "autograd/estimators/reinmax_cv.h"
#include "autograd/estimators/reinmax_rao.h"
#include "autograd/estimators/relax.h"
#include "autograd/estimators/sloped_gate.h"
#include "autograd/estimators/straight_through.h"
#include "autograd/estimators/zgr.h"
#include "autograd/ops/shape.h"
#include "tensor/ops/gate.h"

namespace tk {
namespace {

constexpr std::int64_t kMostSamples = 100000;
constexpr double kControlWeight = 0.5;  // of ReinMax-CV, as published

template <GateSlope kSlope>
Variable sloped(const Variable& z, const Tensor& noise, const Draws& draws, const EstimatorOptions& options) {
  GateRule rule{.slope = kSlope, .weight = kControlWeight, .samples = options.samples, .key = {}};
  if (rule.draws()) rule.key = draws.key(1);
  return noise.defined() ? sloped_gate(z, noise, draws.state, rule) : sloped_gate(z, draws.key(0), rule);
}

// K Gumbel numbers for each class: [rows, K, classes].
Tensor more_noise(const Variable& logits, const Draws& draws, const EstimatorOptions& options) {
  const std::int64_t rows = logits.size(0), classes = logits.size(1);
  return gumbel_noise(draws.key(1), options.samples * classes, logits.dtype())
      .reshape({rows, options.samples, classes});
}

Variable soft_gates(const Variable& z, const Tensor& noise, const Draws& draws, const EstimatorOptions&) {
  const std::int64_t rows = draws.example.numel(), gates = rows == 0 ? 0 : z.numel() / rows;
  if (noise.defined()) return soft_gate(z, noise, draws.state);
  return soft_gate(z, logistic_noise(draws.key(0), gates, z.dtype()).reshape(z.shape()), draws.state);
}
Variable hard_gates(const Variable& z, const Tensor& noise, const Draws& draws, const EstimatorOptions&) {
  return noise.defined() ? gumbel_gate(z, noise, draws.state) : gumbel_gate(z, draws.key(0));
}

using Logits = const Variable&;
using Noise = const Tensor&;
using Numbers = const Draws&;
using Options = const EstimatorOptions&;

constexpr Estimator kEstimators[] = {
    {.name = "st-gs",
     .what = "straight-through Gumbel-softmax",
     .bias = Bias::kBiased,
     .has_temperature = true,
     .gates = hard_gates,
     .classes = [](Logits l, Noise n, Numbers, Options o) { return gumbel_softmax(l, n, o.temperature, true); }},
    {.name = "gs",
     .what = "Gumbel-softmax, whose choices are soft",
     .bias = Bias::kBiased,
     .has_temperature = true,
     .gates = soft_gates,
     .classes = [](Logits l, Noise n, Numbers, Options o) { return gumbel_softmax(l, n, o.temperature, false); }},
    {.name = "st",
     .what = "straight-through",
     .bias = Bias::kBiased,
     .has_temperature = true,
     .gates = sloped<GateSlope::kStraightThrough>,
     .classes = [](Logits l, Noise n, Numbers, Options o) { return straight_through(l, n, o.temperature); }},
    {.name = "gr",
     .what = "Gumbel-Rao with K samples",
     .bias = Bias::kBiased,
     .has_temperature = true,
     .default_samples = 10,
     .gates = sloped<GateSlope::kGumbelRao>,
     .classes = [](Logits l, Noise n, Numbers d,
                   Options o) { return gumbel_rao(l, n, more_noise(l, d, o), o.temperature); }},
    {.name = "zgr",
     .what = "the zero-temperature limit of Gumbel-Rao",
     .bias = Bias::kQuadratic,
     .gates = sloped<GateSlope::kLeastNorm>,
     .classes = [](Logits l, Noise n, Numbers, Options) { return zgr(l, n); }},
    {.name = "gst-1",
     .what = "gapped straight-through with a gap of 1",
     .bias = Bias::kBiased,
     .has_temperature = true,
     .gates = sloped<GateSlope::kGap>,
     .classes = [](Logits l, Noise n, Numbers,
                   Options o) { return gapped_straight_through(l, n, 1.0, o.temperature); }},
    {.name = "gst-p",
     .what = "gapped straight-through with the gap of Gumbel noise in the mean",
     .bias = Bias::kBiased,
     .has_temperature = true,
     .gates = sloped<GateSlope::kExpectedGap>,
     .classes = [](Logits l, Noise n, Numbers,
                   Options o) { return gapped_straight_through(l, n, std::nullopt, o.temperature); }},
    {.name = "reinmax",
     .what = "ReinMax; quadratic at temperature 1",
     .bias = Bias::kQuadratic,
     .has_temperature = true,
     .gates = sloped<GateSlope::kReinMax>,
     .classes = [](Logits l, Noise n, Numbers, Options o) { return reinmax(l, n, o.temperature); }},
    {.name = "reinmax-rao",
     .what = "ReinMax through Gumbel-Rao with K samples",
     .bias = Bias::kBiased,
     .has_temperature = true,
     .default_samples = 10,
     .gates = sloped<GateSlope::kReinMaxRao>,
     .classes = [](Logits l, Noise n, Numbers d,
                   Options o) { return reinmax_rao(l, n, more_noise(l, d, o), o.temperature); }},
    {.name = "reinmax-cv",
     .what = "ReinMax with Gumbel-Rao as its control variate",
     .bias = Bias::kBiased,
     .has_temperature = true,
     .default_samples = 10,
     .gates = sloped<GateSlope::kReinMaxCv>,
     .classes = [](Logits l, Noise n, Numbers d,
                   Options o) { return reinmax_cv(l, n, more_noise(l, d, o), kControlWeight, o.temperature); }},
    {.name = "fini-2",
     .what = "least-norm of order 2; of a gate the same as zgr",
     .bias = Bias::kQuadratic,
     .gates = sloped<GateSlope::kLeastNorm>,
     .order = 2},
    {.name = "fini-3", .what = "least-norm of order 3, of counts alone", .bias = Bias::kQuadratic, .order = 3},
    {.name = "reinforce",
     .what = "score function without a baseline",
     .bias = Bias::kUnbiased,
     .surrogate = [](Options) -> Surrogate {
       return [](const Cost& f, Logits l, Numbers d) { return reinforce(f, l, d); };
     }},
    {.name = "reinforce-ma",
     .what = "score function with a moving average of the costs as its baseline",
     .bias = Bias::kUnbiased,
     .surrogate = [](Options) -> Surrogate {
       return [baseline = std::make_shared<MovingAverage>()](const Cost& f, Logits l, Numbers d) {
         return reinforce(f, l, d, *baseline);
       };
     },
     .learns = true},
    {.name = "rloo",
     .what = "score function of K samples with the others' mean cost as its baseline",
     .bias = Bias::kUnbiased,
     .default_samples = 4,
     .surrogate = [](Options o) -> Surrogate {
       return [o](const Cost& f, Logits l, Numbers d) { return rloo(f, l, d, o.samples); };
     }},
    {.name = "disarm",
     .what = "antithetic pair",
     .bias = Bias::kUnbiased,
     .surrogate = [](Options) -> Surrogate { return disarm; },
     .bernoulli_only = true},
    {.name = "rebar",
     .what = "score function with the relaxed cost, of a learnt weight, as its control variate",
     .bias = Bias::kUnbiased,
     .has_temperature = true,
     .surrogate = [](Options o) -> Surrogate { return Rebar({.temperature = o.temperature}); },
     .learns = true},
    {.name = "relax",
     .what = "score function with a learnt control variate",
     .bias = Bias::kUnbiased,
     .has_temperature = true,
     .surrogate = [](Options o) -> Surrogate {
       return [relax = std::make_shared<Relax>(Relax::Options{.temperature = o.temperature})](
                  const Cost& f, Logits l, Numbers d) { return (*relax)(f, l, d); };
     },
     .bernoulli_only = true,
     .learns = true},
    {.name = "double-cv",
     .what = "rloo of K samples with the cost's linear model as its control variate",
     .bias = Bias::kUnbiased,
     .default_samples = 4,
     .surrogate = [](Options o) -> Surrogate {
       return [o](const Cost& f, Logits l, Numbers d) { return double_control_variates(f, l, d, o.samples); };
     }},
    {.name = "exact",
     .what = "enumeration of all states",
     .bias = Bias::kExact,
     .surrogate = [](Options) -> Surrogate {
       return [](const Cost& f, Logits l, Numbers) { return enumerate(f, l); };
     }},
};

// Logits of categorical nodes as rows of classes, whose random numbers are named by row and node.
Variable choose_classes(const ChosenEstimator& chosen, const Variable& logits, const Draws& draws) {
  const std::int64_t rows = logits.size(0), nodes = logits.size(1), classes = logits.size(2);
  const auto of_nodes = [&](const Tensor& ids) { return ids.unsqueeze(1).expand({rows, nodes}).contiguous(); };
  Draws names = draws;
  names.example = of_nodes(draws.example).reshape({rows * nodes});
  names.position =
      arange(nodes, DType::kInt32, logits.device()).expand({rows, nodes}).contiguous().reshape({rows * nodes});
  const Variable flat = reshape(logits, {rows * nodes, classes});
  const Tensor noise = gumbel_noise(names.key(0), classes, logits.dtype());
  return reshape(chosen.estimator->classes(flat, noise, names, chosen.options), logits.shape());
}

template <class F>
std::string names_of(F&& wanted) {
  std::string names;
  for (const Estimator& estimator : kEstimators) {
    if (wanted(estimator)) names += (names.empty() ? "" : ", ") + std::string(estimator.name);
  }
  return names;
}

// The number of samples that "NAME:K" asks for; nothing if K is none.
std::optional<std::int64_t> samples_in(std::string_view number) {
  std::int64_t samples = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), samples);
  const bool is_number = error == std::errc() && end == number.data() + number.size();
  return is_number && samples >= 1 && samples <= kMostSamples ? std::optional(samples) : std::nullopt;
}

}  // namespace

std::span<const Estimator> estimators() { return kEstimators; }

ChosenEstimator choose_estimator(std::string_view text, const EstimatorOptions& options) {
  const std::string_view name = text.substr(0, text.find(':'));
  const auto* const row =
      std::ranges::find(kEstimators, name, [](const Estimator& e) { return std::string_view(e.name); });
  TK_CHECK(row != std::end(kEstimators), "unknown estimator \"", text,
           "\"; known: ", names_of([](const Estimator&) { return true; }));
  ChosenEstimator chosen{row, options};
  if (options.samples == 0) chosen.options.samples = row->default_samples;
  if (name.size() < text.size()) {
    TK_CHECK(row->default_samples > 0, "estimator \"", text, "\": ", name, " takes no number of samples");
    const std::optional<std::int64_t> samples = samples_in(text.substr(name.size() + 1));
    TK_CHECK(samples, "estimator \"", text, "\": expected a number of samples from 1 to ", kMostSamples,
             " after the colon");
    chosen.options.samples = *samples;
  }
  return chosen;
}

std::optional<ChosenEstimator> find_gate_estimator(std::string_view text) {
  try {
    const ChosenEstimator chosen = choose_estimator(text);
    if (chosen.estimator->gates != nullptr) return chosen;
  } catch (const Error&) {  // unknown: the answer is no
  }
  return std::nullopt;
}

std::string gate_estimator_names() {
  return names_of([](const Estimator& estimator) { return estimator.gates != nullptr; });
}

Surrogate make_surrogate(const ChosenEstimator& chosen) {
  if (chosen.estimator->surrogate != nullptr) return chosen.estimator->surrogate(chosen.options);
  return [chosen](const Cost& cost, const Variable& logits, const Draws& draws) {
    const Estimator& e = *chosen.estimator;
    TK_CHECK(e.gates != nullptr || e.classes != nullptr, e.name, ": takes counts alone");
    check_nodes(e.name, logits.value(), e.classes == nullptr);
    if (logits.shape().rank() == 3) return cost(choose_classes(chosen, logits, draws));
    return cost(e.gates(logits, {}, draws, chosen.options));
  };
}

}  // namespace tk
