#include "autograd/engine.h"

#include <algorithm>
#include <exception>
#include <queue>
#include <set>
#include <vector>

#include "autograd/grad_mode.h"
#include "tensor/beside.h"
#include "tensor/io/problem_text.h"

namespace tk {
namespace {

struct BySequence {
  bool operator()(const std::shared_ptr<Node>& a, const std::shared_ptr<Node>& b) const {
    return a->sequence < b->sequence;
  }
};

// The nodes that wait for their turn. Whatever still waits when a walk ends early is put back to rest.
class Walk {
 public:
  ~Walk() {
    while (!queue_.empty()) take();
    for (const auto& node : rest_) node->grad.clear();
  }

  void push(const std::shared_ptr<Node>& node) {
    if (node->pending || node->leaf) return;
    node->pending = true;
    queue_.push(node);
  }

  std::shared_ptr<Node> next() {
    std::shared_ptr<Node> node = queue_.top();
    queue_.pop();
    node->pending = false;
    return node;
  }

  bool empty() const { return queue_.empty(); }

 private:
  void take() { rest_.push_back(next()); }

  std::priority_queue<std::shared_ptr<Node>, std::vector<std::shared_ptr<Node>>, BySequence> queue_;
  std::vector<std::shared_ptr<Node>> rest_;
};

// What a walk asked for beside itself is done when it has ended.
class Beside {
 public:
  Beside() = default;
  static void join() {
    for (const Device device : kAllDevices) join_beside(device);
  }
  ~Beside() {
    try {
      join();
    } catch (const Error&) {  // what was thrown first matters
    }
  }
  Beside(const Beside&) = delete;
  Beside& operator=(const Beside&) = delete;
};

void run(Node& node, bool retain_graph) {
  const Tensor dy = node.grad.take();
  TK_CHECK(node.backward, "backward of ", node.name,
           ": its graph was already used up; pass retain_graph to walk it again");
  Destinations to(node);
  const WithProductPrecision precision(node.precision);
  try {
    node.backward(dy, to);
  } catch (const std::exception& error) {
    for (const auto& input : node.inputs) {
      if (input && !input->leaf) input->grad.clear();
    }
    throw Error(concat("backward of ", node.name, ": ", problem_text(error)));
  }
  if (retain_graph) return;
  node.backward = nullptr;
  node.recipe = nullptr;
}

}  // namespace

void walk_back(const std::shared_ptr<Node>& root, const Tensor& dy, bool retain_graph, const WalkWatch& watch) {
  const NoGrad no_grad;
  if (watch.begin) watch.begin(*root);
  root->grad.add(dy);
  const Beside beside;
  Walk walk;
  walk.push(root);
  while (!walk.empty()) {
    const std::shared_ptr<Node> node = walk.next();
    run(*node, retain_graph);
    for (const std::shared_ptr<Node>& input : node->inputs) {
      if (input && input->grad.filled()) walk.push(input);
    }
    if (!retain_graph) node->inputs.clear();
    if (watch.after) watch.after(*node);
  }
  Beside::join();
}

std::map<const Node*, std::uint64_t> last_ops(const Node& root) {
  std::map<const Node*, std::uint64_t> last;
  std::set<const Node*> seen = {&root};
  std::vector<const Node*> waiting = {&root};
  while (!waiting.empty()) {
    const Node& node = *waiting.back();
    waiting.pop_back();
    for (const std::shared_ptr<Node>& input : node.inputs) {
      if (!input) continue;
      if (input->leaf) {
        const auto [at, is_new] = last.try_emplace(input.get(), node.sequence);
        if (!is_new) at->second = std::min(at->second, node.sequence);
      } else if (seen.insert(input.get()).second) {
        waiting.push_back(input.get());
      }
    }
  }
  return last;
}

}  // namespace tk
