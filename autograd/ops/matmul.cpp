#include "autograd/ops/matmul.h"

#include "tensor/ops/matmul.h"
#include "tensor/ops/reduce.h"

namespace tk {

Variable matmul(const Variable& a, const Variable& b) {
  return record("matmul", matmul(a.value(), b.value()), {a, b},
                [a = Saved(a), b = Saved(b)](const Tensor& dy, Destinations& to) {
                  if (to.wanted(0)) to.add(0, matmul(dy, b, false, true));  // da = dy b^T
                  if (to.wanted(1)) to.add(1, matmul(a, dy, true, false));  // db = a^T dy
                });
}

Variable linear(const Variable& x, const Variable& w, const Variable& bias) {
  enum : std::size_t { kX, kW, kBias };
  return record("linear", linear(x.value(), w.value(), bias.value()), {{kX, x}, {kW, w}, {kBias, bias}},
                [x = Saved(x), w = Saved(w)](const Tensor& dy, Destinations& to) {
                  if (to.wanted(kW)) {
                    const SumTarget dw = to.target(kW);
                    matmul_into(dw.out, dw.add, dy, x, true, false);  // dw = dy^T x
                  }
                  if (to.wanted(kBias)) {
                    const SumTarget db = to.target(kBias);
                    sum_columns(db.out, dy, db.add);
                  }
                  if (to.wanted(kX)) to.add(kX, matmul(dy, w, false, false));  // dx = dy w
                });
}

}  // namespace tk
