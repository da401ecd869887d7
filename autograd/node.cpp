#include "autograd/node.h"

#include <atomic>
#include <utility>

#include "tensor/beside.h"
#include "tensor/ops/elementwise.h"

namespace tk {
namespace {

std::atomic<std::uint64_t> next_sequence{1};

}  // namespace

void GradSlot::use_buffer(const Tensor& buffer) {
  if (filled_) buffer.copy_from(grad_);
  grad_ = buffer;
  buffer_ = owned_ = true;
}

void GradSlot::move_to(Device device) {
  grad_ = filled_ ? grad_.to(device) : Tensor();
  owned_ = buffer_ = false;
  for (SparseRows& part : sparse_) part = {part.ids.to(device), part.rows.to(device)};
}

void GradSlot::join() {
  if (std::exchange(beside_, false)) join_beside(grad_.device());
}

void GradSlot::own() {
  if (!owned_) grad_ = owns() ? grad_.reshape(grad_.shape()) : grad_.clone();  // the strides of one row may be any
  owned_ = true;
}

void GradSlot::add(const Tensor& gradient) {
  join();
  if (!filled_) {
    if (buffer_) {
      grad_.copy_from(gradient);
    } else {
      grad_ = gradient;
      owned_ = false;
    }
  } else if (owns() && grad_.is_contiguous()) {
    owned_ = true;
    add_to(grad_, gradient);
  } else {
    grad_ = tk::add(grad_, gradient);
    owned_ = true;
  }
  filled_ = true;
}

SumTarget GradSlot::target_beside(const Shape& shape, DType dtype, Device device) {
  beside_ = false;  // work beside is done in its order
  SumTarget result = target(shape, dtype, device);
  result.beside = beside_ = true;
  return result;
}

SumTarget GradSlot::target(const Shape& shape, DType dtype, Device device) {
  join();
  if (filled_) {
    own();
    return {grad_, true};
  }
  if (!buffer_) grad_ = empty(shape, dtype, device);
  owned_ = filled_ = true;
  return {grad_, false};
}

void GradSlot::add_range(const Shape& shape, std::int64_t dim, std::int64_t start, const Tensor& gradient) {
  join();
  if (filled_) {
    own();
  } else if (buffer_) {
    grad_.fill(0);
  } else {
    grad_ = zeros(shape, gradient.dtype(), gradient.device());
  }
  owned_ = filled_ = true;
  const Tensor range = grad_.narrow(dim, start, gradient.shape()[dim]);
  range.is_contiguous() ? add_to(range, gradient) : range.copy_from(tk::add(range, gradient));
}

void GradSlot::put_of_value(std::size_t k, const Tensor& gradient) {
  if (of_values_.size() <= k) of_values_.resize(k + 1);
  of_values_[k] = gradient;
}

Tensor GradSlot::take() {
  beside_ = false;  // after the end of a walk
  filled_ = owned_ = false;
  return std::exchange(grad_, Tensor());
}

void GradSlot::clear() {
  sparse_.clear();
  of_values_.clear();
  if (!buffer_) take();
  filled_ = false;
}

Node::Node() : sequence(next_sequence++) {}

Node::~Node() {
  std::vector<std::shared_ptr<Node>> released = std::move(inputs);
  while (!released.empty()) {
    const std::shared_ptr<Node> node = std::move(released.back());
    released.pop_back();
    if (node.use_count() != 1) continue;
    for (std::shared_ptr<Node>& input : node->inputs) released.push_back(std::move(input));
    node->inputs.clear();
  }
}

void Destinations::add(std::size_t i, const Tensor& gradient) {
  Node& input = *node_.inputs[i];
  TK_CHECK(gradient.shape() == input.shape && gradient.dtype() == input.grad_dtype, "gradient of input ", i, " is ",
           gradient.dtype(), ' ', gradient.shape(), ", expected ", input.grad_dtype, ' ', input.shape);
  TK_CHECK(gradient.device() == input.device, "gradient of input ", i, " lies on ", gradient.device(), ", expected ",
           input.device);
  input.grad.add(gradient);
}

SumTarget Destinations::target(std::size_t i) {
  Node& input = *node_.inputs[i];
  return input.grad.target(input.shape, input.grad_dtype, input.device);
}

SumTarget Destinations::target_beside(std::size_t i) {
  if (!wanted(i)) return {};
  Node& input = *node_.inputs[i];
  return input.leaf ? input.grad.target_beside(input.shape, input.grad_dtype, input.device) : target(i);
}

void Destinations::sum_beside(std::size_t i, std::function<void(const SumTarget& target)> sum) {
  const SumTarget target = target_beside(i);
  if (!target) return;
  if (!target.beside) return sum(target);
  run_beside(target.out.device(), [target, sum = std::move(sum)] { sum(target); });
}

void Destinations::add_range(std::size_t i, std::int64_t dim, std::int64_t start, const Tensor& gradient) {
  Node& input = *node_.inputs[i];
  input.grad.add_range(input.shape, dim, start, gradient);
}

}  // namespace tk
