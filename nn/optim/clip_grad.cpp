#include "nn/optim/clip_grad.h"

#include <cmath>

#include "tensor/ops/optim.h"

namespace tk {

double grad_norm(const FlatParameters& parameters, std::span<const SparseRows> sparse) {
  double sum = squared_norm(parameters.grad);
  for (const SparseRows& rows : sparse) sum += squared_norm(rows.rows);
  return std::sqrt(sum);
}

}  // namespace tk
