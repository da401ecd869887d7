#include "autograd/estimators/gapped_straight_through.h"

#include "autograd/estimators/straight_through.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/softmax.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/gate.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/softmax.h"

namespace tk {
namespace {

// -log(1 - p) / p. With all probability on one class there is nothing to keep a distance from: p stays below 1.
Tensor expected_gap(const Tensor& logits, const Tensor& choices, std::int64_t last) {
  const Tensor p = sum(mul(choices, softmax(logits)), last).unsqueeze(last);
  const Tensor below_one = affine(p, 1 - 1e-6);
  return div(neg(log(affine(below_one, -1, 1))), below_one);
}

}  // namespace

Variable gapped_straight_through(const Variable& logits, const Tensor& noise, std::optional<double> gap,
                                 double temperature) {
  TK_CHECK(temperature > 0, "gapped_straight_through: expected a temperature above 0, got ", temperature);
  const Tensor& l = logits.value();
  const std::int64_t last = l.rank() - 1;
  const Tensor choices = one_hot_of_largest(add(l, noise));
  const Tensor largest = max(l, last).unsqueeze(last);
  const Tensor distance = gap ? full(largest.shape(), *gap, l.dtype(), l.device()) : expected_gap(l, choices, last);
  const Tensor up = mul(choices, sub(largest, l));
  const Tensor down = mul(affine(choices, -1, 1), relu(add(sub(l, largest), distance)));
  return straight_through(choices, softmax((logits + Variable(sub(up, down))) * (1 / temperature)));
}

}  // namespace tk
