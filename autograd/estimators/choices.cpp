#include "autograd/estimators/choices.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/softmax.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/gate.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/softmax.h"

namespace tk {
namespace {

bool is_categorical(const Tensor& logits) { return logits.rank() == 3; }

Variable constant(const Tensor& x) { return Variable(x); }

}  // namespace

Draws draws_of_rows(const Tensor& state, std::int64_t rows) {
  return {.state = state,
          .example = arange(rows, DType::kInt32, state.device()),
          .position = zeros({rows}, DType::kInt32, state.device())};
}

void check_nodes(const char* op, const Tensor& logits, bool bernoulli) {
  TK_CHECK(logits.rank() == 2 || (!bernoulli && logits.rank() == 3 && logits.shape().back() >= 1), op,
           ": expected logits [rows, nodes]", bernoulli ? "" : " or [rows, nodes, classes]", ", got ", logits.shape());
}

Tensors choice_noise(const Tensor& logits, const Draws& draws, std::int64_t slot, std::int64_t copies) {
  const std::int64_t rows = logits.shape()[0];
  const std::int64_t cols = rows == 0 ? 0 : logits.numel() / rows;
  TK_CHECK(draws.example.defined() && draws.example.numel() == rows, "estimator: expected names of ", rows,
           " rows' random numbers, got ", draws.example.defined() ? draws.example.numel() : 0);
  const Tensor all = is_categorical(logits) ? gumbel_noise(draws.key(slot), copies * cols, logits.dtype())
                                            : logistic_noise(draws.key(slot), copies * cols, logits.dtype());
  Tensors noise;
  for (std::int64_t k = 0; k < copies; ++k) {
    noise.push_back(all.narrow(1, k * cols, cols).contiguous().reshape(logits.shape()));
  }
  return noise;
}

Tensor choose(const Tensor& logits, const Tensor& noise) {
  const Tensor noisy = add(logits, noise);
  return is_categorical(logits) ? one_hot_of_largest(noisy) : greater(noisy, 0).to(logits.dtype());
}

Tensor probabilities(const Tensor& logits) { return is_categorical(logits) ? softmax(logits) : sigmoid(logits); }

Tensor log_probability(const Tensor& logits, const Tensor& choices) {
  if (is_categorical(logits)) return row_sums(mul(choices, log_softmax(logits)));
  return row_sums(sub(mul(choices, logits), softplus(logits)));
}

Tensor score(const Tensor& logits, const Tensor& choices) { return sub(choices, probabilities(logits)); }

Tensor probability_jacobian(const Tensor& logits, const Tensor& v) {
  const Tensor p = probabilities(logits);
  return is_categorical(logits) ? softmax_backward(v, p) : mul(v, mul(p, affine(p, -1, 1)));
}

Tensor scale_rows(const Tensor& y, const Tensor& x) {
  Shape shape(y.shape());
  for (std::int64_t i = 1; i < y.rank(); ++i) shape[i] = 1;
  return mul(y, x.reshape(shape));
}

Tensor row_sums(const Tensor& x) { return sum(x.reshape({x.shape()[0], -1}), 1); }

Variable relax(const Variable& noisy, double temperature) {
  const Variable scaled = noisy * (1 / temperature);
  return is_categorical(noisy.value()) ? softmax(scaled) : sigmoid(scaled);
}

Variable noisy_given_choices(const Variable& logits, const Tensor& choices, const Tensor& noise) {
  if (is_categorical(logits.value())) {
    Shape one = logits.shape();
    one[2] = 1;
    const Tensor winner = sum(mul(choices, noise), 2).reshape(one);
    const Variable below = softplus(constant(sub(winner, noise)) - log_softmax(logits));
    return constant(winner) - constant(affine(choices, -1, 1)) * below;
  }
  const Variable n = constant(noise);
  return constant(choices) * softplus(n + softplus(logits)) -
         constant(affine(choices, -1, 1)) * softplus(n + softplus(-logits));
}

Variable with_gradient(const Variable& logits, const Tensor& gradient) {
  return record("with_gradient", zeros({logits.size(0)}, logits.dtype(), logits.device()), {logits},
                [gradient = Saved(gradient)](const Tensor& dy) -> Tensors { return {scale_rows(gradient, dy)}; });
}

}  // namespace tk
