#pragma once

#include <functional>

#include "autograd/variable.h"
#include "tensor/kernel_arguments.h"

// What the estimators share: independent discrete nodes, their random numbers and relaxations. Logits say what the
// nodes are by their rank: [rows, nodes] z of Bernoulli nodes, which are 1 with probability sigmoid(z), or [rows,
// nodes, classes] of categorical ones, softmax along the last dimension. Choices have the same shape: 0 and 1, or
// one-hot.
namespace tk {

/// A cost of choices, [rows], differentiable in them where an estimator says that it needs that. It is called once or
/// several times for each estimate, with fractions between 0 and 1 by those that relax.
using Cost = std::function<Variable(const Variable& choices)>;

/// Where an estimator's random numbers come from: rows' names, and a stream whose slots it draws from. Slot 0 makes the
/// choices.
struct Draws {
  Tensor state;     ///< step_state: seed and step; for gates the temperature and the noise's factor, too
  Tensor example;   ///< [rows] int32
  Tensor position;  ///< [rows] int32
  Purpose purpose = Purpose::kUser;
  std::int64_t layer = 0;

  DropoutKey key(std::int64_t slot) const {
    return {.p = 0, .state = state, .example = example, .position = position, .stream = {purpose, layer, slot}};
  }
};
/// Numbers for `rows` rows that nothing else names.
Draws draws_of_rows(const Tensor& state, std::int64_t rows);

/// Throws "<op>: ..." unless these are logits of nodes, of Bernoulli nodes alone where `bernoulli`.
void check_nodes(const char* op, const Tensor& logits, bool bernoulli = false);

/// `copies` times the noise that makes choices of logits: logistic [rows, nodes] or Gumbel [rows, nodes, classes].
Tensors choice_noise(const Tensor& logits, const Draws& draws, std::int64_t slot, std::int64_t copies = 1);

/// z + noise > 0, or one-hot of the largest logit + noise.
Tensor choose(const Tensor& logits, const Tensor& noise);
/// sigmoid(z), or softmax.
Tensor probabilities(const Tensor& logits);
/// The log-probability of each row's choices, [rows].
Tensor log_probability(const Tensor& logits, const Tensor& choices);
/// Its gradient in the logits: choices - probabilities.
Tensor score(const Tensor& logits, const Tensor& choices);
/// J v, the derivative of the probabilities along v: p (1 - p) v, or p (v - p . v).
Tensor probability_jacobian(const Tensor& logits, const Tensor& v);
/// x[r] y[r, ...]: a number a row times all that belongs to the row.
Tensor scale_rows(const Tensor& y, const Tensor& x);
/// The sum of all that belongs to each row, [rows].
Tensor row_sums(const Tensor& x);

/// sigmoid(x / temperature), or softmax.
Variable relax(const Variable& noisy, double temperature);
/// logits + noise given that they make these choices, reparameterised: from independent noise, differentiable in the
/// logits. Bernoulli: b softplus(n + softplus(z)) - (1 - b) softplus(n + softplus(-z)) (Tucker et al., arXiv
/// 1703.07370); categorical, up to a constant: G_w at the winner w, below it G_w - softplus(G_w - G -
/// log_softmax(logits)).
Variable noisy_given_choices(const Variable& logits, const Tensor& choices, const Tensor& noise);

/// Zeros [rows] whose gradient in the logits is `gradient`, like the logits: what a score-function estimator adds to
/// its costs.
Variable with_gradient(const Variable& logits, const Tensor& gradient);

}  // namespace tk
