#include "nn/gradient_pieces.h"

#include <algorithm>
#include <map>

#include "autograd/engine.h"
#include "tensor/beside.h"
#include "tensor/communicator.h"
#include "tensor/ops/optim.h"

namespace tk {

std::vector<GradientPiece> gradient_pieces(const FlatParameters& parameters, std::int64_t count) {
  const std::vector<std::int64_t> bounds = even_bounds(parameters.grad.numel(), count, kNormChunk);
  std::vector<GradientPiece> pieces;
  for (std::size_t i = bounds.size() - 1; i > 0; --i) {
    if (bounds[i - 1] < bounds[i]) pieces.push_back({.begin = bounds[i - 1], .end = bounds[i]});
  }
  return pieces;
}

namespace {

bool have_parts_in_common(const GradientPiece& piece, const DenseParameter& entry) {
  return piece.begin < entry.begin + entry.parameter->value().numel() && entry.begin < piece.end;
}

}  // namespace

void find_last_ops(std::span<GradientPiece> pieces, const FlatParameters& parameters, const Node& root) {
  const std::map<const Node*, std::uint64_t> last = last_ops(root);
  for (GradientPiece& piece : pieces) {
    piece.last_op = root.sequence;
    for (const DenseParameter& entry : parameters.dense) {
      const auto found = last.find(entry.parameter->variable().node().get());
      if (found == last.end() || !have_parts_in_common(piece, entry)) continue;
      piece.last_op = std::min(piece.last_op, found->second);
    }
  }
}

void clear_unreached(const GradientPiece& piece, const FlatParameters& parameters) {
  for (const DenseParameter& entry : parameters.dense) {
    if (have_parts_in_common(piece, entry)) parameters.clear_if_unreached(entry);
  }
}

Gradients gradients_of(const Variable& loss, const FlatParameters& parameters) {
  constexpr std::int64_t kPieces = 8;
  TK_CHECK(loss.requires_grad() && loss.numel() == 1, "gradients_of: expected a loss of one element that was recorded");
  const Tensor squares = empty({norm_chunks(parameters.grad.numel())}, DType::kFloat64, parameters.grad.device());
  std::vector<GradientPiece> pieces = gradient_pieces(parameters, kPieces);
  std::size_t next = 0;
  const auto sum_next = [&] {
    const GradientPiece& piece = pieces[next++];
    clear_unreached(piece, parameters);
    const Tensor range = parameters.grad.narrow(0, piece.begin, piece.end - piece.begin);
    const Tensor its = squares.narrow(0, piece.begin / kNormChunk, norm_chunks(range.numel()));
    run_beside(range.device(), [its, range] { squared_norms(its, range); });
  };
  walk_back(loss.node(), full(loss.shape(), 1, loss.grad_dtype(), loss.device()), false,
            {.begin = [&](const Node& root) { find_last_ops(pieces, parameters, root); },
             .after =
                 [&](const Node& op) {
                   while (next < pieces.size() && op.sequence <= pieces[next].last_op) sum_next();
                 }});
  while (next < pieces.size()) sum_next();  // to whose last op no gradient came
  join_beside(squares.device());
  Gradients gradients = parameters.gather();
  gradients.squares = squares;
  return gradients;
}

}  // namespace tk
