#include "autograd/variable.h"

#include <algorithm>
#include <utility>

#include "autograd/engine.h"
#include "autograd/grad_mode.h"

namespace tk {
namespace {

std::shared_ptr<Node> make_node(const char* name, const Tensor& value) {
  auto node = std::make_shared<Node>();
  node->name = name;
  node->shape = value.shape();
  node->grad_dtype = value.dtype();
  node->device = value.device();
  return node;
}

// On a GPU a kernel costs some microseconds, however small the value; and small values are little of the memory.
bool is_worth_a_recipe(const Tensor& value) {
  constexpr std::int64_t kLeastBytes = 3 << 20;
  return value.device() == Device::kCpu || value.bytes() >= kLeastBytes;
}

}  // namespace

Variable::Variable(Tensor value, bool requires_grad) : value_(std::move(value)) {
  if (!requires_grad) return;
  TK_CHECK(is_floating(value_.dtype()), "Variable: only floats take gradients, got ", value_.dtype());
  node_ = make_node("leaf", value_);
  node_->leaf = true;
}

Variable::Variable(Tensor value, std::shared_ptr<Node> node) : value_(std::move(value)), node_(std::move(node)) {}

const Tensor& Variable::grad() const {
  TK_CHECK(node_ && node_->leaf, "grad: only a leaf that requires a gradient keeps one");
  return node_->grad.dense();
}

void Variable::zero_grad() const {
  if (node_) node_->grad.clear();
}

void Variable::backward(bool retain_graph) const {
  TK_CHECK(numel() == 1, "backward: without a gradient the value must have one element, got ", shape());
  backward(full(shape(), 1, grad_dtype(), device()), retain_graph);
}

void Variable::backward(const Tensor& dy, bool retain_graph) const {
  TK_CHECK(
      node_,
      "backward: the value takes no gradient (no input required one, or it was made under NoGrad; a gradient has no "
      "past either: gradients of gradients are not recorded)");
  TK_CHECK(dy.shape() == shape() && dy.dtype() == grad_dtype(), "backward: expected a gradient of ", grad_dtype(), ' ',
           shape(), ", got ", dy.dtype(), ' ', dy.shape());
  walk_back(node_, dy, retain_graph);
}

Saved::Saved(const Variable& variable) {
  if (variable.has_recipe()) {
    recipe_ = variable.node()->recipe;
  } else {
    *this = Saved(variable.value());
  }
}

Tensor Saved::get() const {
  if (recipe_) return (*recipe_)();
  TK_CHECK(tensor_.version() == version_, "a saved tensor of shape ", tensor_.shape(),
           " was changed since the forward pass (version ", tensor_.version(), ", saved at ", version_, ")");
  return tensor_;
}

Variables in_place(std::initializer_list<InputAt> inputs) {
  Variables all(inputs.size());
  std::vector<bool> taken(inputs.size());
  for (const InputAt& input : inputs) {
    TK_CHECK(input.place < all.size() && !taken[input.place], "record: input ", input.place, " of ", all.size(),
             " is none, or comes twice");
    taken[input.place] = true;
    all[input.place] = input.variable;
  }
  return all;
}

Variable record_node(const char* name, Recorded recorded, std::span<const Variable> inputs, Node::Backward backward) {
  Tensor& value = recorded.value;
  const auto takes_gradient = [](const Variable& input) { return input.requires_grad(); };
  if (!grad_enabled() || std::ranges::none_of(inputs, takes_gradient)) return Variable(std::move(value));
  std::shared_ptr<Node> node = make_node(name, value);
  for (const Variable& input : inputs) node->inputs.push_back(input.node());
  node->backward = std::move(backward);
  if (recorded.grad_dtype) node->grad_dtype = *recorded.grad_dtype;
  if (recorded.recipe && is_worth_a_recipe(value)) {
    node->recipe = std::make_shared<const Node::Recipe>(std::move(recorded.recipe));
    node->version = value.version();
  }
  return Variable(std::move(value), std::move(node));
}

// A node for the op, and behind it one for each value, which hands its gradient on.
Variables record_values(const char* name, const Tensors& values, std::span<const Variable> inputs,
                        BackwardOfValues backward) {
  Variables variables;
  const Variable op = record_node(name, values.at(0), inputs, {});
  if (op.node() != nullptr) {
    op.node()->backward = [node = op.node().get(), count = values.size(), backward = std::move(backward)](
                              const Tensor&, Destinations& to) {
      Tensors dys = node->grad.take_of_values();
      dys.resize(count);
      backward(dys, to);
    };
  }
  for (std::size_t k = 0; k < values.size(); ++k) {
    variables.push_back(record_node(name, values[k], std::span(&op, 1),
                                    [k](const Tensor& dy, Destinations& to) { to.put_of_value(0, k, dy); }));
  }
  return variables;
}

}  // namespace tk
