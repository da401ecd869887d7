#include "nn/parallel/gradient_tree.h"

#include <algorithm>
#include <bit>
#include <map>
#include <vector>

#include "nn/gradient_pieces.h"
#include "tensor/beside.h"
#include "tensor/ops/elementwise.h"

namespace tk {
namespace {

std::int64_t middle(const Leaves& tree) {
  return tree.begin + static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(tree.count()))) / 2;
}
Leaves left(const Leaves& tree) { return {tree.begin, middle(tree)}; }
Leaves right(const Leaves& tree) { return {middle(tree), tree.end}; }

// The largest subtrees of `tree` whose leaves are all among `own`, in order.
void add_subtrees(const Leaves& tree, const Leaves& own, std::vector<Leaves>& found) {
  if (own.begin <= tree.begin && tree.end <= own.end) return found.push_back(tree);
  if (tree.end <= own.begin || own.end <= tree.begin) return;
  add_subtrees(left(tree), own, found);
  add_subtrees(right(tree), own, found);
}

std::vector<Leaves> subtrees(std::int64_t leaves, const Leaves& own) {
  std::vector<Leaves> found;
  add_subtrees({0, leaves}, own, found);
  return found;
}

class TreeSum {
 public:
  TreeSum(Communicator& ranks, const FlatParameters& parameters, std::span<const std::int64_t> rows,
          const TreeSumOptions& options)
      : ranks_(ranks),
        parameters_(parameters),
        options_(options),
        leaves_(std::ssize(rows)),
        own_(leaves_of(leaves_, ranks.rank(), ranks.size())),
        starts_({0}),
        whole_({{.begin = 0, .end = parameters.grad.numel()}}) {
    for (const std::int64_t n : rows) starts_.push_back(starts_.back() + n);
    for (const SparseParameter& entry : parameters.sparse) {
      const Tensor& value = entry.parameter->value();
      const Tensor ids = empty({starts_.back()}, DType::kInt32, value.device());
      ids.fill(-1);
      sparse_.push_back({ids, zeros({starts_.back(), value.size(1)}, DType::kFloat32, value.device())});
    }
  }

  Gradients operator()(const LeafBackward& backward) {
    const bool overlaps = options_.overlaps && options_.gathers && leaves_ == ranks_.size();
    if (overlaps) {
      sum_beside(backward);
    } else {
      for (const Leaves& tree : subtrees(leaves_, own_)) sums_.emplace(tree.begin, sum_here(tree, backward));
      sum_everywhere(whole_);
      gather_rows();
    }
    Gradients all{.dense = parameters_.grad, .sparse = {}};
    for (const SparseRows& rows : sparse_) all.sparse.push_back(coalesce(rows));
    if (overlaps) ranks_.join();
    return all;
  }

 private:
  // The sum of a subtree of this rank's; the last leaf's gradient stays where backward put it.
  Tensor sum_here(const Leaves& tree, const LeafBackward& backward) {
    if (tree.count() > 1) {
      Tensor sum = sum_here(left(tree), backward);
      add_here(sum, right(tree), backward);
      return sum;
    }
    const Tensor& gradient = gradient_of(tree.begin, backward);
    if (tree.end == own_.end) return gradient;
    Tensor sum = gradient.clone();
    parameters_.clear_gradients();
    return sum;
  }

  void add_here(const Tensor& sum, const Leaves& tree, const LeafBackward& backward) {
    if (tree.count() > 1) return add_to(sum, sum_here(tree, backward));
    add_to(sum, gradient_of(tree.begin, backward));
    parameters_.clear_gradients();
  }

  // The dense gradient of a leaf, in the parameters' buffer; rows are noted.
  const Tensor& gradient_of(std::int64_t leaf, const LeafBackward& backward) {
    backward(leaf, watch_);
    const Gradients gradients = parameters_.gather();
    for (std::size_t i = 0; i < sparse_.size(); ++i) note(sparse_[i], leaf, gradients.sparse[i]);
    return parameters_.grad;
  }

  void note(const SparseRows& all, std::int64_t leaf, const SparseRows& its) const {
    const auto at = static_cast<std::size_t>(leaf);
    const std::int64_t n = its.ids.numel();
    TK_CHECK(n <= starts_[at + 1] - starts_[at], "tree_sum: expected at most ", starts_[at + 1] - starts_[at],
             " rows of a sparse gradient, got ", n);
    if (n == 0) return;
    all.ids.narrow(0, starts_[at], n).copy_from(its.ids);
    all.rows.narrow(0, starts_[at], n).copy_from(its.rows);
  }

  // A part of the flat gradient, and what lives until its sum is there.
  struct Piece : GradientPiece {
    std::vector<Message> sends = {}, receives = {};
    std::map<std::int64_t, Tensor> parts = {};  // of this rank's range, by the subtree's first leaf
    Tensor rounded = {};
  };

  // From the end of the gradient to its beginning, as backward goes, and on all ranks in this order, whether they walk
  // or not. The last piece is on its way still when it returns.
  void sum_beside(const LeafBackward& backward) {
    constexpr std::int64_t kPieces = 8;
    std::vector<GradientPiece> ranges = gradient_pieces(parameters_, kPieces);
    std::vector<Piece>& pieces = pieces_;
    for (const GradientPiece& range : ranges) pieces.push_back({range});
    sums_.emplace(own_.begin, parameters_.grad);
    std::size_t next = 0;
    const auto send_next = [&] {
      clear_unreached(pieces[next], parameters_);
      join_beside(ranks_.device());
      const Beside beside(ranks_);
      sum_everywhere(pieces[next++]);
    };
    watch_ = {.begin = [&](const Node& root) { find_last_ops(ranges, parameters_, root); },
              .after =
                  [&](const Node& op) {
                    while (next + 1 < pieces.size() && op.sequence <= ranges[next].last_op) send_next();
                  }};
    gradient_of(own_.begin, backward);
    while (next + 1 < pieces.size()) send_next();
    gather_rows();  // before the last piece, so that they are summed while that is on its way
    while (next < pieces.size()) send_next();
  }

