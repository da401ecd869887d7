#pragma once

#include <cstdint>
#include <iterator>
#include <vector>

#include "data/batch.h"
#include "data/data_loader.h"
#include "nn/parallel/gradient_tree.h"

namespace tk {

/// What one rank reads in a step, and what it must know of the others'.
struct StepInput {
  std::vector<Batch> parts;            ///< its micro-batches; one without sentences is empty
  std::vector<std::int64_t> rows;      ///< of every micro-batch of the step, dummies too
  std::vector<std::int32_t> examples;  ///< the ids of all the step's sentences
  std::int64_t tokens = 0;             ///< of all
  std::int64_t longest = 0;            ///< tokens of the longest
};

// As for a batch (data/batch.h, recorder.h); here all parts get the rows of the largest of the step, so that ranks have
// the same shapes at the same steps.
StepInput in_bucket(const StepInput& input, Device device);
StepInput to(const StepInput& input, Device device);
void overwrite(const StepInput& input, const StepInput& source);
std::vector<std::int64_t> shape_of(const StepInput& input);

/// How a step's batch is shared out.
struct MicroBatches {
  std::int64_t count = 1;
  Leaves own = {0, 1};  ///< those of this rank
};

/// A batch's sentences, `indices`, dealt out to micro-batches: the longest first, to and fro, so that all have almost
/// as many sentences and tokens; in each they keep their order. `lengths` are those of all examples.
std::vector<std::vector<std::int64_t>> dealt_out(const std::vector<std::int64_t>& indices,
                                                 const std::vector<std::int64_t>& lengths, std::int64_t count);

/// What the steps of a training run read, epoch after epoch.
class StepBatches {
 public:
  /// `teacher_logits` [examples, outputs] in the order of the examples, in tasks of tokens [all their tokens, outputs],
  /// or undefined. `epoch`: the examples of an epoch, some perhaps more than once; empty: each once. The examples must
  /// outlive this. Throws when there are none, and on an index out of range.
  StepBatches(const std::vector<TokenizedExample>& examples, TaskKind kind, const LoaderOptions& options,
              Tensor teacher_logits, const std::vector<std::int64_t>& epoch = {}, const MicroBatches& parts = {});

  std::int64_t per_epoch() const { return std::ssize(batches_); }
  /// What a step reads, on the CPU; the first is 0. It depends on the arguments alone; steps in order are cheap.
  StepInput operator()(std::int64_t step);

 private:
  std::vector<std::vector<std::int64_t>> batches_of(std::int64_t epoch) const;
  Tensor teacher_of(const std::vector<std::int64_t>& indices) const;

  const std::vector<TokenizedExample>& examples_;
  std::vector<std::int64_t> rows_;          // the examples of an epoch
  std::vector<std::int64_t> lengths_;       // of these
  std::vector<std::int64_t> all_lengths_;   // of all examples
  std::vector<std::int64_t> label_starts_;  // the first row of each example's labels
  TaskKind kind_;
  LoaderOptions options_;
  Tensor teacher_logits_;
  MicroBatches parts_;
  std::int64_t epoch_ = 0;
  std::vector<std::vector<std::int64_t>> batches_;  // of that epoch
};

}  // namespace tk
