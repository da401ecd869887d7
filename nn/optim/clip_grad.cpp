#include "nn/optim/clip_grad.h"

#include "tensor/ops/join.h"
#include "tensor/ops/optim.h"

namespace tk {

void grad_norm(const Gradients& gradients, const Tensor& state) {
  Tensors rows;
  for (const SparseRows& sparse : gradients.sparse) rows.push_back(sparse.rows);
  if (!gradients.squares.defined()) {
    rows.insert(rows.begin(), gradients.dense);
    return grad_norm(state, rows);
  }
  Tensors squares = {gradients.squares};
  for (const Tensor& part : rows) {
    squares.push_back(empty({norm_chunks(part.numel())}, DType::kFloat64, part.device()));
    squared_norms(squares.back(), part);
  }
  set_grad_norm(state, join(squares));
}

}  // namespace tk
