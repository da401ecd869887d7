#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "autograd/estimators/choices.h"

// Every estimator of this folder that makes Bernoulli or categorical choices, by name. A new one is a file and a row of
// the table in estimators.cpp; train, study and the tests over all estimators follow.
namespace tk {

/// What estimators are set by; each reads what it has a use for.
struct EstimatorOptions {
  double temperature = 1;    ///< of relaxations and of categorical nodes; that of gates is the step state's
  std::int64_t samples = 0;  ///< of conditional noise, or evaluations of the cost; 0: the estimator's default_samples
};

/// Choices of independent nodes whose gradient goes back by itself: gates z of any shape with logistic noise like it,
/// whose elements the draws' rows divide, or one-hot choices of logits [rows, classes] with Gumbel noise. Gates whose
/// noise is undefined draw that of slot 0 as they are made.
using Pathwise = Variable (*)(const Variable& logits, const Tensor& noise, const Draws& draws,
                              const EstimatorOptions& options);
/// An expected cost, [rows], with the estimate as its gradient in the logits of nodes (choices.h). It keeps what it
/// learns from call to call.
using Surrogate = std::function<Variable(const Cost& cost, const Variable& logits, const Draws& draws)>;
using MakeSurrogate = Surrogate (*)(const EstimatorOptions& options);

enum class Bias : std::uint8_t {
  kBiased,
  kQuadratic,  ///< unbiased for costs that are quadratic in one node
  kUnbiased,
  kExact  ///< without variance, too
};

struct Estimator {
  const char* name;
  const char* what;
  Bias bias;
  bool has_temperature = false;
  std::int64_t default_samples = 0;  ///< 0: it takes no number of samples
  Pathwise gates = nullptr;          ///< null: it is not pathwise, or not for such nodes
  Pathwise classes = nullptr;
  int order = 0;                      ///< of least_norm, by which it takes counts; 0: it has no way of its own for them
  MakeSurrogate surrogate = nullptr;  ///< of an estimator that is not pathwise
  bool bernoulli_only = false;        ///< of the surrogate
  bool learns = false;                ///< of the surrogate: from call to call
};

/// All of them.
std::span<const Estimator> estimators();

/// An estimator of the table and its options.
struct ChosenEstimator {
  const Estimator* estimator = nullptr;
  EstimatorOptions options = {};
};
/// The estimator called "NAME", or "NAME:K" with K samples. Throws tk::Error for one that there is not.
ChosenEstimator choose_estimator(std::string_view text, const EstimatorOptions& options = {});

/// The estimator of that name (or "NAME:K") that gates can have: a pathwise one. Nothing where there is none such.
std::optional<ChosenEstimator> find_gate_estimator(std::string_view text);
std::string gate_estimator_names();

/// Its surrogate; of a pathwise one the cost of its choices. `logits` are those of nodes.
Surrogate make_surrogate(const ChosenEstimator& chosen);

}  // namespace tk
