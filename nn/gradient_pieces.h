#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "nn/flat_parameters.h"

namespace tk {

/// Elements [begin, end) of the flat gradient, and the op of a walk back after which they are finished.
struct GradientPiece {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::uint64_t last_op = 0;
};

/// All of it in up to `count` pieces of almost one length, in whole chunks of a norm's partial sums. From the end to
/// the beginning: as a walk back finishes them.
std::vector<GradientPiece> gradient_pieces(const FlatParameters& parameters, std::int64_t count);

/// When a walk from `root` will have finished each.
void find_last_ops(std::span<GradientPiece> pieces, const FlatParameters& parameters, const Node& root);
/// Zeros in a finished piece for parameters that no gradient has reached.
void clear_unreached(const GradientPiece& piece, const FlatParameters& parameters);

/// Walks back from a loss of one element and gathers the gradients. Beside the walk each piece's squares are summed up
/// as soon as it is finished.
Gradients gradients_of(const Variable& loss, const FlatParameters& parameters);

}  // namespace tk
