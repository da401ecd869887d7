#include "transkimmer/training/step_batches.h"

#include <utility>

#include "tensor/ops/index.h"

namespace tk {

StepBatches::StepBatches(const std::vector<TokenizedExample>& examples, bool regression, const LoaderOptions& options,
                         Tensor teacher_logits)
    : examples_(examples),
      lengths_(lengths_of(examples)),
      regression_(regression),
      options_(options),
      teacher_logits_(std::move(teacher_logits)) {
  TK_CHECK(!examples.empty(), "train: the split has no examples");
  batches_ = epoch_batches(lengths_, options_, epoch_);
}

StepInputs StepBatches::operator()(std::int64_t step) {
  // Every epoch has as many batches: a batch is full by its number of sentences.
  const std::int64_t epoch = step / per_epoch();
  if (epoch != epoch_) {
    batches_ = epoch_batches(lengths_, options_, epoch);
    epoch_ = epoch;
  }
  const std::vector<std::int64_t>& indices = batches_[static_cast<std::size_t>(step % per_epoch())];
  StepInputs in{make_batch(examples_, indices, regression_), {}};
  if (teacher_logits_.defined()) in.teacher = index_select(teacher_logits_, from_values(indices));
  return in;
}

}  // namespace tk
