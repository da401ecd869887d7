#include "nn/optim/clip_grad.h"

#include "tensor/ops/optim.h"

namespace tk {

void grad_norm(const FlatParameters& parameters, std::span<const SparseRows> sparse, const Tensor& state) {
  Tensors parts = {parameters.grad};
  for (const SparseRows& rows : sparse) parts.push_back(rows.rows);
  grad_norm(state, parts);
}

}  // namespace tk
