#pragma once

#include <cstdint>
#include <iterator>
#include <vector>

#include "data/data_loader.h"
#include "data/example.h"
#include "tensor/tensor.h"
#include "transkimmer/training/recorder.h"

namespace tk {

/// What the steps of a training run read, epoch after epoch.
class StepBatches {
 public:
  /// `teacher_logits` [examples, labels] in the order of the examples, or undefined. The examples must outlive this.
  /// Throws when there are none.
  StepBatches(const std::vector<TokenizedExample>& examples, bool regression, const LoaderOptions& options,
              Tensor teacher_logits);

  std::int64_t per_epoch() const { return std::ssize(batches_); }
  /// The inputs of a step, on the CPU; the first is 0. They depend on the arguments alone; steps in order are cheap.
  StepInputs operator()(std::int64_t step);

 private:
  const std::vector<TokenizedExample>& examples_;
  std::vector<std::int64_t> lengths_;
  bool regression_;
  LoaderOptions options_;
  Tensor teacher_logits_;
  std::int64_t epoch_ = 0;
  std::vector<std::vector<std::int64_t>> batches_;  // of that epoch
};

}  // namespace tk
