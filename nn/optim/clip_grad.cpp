#include "nn/optim/clip_grad.h"

#include "tensor/ops/optim.h"

namespace tk {

void grad_norm(const Gradients& gradients, const Tensor& state) {
  Tensors parts = {gradients.dense};
  for (const SparseRows& rows : gradients.sparse) parts.push_back(rows.rows);
  grad_norm(state, parts);
}

}  // namespace tk