  struct Beside {
    explicit Beside(Communicator& ranks) : ranks(ranks) { ranks.begin_beside(); }
    ~Beside() { ranks.end_beside(); }
    Beside(const Beside&) = delete;
    Beside& operator=(const Beside&) = delete;
    Communicator& ranks;
  };

  // Each rank finishes the tree for a range of the piece's elements.
  void sum_everywhere(Piece& piece) {
    const auto of_piece = [&](const Tensor& flat) { return flat.narrow(0, piece.begin, piece.end - piece.begin); };
    const Tensor all = of_piece(parameters_.grad);
    const std::vector<std::int64_t> bounds = ranges_of(all.numel(), ranks_.size());
    const auto range_of = [&](const Tensor& flat, int rank) {
      const auto i = static_cast<std::size_t>(rank);
      return of_piece(flat).narrow(0, bounds[i], bounds[i + 1] - bounds[i]);
    };
    const Tensor range = range_of(parameters_.grad, ranks_.rank());
    std::vector<std::int64_t> arriving;  // first leaves of what is received
    for (const auto& [leaf, sum] : sums_) piece.parts.emplace(leaf, range_of(sum, ranks_.rank()));
    for (int rank = 0; rank < ranks_.size(); ++rank) {
      if (rank == ranks_.rank()) continue;
      for (const auto& [leaf, sum] : sums_) {
        if (const Tensor x = range_of(sum, rank); x.numel() > 0) piece.sends.push_back({rank, x.to(options_.wire)});
      }
      if (range.numel() == 0) continue;
      for (const Leaves& tree : subtrees(leaves_, leaves_of(leaves_, rank, ranks_.size()))) {
        piece.receives.push_back({rank, empty(range.shape(), options_.wire, range.device())});
        arriving.push_back(tree.begin);
      }
    }
    ranks_.exchange(piece.sends, piece.receives);
    for (std::size_t i = 0; i < arriving.size(); ++i) {
      piece.parts.emplace(arriving[i], piece.receives[i].data.to(DType::kFloat32));
    }
    if (range.numel() > 0) {
      const Tensor sum = finished({0, leaves_}, piece.parts, range);
      if (sum.raw_data() != range.raw_data()) range.copy_from(sum);
    }
    if (options_.gathers) piece.rounded = gather(all, bounds);
  }

  // What it returns lives as long as the work.
  Tensor gather(const Tensor& all, std::span<const std::int64_t> bounds) const {
    if (options_.wire == DType::kFloat32) return ranks_.all_gather(all, bounds), Tensor();
    const Tensor sent = all.to(options_.wire);
    ranks_.all_gather(sent, bounds);
    all.copy_from(sent);  // the own range too: all ranks update alike
    return sent;
  }

  // In place, and where there is a choice in `range`: a sum of two has the same bits in either order.
  Tensor finished(const Leaves& tree, const std::map<std::int64_t, Tensor>& parts, const Tensor& range) const {
    if (is_part(tree)) return parts.at(tree.begin);
    const Tensor a = finished(left(tree), parts, range), b = finished(right(tree), parts, range);
    const bool into_b = b.raw_data() == range.raw_data();
    add_to(into_b ? b : a, into_b ? a : b);
    return into_b ? b : a;
  }

  // Whether it is one that a rank has summed: on the way down from the root, the first that is a rank's alone.
  bool is_part(const Leaves& tree) const {
    for (int rank = 0; rank < ranks_.size(); ++rank) {
      const Leaves its = leaves_of(leaves_, rank, ranks_.size());
      if (its.begin <= tree.begin && tree.end <= its.end) return true;
    }
    return false;
  }

  // All leaves' rows, for all ranks.
  void gather_rows() const {
    std::vector<std::int64_t> bounds;
    for (int rank = 0; rank < ranks_.size(); ++rank) {
      bounds.push_back(starts_[static_cast<std::size_t>(leaves_of(leaves_, rank, ranks_.size()).begin)]);
    }
    bounds.push_back(starts_.back());
    for (const SparseRows& rows : sparse_) {
      ranks_.all_gather(rows.ids, bounds);
      gather(rows.rows, bounds);
    }
  }

  Communicator& ranks_;
  const FlatParameters& parameters_;
  TreeSumOptions options_;
  std::int64_t leaves_;
  Leaves own_;
  std::vector<std::int64_t> starts_;     // of the leaves' rows among all
  std::vector<SparseRows> sparse_;       // of each sparse parameter, all leaves' rows one after the other
  std::map<std::int64_t, Tensor> sums_;  // of this rank's subtrees, by their first leaf
  Piece whole_;
  std::vector<Piece> pieces_;  // live until join()
  WalkWatch watch_;
};

}  // namespace

std::vector<std::int64_t> ranges_of(std::int64_t n, int ranks) { return even_bounds(n, ranks, kNormChunk); }

Leaves leaves_of(std::int64_t leaves, int rank, int ranks) {
  TK_CHECK(leaves >= ranks, "expected a micro-batch for each of ", ranks, " ranks, got ", leaves);
  return {leaves * rank / ranks, leaves * (rank + 1) / ranks};
}

Gradients tree_sum(Communicator& ranks, const FlatParameters& parameters, std::span<const std::int64_t> rows,
                   const LeafBackward& backward, const TreeSumOptions& options) {
  return TreeSum(ranks, parameters, rows, options)(backward);
}

}  // namespace tk
