#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "autograd/engine.h"
#include "nn/flat_parameters.h"
#include "tensor/communicator.h"

// Gradients of many ranks, summed to the same bits whatever the ranks' number. The micro-batches of a step are the
// leaves of one binary tree: [begin, end) of them is the sum of [begin, middle) and [middle, end), with half the next
// power of two in front. Each rank has a run of leaves, sums the subtrees that are its own, and sends of these the
// range that another rank is to finish; then all get what all finished. With n elements, N ranks and powers of two of
// leaves and ranks that is 2 n (N - 1) / N elements sent by each, as in a ring.
namespace tk {

/// A run of micro-batches, or a subtree over them.
struct Leaves {
  std::int64_t begin = 0;
  std::int64_t end = 0;

  std::int64_t count() const { return end - begin; }
};

/// Those of a rank; none has none. Throws where there are fewer leaves than ranks.
Leaves leaves_of(std::int64_t leaves, int rank, int ranks);

/// The range of n flat elements that each rank finishes, in whole chunks of a norm's partial sums: [ranks + 1] bounds.
std::vector<std::int64_t> ranges_of(std::int64_t n, int ranks);

struct TreeSumOptions {
  DType wire = DType::kFloat32;  ///< of what is sent; in bfloat16 half the bytes, and bits that depend on the ranks
  bool gathers = true;           ///< else each rank's dense sum is right in its own range alone
  /// Where each rank has one leaf: the dense gradient goes in pieces, each as soon as backward has finished it, beside
  /// what backward still does. The same bits.
  bool overlaps = true;
};

/// Adds the gradients of one of this rank's leaves to the parameters, by one walk back that `watch` follows, or by none
/// where there are none.
using LeafBackward = std::function<void(std::int64_t leaf, const WalkWatch& watch)>;

/// The sum of the gradients of all leaves; `backward` is called for each of this rank's, in their order. Of a sparse
/// parameter leaf i has at most rows[i] rows; the leaves' are joined in their order and coalesced. The result may lie
/// in the parameters' own buffers, and is for Optimizer::apply.
Gradients tree_sum(Communicator& ranks, const FlatParameters& parameters, std::span<const std::int64_t> rows,
                   const LeafBackward& backward, const TreeSumOptions& options = {});

}  // namespace tk
