#pragma once

#include <optional>

#include "autograd/variable.h"

namespace tk {

/// Mean cross-entropy; logits [..., classes], labels [...] int32 or int64. Rank 0, like all below. With `smoothing` e
/// the target is (1 - e) one_hot(label) + e / classes, as PyTorch's label_smoothing and transformers'
/// label_smoothing_factor have it. With `ignore_index` the mean is over the rows of other labels, and 0 where there are
/// none.
Variable cross_entropy_loss(const Variable& logits, const Tensor& labels, double smoothing = 0,
                            std::optional<std::int64_t> ignore_index = std::nullopt);

/// The mean over the rows that have a label (-1: none); 0 when none has.
Variable labelled_cross_entropy_loss(const Variable& logits, const Tensor& labels, double smoothing = 0);

/// The mean of -y log sigmoid(x) - (1 - y) log(1 - sigmoid(x)) = softplus(x) - x y, for logits x and targets y of one
/// shape.
Variable binary_cross_entropy_with_logits(const Variable& logits, const Tensor& target);

/// Logits of labels that apply or not, each by itself, as classes: [rows, labels] -> [rows labels, 2], of which the
/// first is 0: softmax of such a pair is (1 - sigmoid(x), sigmoid(x)), so that the losses of classes are those of
/// labels. Cross-entropy of them is PyTorch's BCEWithLogitsLoss.
Variable logits_of_pairs(const Variable& logits);

/// Mean squared difference; prediction and target have one shape.
Variable mse_loss(const Variable& prediction, const Tensor& target);
/// The mean over the elements that have a target (-1: none); 0 when none has.
Variable labelled_mse_loss(const Variable& prediction, const Tensor& target);

/// T^2 KL(softmax(teacher / T) || softmax(logits / T)), the mean over rows (Hinton et al., arXiv 1503.02531).
Variable distillation_loss(const Variable& logits, const Tensor& teacher_logits, double temperature);
/// The same over the first `count` rows, a rank-0 int32 that only its device may know: others are dummies.
Variable distillation_loss(const Variable& logits, const Tensor& teacher_logits, double temperature,
                           const Tensor& count);

}  // namespace tk
