#pragma once

#include <memory>

#include "autograd/node.h"

namespace tk {

/// Sends dy back from `root`: nodes in falling order of their sequence, so each one after everything that read it. The
/// order, and with it every sum, depends on the graph alone. Frees what each backward saved as soon as it ran, unless
/// `retain_graph`. An error names the op, and leaves no gradient behind in inner nodes.
void walk_back(const std::shared_ptr<Node>& root, const Tensor& dy, bool retain_graph);

}  // namespace tk
