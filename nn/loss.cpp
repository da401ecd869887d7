#include "nn/loss.h"

#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"
#include "autograd/ops/softmax.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/softmax.h"

namespace tk {

namespace {

// (1 - e) (-log p[label]) + e mean(-log p), of each row.
Variable smoothed_cross_entropy(const Variable& logits, const Tensor& labels, double e) {
  TK_CHECK(e >= 0 && e < 1, "cross_entropy_loss: expected a smoothing in [0, 1), got ", e);
  const Variable by_label = cross_entropy(logits, labels);
  if (e == 0) return by_label;
  const auto classes = static_cast<double>(logits.shape().back());
  return by_label * (1 - e) - sum(log_softmax(logits), -1) * (e / classes);
}

// The mean over the rows where `has_label` is 1, of the others 0.
Variable labelled_mean(const Variable& by_row, const Tensor& has_label) {
  const Tensor count = maximum(sum(has_label), full({}, 1, has_label.dtype(), has_label.device()));
  return sum(by_row * Variable(has_label)) / Variable(count);
}

void check_target(const char* op, const Variable& prediction, const Tensor& target) {
  TK_CHECK(prediction.shape() == target.shape(), op, ": expected a target of ", prediction.shape(), ", got ",
           target.shape());
}

}  // namespace

Variable cross_entropy_loss(const Variable& logits, const Tensor& labels, double smoothing,
                            std::optional<std::int64_t> ignore_index) {
  if (!ignore_index) return mean(smoothed_cross_entropy(logits, labels, smoothing));
  const Tensor ignored = eq(labels, static_cast<double>(*ignore_index));
  const Variable by_row = smoothed_cross_entropy(logits, where(ignored, 0, labels), smoothing);
  return labelled_mean(by_row, eq(ignored, 0).to(by_row.dtype()));
}

Variable labelled_cross_entropy_loss(const Variable& logits, const Tensor& labels, double smoothing) {
  return cross_entropy_loss(logits, labels, smoothing, -1);
}

Variable binary_cross_entropy_with_logits(const Variable& logits, const Tensor& target) {
  check_target("binary_cross_entropy_with_logits", logits, target);
  return mean(softplus(logits) - logits * target);
}

Variable logits_of_pairs(const Variable& logits) {
  const Tensor zero_and_one = arange(2, DType::kInt32, logits.device()).to(logits.dtype());
  return reshape(logits, {logits.shape().numel(), 1}) * Variable(zero_and_one);
}

Variable mse_loss(const Variable& prediction, const Tensor& target) {
  check_target("mse_loss", prediction, target);
  return mean(square(prediction - Variable(target)));
}

Variable labelled_mse_loss(const Variable& prediction, const Tensor& target) {
  check_target("mse_loss", prediction, target);
  const Tensor has_label = greater(square(affine(target, 1, 1)), 0).to(prediction.dtype());  // target is not -1
  return labelled_mean(square(prediction - Variable(target)), has_label);
}

namespace {

// softmax(teacher / T) (log_softmax(teacher / T) - log_softmax(logits / T)), whose sum is the divergence.
Variable divergence(const Variable& logits, const Tensor& teacher_logits, double temperature) {
  TK_CHECK(logits.shape().rank() == 2 && logits.shape() == teacher_logits.shape(),
           "distillation_loss: expected teacher logits of ", logits.shape(), ", got ", teacher_logits.shape());
  const Tensor teacher = log_softmax(affine(teacher_logits, 1 / temperature));
  const Variable difference = Variable(teacher) - log_softmax(logits * (1 / temperature));
  return Variable(exp(teacher)) * difference;
}

}  // namespace

Variable distillation_loss(const Variable& logits, const Tensor& teacher_logits, double temperature) {
  const double scale = temperature * temperature / static_cast<double>(logits.shape()[0]);
  return sum(divergence(logits, teacher_logits, temperature)) * scale;
}

Variable distillation_loss(const Variable& logits, const Tensor& teacher_logits, double temperature,
                           const Tensor& count) {
  const Tensor rows = count.to(logits.dtype());
  const Tensor places = arange(logits.shape()[0], DType::kInt32, logits.device()).to(logits.dtype());
  const Tensor counts = greater(sub(rows, places), 0).to(logits.dtype());  // 1 where a row's place is below the count
  const Variable by_row = sum(divergence(logits, teacher_logits, temperature), 1);
  return sum(by_row * Variable(counts)) * (temperature * temperature) / Variable(rows);
}

}  // namespace tk
