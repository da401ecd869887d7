#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/task.h"
#include "tensor/tensor.h"

namespace tk {

// Predictions and labels hold one number an example, class ids for classification. All arithmetic is in double. The
// degenerate cases give what scikit-learn and SciPy give; NaN is a result and not an error. Every function throws
// when the two sides differ in number.

/// The share of equal values; NaN when there are none.
double accuracy(std::span<const double> predictions, std::span<const double> labels);

/// Binary F1 of class 1; 0 when there is no true positive. Throws when a value is neither 0 nor 1.
double f1(std::span<const double> predictions, std::span<const double> labels);

/// Matthews' correlation, in Gorodkin's form for any number of classes ("Comparing two K-category assignments by a
/// K-category correlation coefficient", 2004); 0 when either side is constant or empty.
double matthews_correlation(std::span<const double> predictions, std::span<const double> labels);

/// Pearson's r in [-1, 1]; NaN when a side is constant, on fewer than two values and on values not finite (where SciPy
/// raises an error: here the run that scores itself has been long).
double pearson(std::span<const double> predictions, std::span<const double> labels);

/// Spearman's rank correlation, ties having their average rank; NaN when a side is constant or has a NaN, and on fewer
/// than two values.
double spearman(std::span<const double> predictions, std::span<const double> labels);

struct Metric {
  std::string name;  ///< Hugging Face's key
  double value;
};

/// The task's metrics in the task's order, then combined_score, their mean, when there are more than one.
///
/// In tasks of tokens a value belongs to each token and `starts` says where those of each sentence begin, and at the
/// end how many there are (label_starts in data/example.h); tokens without a label (-1) do not count. There precision,
/// recall and f1 are those of entities (data/entities.h), and no mean is made of them.
///
/// In tasks of several labels there is a zero or a one for each label of each example, one example after the other;
/// those of which nothing is known (-1) do not count. Precision, recall and f1 are over all of them (scikit-learn's
/// "micro"), f1_macro is the mean of each label's F1, and accuracy is the share of examples all of whose labels are
/// right.
std::vector<Metric> compute_metrics(const Task& task, std::span<const double> predictions,
                                    std::span<const double> labels, std::span<const std::int64_t> starts = {});

/// Throws when the task names a metric that there is not, or that its labels do not have (f1 is the binary one).
void check_metrics(const Task& task);

/// The one score that stands for the task.
double headline(const Task& task, const std::vector<Metric>& metrics);

/// Class ids by argmax (the first of equals; a NaN counts as the highest, as in NumPy), or for regression the value
/// itself, or in tasks of several labels a one for each logit above 0 and a zero for each other one. logits: [examples
/// or tokens, task.outputs()], any floating dtype.
std::vector<double> predictions_from_logits(const Task& task, const Tensor& logits);

/// The names of the labels that apply, by a zero or a one for each of the task's.
std::vector<std::string> applying_labels(const Task& task, std::span<const double> applies);

}  // namespace tk
