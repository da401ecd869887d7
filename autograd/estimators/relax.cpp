#include "autograd/estimators/relax.h"

#include <cmath>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"
#include "tensor/ops/elementwise.h"
#include "tensor/random.h"

namespace tk {
namespace {

enum : std::size_t { kW1, kB1, kW2, kB2 };

// c and its derivative in s, both differentiable in the weights.
struct Control {
  Variable value;  // [rows]
  Variable slope;  // [rows, nodes]
};

Control control(const Variables& w, const Tensor& s) {
  const Variable h = tanh(linear(Variable(s), w[kW1], w[kB1]));
  const Variable out = linear(h, w[kW2], w[kB2]);
  // dc/ds = W1^T ((1 - h^2) w2)
  const Variable slope = matmul((square(h) * -1.0 + 1.0) * w[kW2], w[kW1]);
  return {reshape(out, {s.shape()[0]}), slope};
}

// The relaxed choice of x and its derivative in z, where dx/dz is given.
struct Relaxed {
  Tensor s, slope;
};

Relaxed relaxed(const Tensor& x, double temperature, const Tensor& dx) {
  const Tensor s = sigmoid(affine(x, 1 / temperature));
  return {s, mul(dx, affine(mul(s, affine(s, -1, 1)), 1 / temperature))};
}

}  // namespace

void Relax::initialize(const Tensor& z) {
  const std::int64_t nodes = z.shape()[1], hidden = options_.hidden;
  if (!weights_.empty()) {
    TK_CHECK(weights_[kW1].size(1) == nodes, "relax: expected ", weights_[kW1].size(1), " nodes as before, got ",
             nodes);
    return;
  }
  Generator generator(options_.seed, Purpose::kUser);
  std::vector<float> w1(static_cast<std::size_t>(hidden * nodes));
  for (float& w : w1) w = generator.normal() / std::sqrt(static_cast<float>(nodes));
  const auto add = [&](const Tensor& value) {
    weights_.emplace_back(value.to(z.dtype()).to(z.device()), true);
    means_.push_back(zeros_like(weights_.back().value()));
    squares_.push_back(zeros_like(weights_.back().value()));
  };
  add(from_values(w1, {hidden, nodes}));
  add(zeros({hidden}));
  add(zeros({1, hidden}));
  add(zeros({1}));
}

// Adam (Kingma and Ba, arXiv 1412.6980) with its usual constants.
void Relax::learn() {
  ++steps_;
  const auto n = static_cast<double>(steps_);
  for (std::size_t i = 0; i < weights_.size(); ++i) {
    const Tensor g = weights_[i].grad();
    means_[i] = tk::add(affine(means_[i], 0.9), affine(g, 0.1));
    squares_[i] = tk::add(affine(squares_[i], 0.999), affine(square(g), 0.001));
    const Tensor size = affine(sqrt(affine(squares_[i], 1 / (1 - std::pow(0.999, n)))), 1, 1e-8);
    const Tensor step = div(affine(means_[i], options_.learning_rate / (1 - std::pow(0.9, n))), size);
    weights_[i] = Variable(sub(weights_[i].value(), step), true);
  }
}

Variable Relax::operator()(const Cost& cost, const Variable& z, const Draws& draws) {
  check_nodes("relax", z.value(), true);
  initialize(z.value());
  const Tensor& logits = z.value();
  const Tensor noise = choice_noise(logits, draws, 0).front(), more = choice_noise(logits, draws, 1).front();
  const Tensor choices = choose(logits, noise), scores = score(logits, choices);
  const Variable f = cost(Variable(choices));

  // dx/dz of x is 1; of x' it is what noisy_given_choices says.
  const Variable leaf(logits, true);
  const Variable given = noisy_given_choices(leaf, choices, more);
  given.backward(full(logits.shape(), 1, logits.dtype(), logits.device()));
  const Relaxed free_at =
      relaxed(add(logits, noise), options_.temperature, full(logits.shape(), 1, logits.dtype(), logits.device()));
  const Relaxed given_at = relaxed(given.value(), options_.temperature, leaf.grad());

  const Control c = control(weights_, free_at.s), c_given = control(weights_, given_at.s);
  const Variable signal = reshape(Variable(f.value()) - c_given.value, {logits.shape()[0], 1});
  const Variable estimate =
      signal * Variable(scores) + c.slope * Variable(free_at.slope) - c_given.slope * Variable(given_at.slope);
  mean(square(estimate)).backward();
  learn();
  return f + with_gradient(z, estimate.value());
}

}  // namespace tk
