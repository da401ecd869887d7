#pragma once

#include <cstdint>
#include <iterator>
#include <vector>

#include "data/batch.h"
#include "data/data_loader.h"

namespace tk {

/// What the steps of a training run read, epoch after epoch.
class StepBatches {
 public:
  /// `teacher_logits` [examples, outputs] in the order of the examples, in tasks of tokens [all their tokens, outputs],
  /// or undefined. The examples must outlive this. Throws when there are none.
  StepBatches(const std::vector<TokenizedExample>& examples, TaskKind kind, const LoaderOptions& options,
              Tensor teacher_logits);

  std::int64_t per_epoch() const { return std::ssize(batches_); }
  /// The batch of a step, on the CPU; the first is 0. It depends on the arguments alone; steps in order are cheap.
  Batch operator()(std::int64_t step);

 private:
  Tensor teacher_of(const std::vector<std::int64_t>& indices) const;

  const std::vector<TokenizedExample>& examples_;
  std::vector<std::int64_t> lengths_;
  std::vector<std::int64_t> label_starts_;  // the first row of each example's labels
  TaskKind kind_;
  LoaderOptions options_;
  Tensor teacher_logits_;
  std::int64_t epoch_ = 0;
  std::vector<std::vector<std::int64_t>> batches_;  // of that epoch
};

}  // namespace tk
