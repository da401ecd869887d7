#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "autograd/node.h"

namespace tk {

/// Who follows a walk back.
struct WalkWatch {
  std::function<void(const Node& root)> begin = {};  ///< before the first op
  std::function<void(const Node& op)> after = {};    ///< after each op; all with larger sequences have run
};

/// Sends dy back from `root`: nodes in falling order of their sequence, so each one after everything that read it. The
/// order, and with it every sum, depends on the graph alone. Frees what each backward saved as soon as it ran, unless
/// `retain_graph`. An error names the op, and leaves no gradient behind in inner nodes.
void walk_back(const std::shared_ptr<Node>& root, const Tensor& dy, bool retain_graph, const WalkWatch& watch = {});

/// For each leaf that a walk from `root` reaches the sequence of the op after which nothing is added to its gradient.
std::map<const Node*, std::uint64_t> last_ops(const Node& root);

}  // namespace tk
