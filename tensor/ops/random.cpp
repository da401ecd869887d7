#include "tensor/ops/random.h"

#include <numbers>

#include "tensor/kernels.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/gate.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/sort.h"
#include "tensor/step_state.h"

namespace tk {
namespace {

// [rows, cols]: a row is the last dimension.
Shape as_rows(const Shape& shape) {
  const std::int64_t cols = shape.rank() == 0 ? 1 : shape.back();
  return {cols == 0 ? 0 : shape.numel() / cols, cols};
}

Tensor uniform(const DropoutKey& key, std::int64_t cols, DType dtype) {
  Tensor y = empty({key.example.numel(), cols}, dtype, key.example.device());
  uniform_noise_kernel(y.device(), y, key);
  return y;
}

}  // namespace

DropoutKey key_of(const Draw& draw, const Shape& shape, Device device, double p) {
  const std::int64_t rows = as_rows(shape)[0];
  Tensor state = draw.state;
  if (!state.defined()) state = make_step_state({.seed = draw.seed, .step = draw.step}, device);
  return {.p = p,
          .state = state,
          .example = arange(rows, DType::kInt32, device),
          .position = zeros({rows}, DType::kInt32, device),
          .stream = draw.stream};
}

Tensor rand(const Shape& shape, const Draw& draw, DType dtype, Device device) {
  return uniform(key_of(draw, shape, device), as_rows(shape)[1], dtype).reshape(shape);
}

// sqrt(-2 log u) cos(2 pi v), u and v the halves of a row of uniform numbers.
Tensor randn(const Shape& shape, const Draw& draw, DType dtype, Device device) {
  const std::int64_t cols = as_rows(shape)[1];
  const Tensor both = uniform(key_of(draw, shape, device), 2 * cols, dtype);
  const Tensor u = both.narrow(1, 0, cols), v = both.narrow(1, cols, cols);
  return (sqrt(-2 * log(u)) * cos(2 * std::numbers::pi * v)).reshape(shape);
}

Tensor gumbel_noise(const Shape& shape, const Draw& draw, DType dtype, Device device) {
  return gumbel_noise(key_of(draw, shape, device), as_rows(shape)[1], dtype).reshape(shape);
}

Tensor logistic_noise(const Shape& shape, const Draw& draw, DType dtype, Device device) {
  return logistic_noise(key_of(draw, shape, device), as_rows(shape)[1], dtype).reshape(shape);
}

Tensor multinomial(const Tensor& weights, std::int64_t n, const Draw& draw, bool distinct) {
  TK_CHECK(weights.rank() >= 1 && weights.shape().back() > 0, "multinomial: expected weights [..., classes], got ",
           weights.shape());
  TK_CHECK(n >= 0 && (!distinct || n <= weights.shape().back()), "multinomial: ", n, " distinct of ",
           weights.shape().back(), " classes cannot be drawn");
  Shape shape = weights.shape();
  if (distinct) {
    const Tensor noise = gumbel_noise(shape, draw, weights.dtype(), weights.device());
    return topk(log(weights) + noise, n).index;
  }
  shape[shape.rank() - 1] = n;
  shape.push_back(weights.shape().back());
  return argmax(log(weights).unsqueeze(-2) + gumbel_noise(shape, draw, weights.dtype(), weights.device()), -1);
}

}  // namespace tk
