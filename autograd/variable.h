#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "autograd/node.h"
#include "tensor/tensor.h"

namespace tk {

/// A tensor and its place in the recorded graph: a cheap value handle. Ops on variables record how to go back as long
/// as an input requires a gradient and grad_enabled().
class Variable {
 public:
  Variable() = default;
  /// A leaf. With requires_grad, backward() gathers its gradient; the dtype must then be a float.
  explicit Variable(Tensor value, bool requires_grad = false);
  Variable(Tensor value, std::shared_ptr<Node> node);

  bool defined() const { return value_.defined(); }
  const Tensor& value() const { return value_; }
  const Shape& shape() const { return value_.shape(); }
  std::int64_t size(std::int64_t i) const { return value_.size(i); }
  std::int64_t numel() const { return value_.numel(); }
  DType dtype() const { return value_.dtype(); }
  /// The dtype of its gradient: float32 for a parameter's bfloat16 copy and the views of it, else its own.
  DType grad_dtype() const { return node_ ? node_->grad_dtype : dtype(); }
  Device device() const { return value_.device(); }
  double item() const { return value_.item(); }

  bool requires_grad() const { return node_ != nullptr; }
  bool is_leaf() const { return node_ == nullptr || node_->leaf; }
  /// Whether a Saved of it keeps a recipe, not the value: it was recorded with one, and not written since.
  bool has_recipe() const { return node_ && node_->recipe && node_->version == value_.version(); }
  /// The gradient gathered so far; undefined when none arrived. Throws unless this is a leaf that requires one.
  const Tensor& grad() const;
  void zero_grad() const;
  /// Entry i of dimension 0: select(x, 0, i), of autograd/ops/shape.h.
  Variable operator[](std::int64_t i) const;
  /// The same value without a past.
  Variable detach() const { return Variable(value_); }

  /// Walks the graph back from here and adds to the gradient of every leaf. Without an argument the value must have one
  /// element, and dy is 1. The graph is used up, unless `retain_graph`; a second walk over it throws. Gradients are
  /// tensors without a past: those of gradients are not recorded.
  void backward(bool retain_graph = false) const;
  void backward(const Tensor& dy, bool retain_graph = false) const;

  const std::shared_ptr<Node>& node() const { return node_; }

 private:
  Tensor value_;
  std::shared_ptr<Node> node_;  // null: takes no gradient
};

using Variables = std::vector<Variable>;

/// A tensor that a backward keeps, or the recipe that computes it again at each reading: read once. Throws when what is
/// kept was written since it was saved.
class Saved {
 public:
  Saved() = default;
  explicit Saved(Tensor tensor) : tensor_(std::move(tensor)), version_(tensor_.version()) {}
  explicit Saved(const Variable& variable);

  operator Tensor() const { return get(); }
  Tensor get() const;

 private:
  Tensor tensor_;
  std::uint64_t version_ = 0;
  std::shared_ptr<const Node::Recipe> recipe_;  // instead of the tensor
};

/// An op's value; with a recipe, the backwards that read it compute it again instead of keeping it. For ops that cost
/// little and whose own backward keeps what the recipe reads. It gives the same bits and reads Saved tensors; where one
/// of these has a recipe itself there is none, so that recipes do not nest.
struct Recorded {
  Recorded(Tensor value) : value(std::move(value)) {}
  Recorded(Tensor value, Node::Recipe recipe) : value(std::move(value)), recipe(std::move(recipe)) {}
  Recorded(Tensor value, DType grad_dtype) : value(std::move(value)), grad_dtype(grad_dtype) {}

  Tensor value;
  Node::Recipe recipe;
  std::optional<DType> grad_dtype;  ///< where it is not the value's: a view has that of what it is part of
};

/// An input at the place that its op's backward knows it by: an enumerator, so that list and backward cannot drift
/// apart.
struct InputAt {
  std::size_t place;
  Variable variable;
};

/// A variable that remembers how to go back to `inputs`. `backward` is called with dy once in a walk, and either
/// returns one gradient an input (undefined: zero), or takes the Destinations and fills them. What it captures, it
/// keeps alive until the graph is used up: wrap saved tensors in Saved. Undefined inputs are allowed.
Variable record_node(const char* name, Recorded recorded, std::span<const Variable> inputs, Node::Backward backward);

/// The same for an op of several values: a variable of each. `backward` is called once in a walk, with the gradient of
/// each value, undefined where none arrived.
using BackwardOfValues = std::function<void(const Tensors& dys, Destinations& to)>;
Variables record_values(const char* name, const Tensors& values, std::span<const Variable> inputs,
                        BackwardOfValues backward);

/// The inputs by their places, which are 0, 1, 2 ...
Variables in_place(std::initializer_list<InputAt> inputs);

template <class F>
Variable record(const char* name, Recorded recorded, std::span<const Variable> all, F backward) {
  if constexpr (std::invocable<F, const Tensor&, Destinations&>) {
    return record_node(name, std::move(recorded), all, std::move(backward));
  } else {
    return record_node(name, std::move(recorded), all,
                       [backward = std::move(backward)](const Tensor& dy, Destinations& to) {
                         const Tensors gradients = backward(dy);
                         TK_CHECK(gradients.size() == to.size(), "returned ", gradients.size(), " gradients for ",
                                  to.size(), " inputs");
                         for (std::size_t i = 0; i < gradients.size(); ++i) to.add_if_wanted(i, gradients[i]);
                       });
  }
}

template <class F>
Variable record(const char* name, Recorded recorded, std::initializer_list<Variable> inputs, F backward) {
  return record(name, std::move(recorded), std::span(inputs.begin(), inputs.size()), std::move(backward));
}

/// The same with named inputs: `enum : std::size_t { kX, kW }; record("matmul", y, {{kX, x}, {kW, w}}, ...)`.
template <class F>
Variable record(const char* name, Recorded recorded, std::initializer_list<InputAt> inputs, F backward) {
  return record(name, std::move(recorded), in_place(inputs), std::move(backward));
}

}  // namespace tk
