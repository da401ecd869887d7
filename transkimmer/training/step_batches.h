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
  /// or undefined. `epoch`: the examples of an epoch, some perhaps more than once; empty: each once. The examples must
  /// outlive this. Throws when there are none, and on an index out of range.
  StepBatches(const std::vector<TokenizedExample>& examples, TaskKind kind, const LoaderOptions& options,
              Tensor teacher_logits, const std::vector<std::int64_t>& epoch = {});

  std::int64_t per_epoch() const { return std::ssize(batches_); }
  /// The batch of a step, on the CPU; the first is 0. It depends on the arguments alone; steps in order are cheap.
  Batch operator()(std::int64_t step);

 private:
  std::vector<std::vector<std::int64_t>> batches_of(std::int64_t epoch) const;
  Tensor teacher_of(const std::vector<std::int64_t>& indices) const;

  const std::vector<TokenizedExample>& examples_;
  std::vector<std::int64_t> rows_;          // the examples of an epoch
  std::vector<std::int64_t> lengths_;       // of these
  std::vector<std::int64_t> label_starts_;  // the first row of each example's labels
  TaskKind kind_;
  LoaderOptions options_;
  Tensor teacher_logits_;
  std::int64_t epoch_ = 0;
  std::vector<std::vector<std::int64_t>> batches_;  // of that epoch
};

}  // namespace tk
