#include "transkimmer/cli/run/tree_lstm.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/softmax.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/reduce.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

namespace tk {
namespace {

using namespace test;

// One-hot of pair i of each merge, and what the model was asked.
ChoosePair pairs(const std::vector<std::int64_t>& which, std::vector<Shape>* asked = nullptr) {
  return [which, asked](const Variable& scores, std::int64_t merge) {
    if (asked != nullptr) asked->push_back(scores.shape());
    const Tensor chosen = zeros(scores.shape());
    chosen.select(1, which.at(static_cast<std::size_t>(merge))).fill(1);
    return Variable(chosen);
  };
}

TEST_CASE("tree_lstm: merges until one node is left, and the last merge is no choice") {
  manual_seed(2);
  const TreeLstm model(15, 8, 10);
  std::vector<Shape> asked;
  const Tensor tokens = from_values<std::int32_t>({1, 2, 3, 4, 5, 6, 7, 8}, {2, 4});
  CHECK(model(tokens, pairs({1, 0}, &asked)).shape() == Shape{2, 10});
  CHECK(asked == std::vector<Shape>{{2, 3}, {2, 2}});
  CHECK(model(tokens.narrow(1, 0, 1), pairs({})).shape() == Shape{2, 10});
}

TEST_CASE("tree_lstm: nodes before the chosen pair stay and those behind it move up") {
  manual_seed(2);
  const TreeLstm model(15, 8, 10);
  const auto answer = [&](std::vector<std::int32_t> tokens, const std::vector<std::int64_t>& which) {
    return model(from_values(tokens, {1, std::ssize(tokens)}), pairs(which)).value();
  };
  // ((a b) (c d)): whichever of the two pairs is merged first.
  CHECK(difference(answer({1, 2, 3, 4}, {0, 1}), answer({1, 2, 3, 4}, {2, 0}), {1e-6, 1e-6}) == "");
  // (((a b) c) d) is another tree, and so is (a (b (c d))).
  CHECK(difference(answer({1, 2, 3, 4}, {0, 0}), answer({1, 2, 3, 4}, {0, 1}), {1e-4, 1e-4}) != "");
  CHECK(difference(answer({1, 2, 3, 4}, {2, 1}), answer({1, 2, 3, 4}, {0, 1}), {1e-4, 1e-4}) != "");
}

TEST_CASE("tree_lstm: the scores get a gradient through the choices") {
  manual_seed(2);
  TreeLstm model(15, 8, 10);
  const ChoosePair soft = [](const Variable& scores, std::int64_t) { return softmax(scores); };
  sum(square(model(from_values<std::int32_t>({1, 2, 3, 4}, {1, 4}), soft))).backward();
  for (const NamedParameter& named : model.parameters()) {
    INFO(named.names.front());
    CHECK(sum(abs(named.parameter->variable().grad())).item() > 0);
  }
}

}  // namespace
}  // namespace tk
