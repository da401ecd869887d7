#include "autograd/ops/lerp.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/shape.h"
#include "autograd/ops/to.h"
#include "tensor/ops/lerp.h"

namespace tk {

Variable lerp_rows(const Variable& a, const Variable& b, const Variable& weight) {
  enum : std::size_t { kA, kB, kWeight };
  return record(
      "lerp_rows", lerp_rows(a.value(), b.value(), weight.value()), {{kA, a}, {kB, b}, {kWeight, weight}},
      [a = Saved(a), b = Saved(b), weight = Saved(weight)](const Tensor& dy, Destinations& to) {
        lerp_rows_backward(
            {.da = to.target_if_wanted(kA), .db = to.target_if_wanted(kB), .dweight = to.target_if_wanted(kWeight)}, dy,
            a, b, weight);
      });
}

Variable lerp_rows_composed(const Variable& a, const Variable& b, const Variable& weight) {
  return a + reshape(to(weight, a.dtype()), {weight.numel(), 1}) * (b - a);
}

}  // namespace tk
