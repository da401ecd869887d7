#include "nn/parallel/gradient_tree.h"

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "nn/embedding.h"
#include "nn/linear.h"
#include "tensor/capture.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/join.h"
#include "tensor/ops/reduce.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/golden.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

constexpr std::int64_t kEntries = 50, kDim = 20, kOutputs = 5000;  // several chunks of a norm

// A table with a sparse gradient below a linear layer, and leaves that each read other rows of it.
struct Model {
  Model()
      : words(kEntries, kDim, true, Init::kZeros),
        linear(kDim, kOutputs, true, Init::kZeros),
        last(kOutputs, 10, true, Init::kZeros) {
    init_normal(words.weight.value(), 0, 1, 7, 0);
    init_normal(linear.weight.value(), 0, 0.1, 7, 1);
    init_normal(last.weight.value(), 0, 0.1, 7, 2);
    words.collect(list, "words");
    linear.collect(list, "linear");
    last.collect(list, "last");
  }

  static std::vector<std::int64_t> rows(std::int64_t leaves) {
    std::vector<std::int64_t> all;
    for (std::int64_t leaf = 0; leaf < leaves; ++leaf) all.push_back(leaf == 2 ? 0 : 3 + leaf);  // one is empty
    return all;
  }

  void backward(std::int64_t leaf, std::int64_t rows, const WalkWatch& watch = {}) {
    if (rows == 0) return;
    std::vector<std::int32_t> ids;
    for (std::int64_t i = 0; i < rows; ++i) ids.push_back(static_cast<std::int32_t>((7 * leaf + 3 * i * i) % kEntries));
    const Variable loss = sum(square(last(tanh(linear(words(from_values(ids)))))));
    walk_back(loss.node(), full({}, 1), false, watch);
  }

  Embedding words;
  Linear linear, last;
  ParameterList list;
};

Gradients summed(Communicator& ranks, std::int64_t leaves, const TreeSumOptions& options = {}) {
  Model model;
  const FlatParameters flat(model.list);
  const std::vector<std::int64_t> rows = Model::rows(leaves);
  Gradients sum = tree_sum(
      ranks, flat, rows,
      [&](std::int64_t leaf, const WalkWatch& watch) {
        model.backward(leaf, rows[static_cast<std::size_t>(leaf)], watch);
      },
      options);
  sum.dense = sum.dense.clone();
  return sum;
}

}  // namespace

TEST_CASE("gradient tree: the leaves' gradients are summed pair by pair, and joined rows in the leaves' order") {
  const std::int64_t leaves = 5;
  const Gradients all = summed(alone(), leaves);
  std::vector<Tensor> dense;
  Tensors ids, rows;
  for (std::int64_t leaf = 0; leaf < leaves; ++leaf) {
    Model model;
    const FlatParameters flat(model.list);
    model.backward(leaf, Model::rows(leaves)[static_cast<std::size_t>(leaf)]);
    const Gradients its = flat.gather();
    dense.push_back(its.dense.clone());
    ids.push_back(its.sparse[0].ids);
    rows.push_back(its.sparse[0].rows);
  }
  CHECK(same_bits(all.dense, ((dense[0] + dense[1]) + (dense[2] + dense[3])) + dense[4]));
  const SparseRows joined = coalesce({join(ids), join(rows)});
  CHECK(same_bits(all.sparse[0].ids, joined.ids));
  CHECK(same_bits(all.sparse[0].rows, joined.rows));
}

TEST_CASE("gradient tree: every rank has its run of leaves, and there is one for each") {
  for (const int ranks : {1, 2, 3, 8}) {
    std::int64_t end = 0;
    for (int rank = 0; rank < ranks; ++rank) {
      const Leaves its = leaves_of(8, rank, ranks);
      CHECK(its.begin == end);
      CHECK(its.count() >= 8 / ranks);
      end = its.end;
    }
    CHECK(end == 8);
  }
  CHECK_THROWS_WITH(leaves_of(2, 0, 3), ContainsSubstring("a micro-batch for each of 3 ranks, got 2"));
}

TEST_CASE("gradient tree: ranks get the bits of one, and send what the formula says", "[.ranks]") {
  const std::unique_ptr<Communicator> ranks =
      join_ranks(launch_of_environment(), Device::kCpu, std::chrono::seconds(60));
  // With as many leaves as ranks pieces go while backward runs.
  for (const std::int64_t leaves : {std::int64_t{ranks->size()}, std::int64_t{8}, std::int64_t{11}, std::int64_t{16}}) {
    INFO(leaves << " leaves, rank " << ranks->rank() << " of " << ranks->size());
    const std::int64_t before = ranks->bytes_sent();
    const Gradients together = summed(*ranks, leaves), by_one = summed(alone(), leaves);
    CHECK(same_bits(together.dense, by_one.dense));
    CHECK(same_bits(together.sparse[0].ids, by_one.sparse[0].ids));
    CHECK(same_bits(together.sparse[0].rows, by_one.sparse[0].rows));
    if (leaves == ranks->size() || leaves % ranks->size() != 0 || (ranks->size() & (ranks->size() - 1)) != 0) continue;
    // Of n elements all but the own part leave, and the sum of that part goes to each other rank; so do the own rows.
    const std::vector<std::int64_t> bounds = ranges_of(by_one.dense.numel(), ranks->size());
    const auto rank = static_cast<std::size_t>(ranks->rank());
    const std::int64_t others = ranks->size() - 1, part = bounds[rank + 1] - bounds[rank];
    const Leaves own = leaves_of(leaves, ranks->rank(), ranks->size());
    std::int64_t rows = 0;
    for (std::int64_t leaf = own.begin; leaf < own.end; ++leaf)
      rows += Model::rows(leaves)[static_cast<std::size_t>(leaf)];
    const std::int64_t dense = by_one.dense.numel() - part + others * part;
    CHECK(ranks->bytes_sent() - before == 4 * (dense + others * rows * (1 + kDim)));
  }
}

