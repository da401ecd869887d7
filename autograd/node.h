#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "tensor/kernel_arguments.h"
#include "tensor/ops/index.h"
#include "tensor/precision.h"
#include "tensor/tensor.h"

namespace tk {

class Destinations;

/// Where the gradient of one value gathers. Three ways in: a whole gradient, a buffer that a kernel writes or adds to
/// by itself, and (for a leaf that allows it) the rows of an embedding. An op of several values gathers one of each.
class GradSlot {
 public:
  /// Uses `buffer` for the gradient instead of allocating: a range of a flat gradient buffer. What arrived before is
  /// copied there; else what it holds is not read.
  void use_buffer(const Tensor& buffer);
  /// Takes the gradient to another device, out of a buffer if it lies in one.
  void move_to(Device device);
  void allow_sparse() { sparse_allowed_ = true; }

  bool filled() const { return filled_ || !sparse_.empty() || !of_values_.empty(); }
  bool sparse_allowed() const { return sparse_allowed_; }
  /// Undefined when nothing arrived; a buffer then has what it had.
  const Tensor& dense() const { return grad_; }
  const std::vector<SparseRows>& sparse() const { return sparse_; }

  void add(const Tensor& gradient);
  /// A tensor like `shape` to write to (add = false) or to add to (add = true).
  SumTarget target(const Shape& shape, DType dtype, Device device);
  /// The same for work of run_beside(): what arrives otherwise, comes after it.
  SumTarget target_beside(const Shape& shape, DType dtype, Device device);
  /// Adds to entries [start, start + n) of dimension `dim` of a gradient of `shape`.
  void add_range(const Shape& shape, std::int64_t dim, std::int64_t start, const Tensor& gradient);
  void add_sparse(SparseRows rows) { sparse_.push_back(std::move(rows)); }
  /// Of value k of an op that has several: all of its gradient.
  void put_of_value(std::size_t k, const Tensor& gradient);

  /// The gathered gradient; the slot is empty afterwards.
  Tensor take();
  /// Those of an op's values, undefined behind the last that arrived and where none did; the slot is empty afterwards.
  Tensors take_of_values() { return std::exchange(of_values_, {}); }
  /// Forgets the gradient. A buffer keeps its elements until the next one is written over them.
  void clear();

 private:
  void join();
  bool owns() const { return owned_ || (grad_.is_unshared() && grad_.is_contiguous()); }
  void own();

  Tensor grad_;
  std::vector<SparseRows> sparse_;
  Tensors of_values_;
  bool filled_ = false;
  bool owned_ = false;   // nobody else sees the tensor, so adding in place is safe
  bool buffer_ = false;  // grad_ is a given buffer
  bool beside_ = false;  // work beside may be writing to it
  bool sparse_allowed_ = false;
};

/// One recorded op (or a leaf): what it was called on and how a gradient goes back.
struct Node {
  using Backward = std::function<void(const Tensor& dy, Destinations& to)>;
  using Recipe = std::function<Tensor()>;

  const char* name = "";
  std::uint64_t sequence = 0;  ///< grows with every node: inputs always have smaller ones
  Shape shape;
  DType grad_dtype = DType::kFloat32;  ///< of the gradient: the value's but for a parameter's copy, and views of it
  Device device = Device::kCpu;
  ProductPrecision precision = product_precision();  ///< of its products, on the way back too
  std::vector<std::shared_ptr<Node>> inputs;         ///< null where an input takes no gradient
  Backward backward;                                 ///< empty for a leaf, and once it was used
  std::shared_ptr<const Recipe> recipe;              ///< computes the value again; null where it is kept instead
  std::uint64_t version = 0;                         ///< of the value that the recipe computes
  bool leaf = false;
  bool pending = false;  ///< waits in a walk
  GradSlot grad;

  Node();
  ~Node();  ///< releases a long chain of inputs without recursion
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
};

/// The inputs of a node as its backward sees them.
class Destinations {
 public:
  explicit Destinations(Node& node) : node_(node) {}

  std::size_t size() const { return node_.inputs.size(); }
  /// Whether input i takes a gradient; if not, the calls below must not be made for it.
  bool wanted(std::size_t i) const { return node_.inputs[i] != nullptr; }
  /// Throws when the gradient's shape, dtype or device is not that of the input's.
  void add(std::size_t i, const Tensor& gradient);
  /// The same; nothing if input i takes no gradient, or the gradient is undefined: zero.
  void add_if_wanted(std::size_t i, const Tensor& gradient) {
    if (wanted(i) && gradient.defined()) add(i, gradient);
  }
  SumTarget target(std::size_t i);
  /// The same, not wanted if input i takes no gradient.
  SumTarget target_if_wanted(std::size_t i) { return wanted(i) ? target(i) : SumTarget(); }
  /// The same. Where input i is a leaf, whose gradient nobody reads before the end of the walk, the sum may be made
  /// beside the walk (tensor/beside.h).
  SumTarget target_beside(std::size_t i);
  /// Calls sum(target_beside(i)) as work beside the walk where that may be, else at once. What `sum` needs it holds.
  void sum_beside(std::size_t i, std::function<void(const SumTarget& target)> sum);
  void add_range(std::size_t i, std::int64_t dim, std::int64_t start, const Tensor& gradient);
  bool sparse_allowed(std::size_t i) const { return node_.inputs[i]->grad.sparse_allowed(); }
  void add_sparse(std::size_t i, SparseRows rows) { node_.inputs[i]->grad.add_sparse(std::move(rows)); }
  void put_of_value(std::size_t i, std::size_t k, const Tensor& gradient) {
    node_.inputs[i]->grad.put_of_value(k, gradient);
  }

 private:
  Node& node_;
};

}  // namespace tk
