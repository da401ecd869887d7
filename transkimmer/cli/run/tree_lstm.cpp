#include "transkimmer/cli/run/tree_lstm.h"

#include "autograd/ops/cumsum.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/join.h"
#include "autograd/ops/shape.h"

namespace tk {

TreeLstm::TreeLstm(std::int64_t tokens, std::int64_t hidden, std::int64_t outputs)
    : hidden_(hidden),
      embedding_(tokens, hidden),
      leaf_(hidden, 2 * hidden),
      compose_(2 * hidden, 5 * hidden),
      score_(hidden, 1, false),
      output_(hidden, outputs) {}

// Nodes are [rows, n, 2 hidden]: h in the left half, c in the right.
Variable TreeLstm::composed(const Variable& left, const Variable& right) const {
  const auto h = [&](const Variable& nodes) { return narrow(nodes, 2, 0, hidden_); };
  const auto c = [&](const Variable& nodes) { return narrow(nodes, 2, hidden_, hidden_); };
  const Variables parts = split(compose_(join({h(left), h(right)}, 2)), hidden_, 2);  // i, f left, f right, o, g
  const Variable cell =
      c(left) * sigmoid(parts[1] + 1.0) + c(right) * sigmoid(parts[2] + 1.0) + tanh(parts[4]) * sigmoid(parts[0]);
  return join({sigmoid(parts[3]) * tanh(cell), cell}, 2);
}

Variable TreeLstm::operator()(const Tensor& tokens, const ChoosePair& choose) const {
  Variable nodes = leaf_(embedding_(tokens));
  for (std::int64_t merge = 0; nodes.size(1) > 1; ++merge) {
    const std::int64_t pairs = nodes.size(1) - 1;
    const Variable left = narrow(nodes, 1, 0, pairs), right = narrow(nodes, 1, 1, pairs);
    const Variable both = composed(left, right);
    if (pairs == 1) {
      nodes = both;
      break;
    }
    const Variable scores = reshape(score_(narrow(both, 2, 0, hidden_)), {tokens.size(0), pairs});
    // A node before the chosen pair stays, one behind it moves up.
    const Variable chosen = choose(scores, merge), up_to = cumsum(chosen, 1);
    nodes = left * unsqueeze(1 - up_to, 2) + both * unsqueeze(chosen, 2) + right * unsqueeze(up_to - chosen, 2);
  }
  return output_(reshape(narrow(nodes, 2, 0, hidden_), {tokens.size(0), hidden_}));
}

}  // namespace tk