TEST_CASE(
    "gradient tree: in bfloat16 half the bytes leave and the sums are near, and ungathered the own range is right",
    "[.ranks]") {
  const std::unique_ptr<Communicator> ranks =
      join_ranks(launch_of_environment(), Device::kCpu, std::chrono::seconds(60));
  const std::int64_t leaves = 8;
  const Gradients by_one = summed(alone(), leaves);
  const std::int64_t start = ranks->bytes_sent();
  const Gradients exact = summed(*ranks, leaves);
  const std::int64_t middle = ranks->bytes_sent();
  const Gradients rounded = summed(*ranks, leaves, {.wire = DType::kBFloat16});
  const std::int64_t end = ranks->bytes_sent();
  std::int64_t ids = 0;
  const Leaves own = leaves_of(leaves, ranks->rank(), ranks->size());
  for (std::int64_t leaf = own.begin; leaf < own.end; ++leaf)
    ids += Model::rows(leaves)[static_cast<std::size_t>(leaf)];
  ids *= 4 * (ranks->size() - 1);
  CHECK(2 * (end - middle - ids) == middle - start - ids);
  const double largest = max(abs(by_one.dense)).item();
  CHECK(largest_difference(rounded.dense, by_one.dense) > 0);
  CHECK(largest_difference(rounded.dense, by_one.dense) < largest / 64);  // 2^-8 for each of a few roundings
  CHECK(largest_difference(rounded.sparse[0].rows, by_one.sparse[0].rows) <
        max(abs(by_one.sparse[0].rows)).item() / 64);

  const Gradients own_range = summed(*ranks, leaves, {.gathers = false});
  const std::vector<std::int64_t> bounds = ranges_of(by_one.dense.numel(), ranks->size());
  const auto rank = static_cast<std::size_t>(ranks->rank());
  const auto range = [&](const Tensor& x) { return x.narrow(0, bounds[rank], bounds[rank + 1] - bounds[rank]); };
  CHECK(same_bits(range(own_range.dense), range(by_one.dense)));
}

TEST_CASE("gradient tree: pieces leave while backward runs, those that it finishes first before others", "[.ranks]") {
  const std::unique_ptr<Communicator> ranks =
      join_ranks(launch_of_environment(), Device::kCpu, std::chrono::seconds(60));
  Model model;
  const FlatParameters flat(model.list);
  std::int64_t sent_before_the_end = 0;
  const std::int64_t before = ranks->bytes_sent();
  const auto backward = [&](std::int64_t leaf, const WalkWatch& watch) {
    const WalkWatch noting{.begin = watch.begin, .after = [&](const Node& op) {
                             watch.after(op);
                             if (std::string(op.name) == "tanh") sent_before_the_end = ranks->bytes_sent() - before;
                           }};
    model.backward(leaf, 4, noting);
  };
  tree_sum(*ranks, flat, std::vector<std::int64_t>(static_cast<std::size_t>(ranks->size()), 4), backward);
  CHECK(sent_before_the_end > 0);
  CHECK(sent_before_the_end < ranks->bytes_sent() - before);
}

TEST_CASE("cuda gradient tree: a rank alone has backward's bits, its pieces beside backward, recorded or not") {
  if (!has_cuda()) return;
  std::unique_ptr<Communicator> one;
  try {
    ::setenv(kIdVariable, new_nccl_id().c_str(), 1);
    one = join_ranks({.by = Launch::By::kProgram}, Device::kCuda, std::chrono::seconds(60));
    ::unsetenv(kIdVariable);
  } catch (const Error& error) {
    WARN("cuda: skipped, " << error.what());
    return;
  }
  Linear first(64, 3000), last(3000, 50);
  ParameterList list;
  first.collect(list, "first");
  last.collect(list, "last");
  for (const NamedParameter& named : list) named.parameter->move_to(Device::kCuda);
  const FlatParameters flat(list);
  const Variable x(full({32, 64}, 0.5, DType::kFloat32, Device::kCuda));
  const Tensor dy = full({}, 1, DType::kFloat32, Device::kCuda), sum_there = zeros_like(flat.grad);
  const auto backward = [&](const WalkWatch& watch) {
    walk_back(sum(square(last(tanh(first(x))))).node(), dy, false, watch);
  };
  backward({});
  const Tensor expected = flat.grad.to(Device::kCpu).clone();
  flat.clear_gradients();
  const auto run = [&] {
    sum_there.copy_from(tree_sum(*one, flat, std::vector<std::int64_t>{0}, [&](std::int64_t, const WalkWatch& watch) {
                          backward(watch);
                        }).dense);
    flat.clear_gradients();
  };
  run();
  CHECK(same_bits(sum_there.to(Device::kCpu), expected));
  const Capture recorded = Capture::record(Device::kCuda, run);
  for (int turn = 0; turn < 3; ++turn) {
    sum_there.fill(0);
    recorded.replay();
    one->milestone()();
    CHECK(same_bits(sum_there.to(Device::kCpu), expected));
  }
}
