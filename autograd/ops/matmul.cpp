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
  return record("linear", linear(x.value(), w.value(), bias.value()), {x, w, bias},
                [x = Saved(x), w = Saved(w)](const Tensor& dy, Destinations& to) {
                  if (to.wanted(1)) {
                    const SumTarget dw = to.target(1);
                    matmul_into(dw.out, dw.add, dy, x, true, false);  // dw = dy^T x
                  }
                  if (to.wanted(2)) {
                    const SumTarget db = to.target(2);
                    sum_columns(db.out, dy, db.add);
                  }
                  if (to.wanted(0)) to.add(0, matmul(dy, w, false, false));  // dx = dy w
                });
}

}  // namespace tk
