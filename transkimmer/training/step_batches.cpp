#include "transkimmer/training/step_batches.h"

#include <utility>

#include "tensor/ops/index.h"

namespace tk {

StepBatches::StepBatches(const std::vector<TokenizedExample>& examples, TaskKind kind, const LoaderOptions& options,
                         Tensor teacher_logits)
    : examples_(examples),
      lengths_(lengths_of(examples)),
      label_starts_(label_starts(examples, kind)),
      kind_(kind),
      options_(options),
      teacher_logits_(std::move(teacher_logits)) {
  TK_CHECK(!examples.empty(), "train: the split has no examples");
  batches_ = epoch_batches(lengths_, options_, epoch_);
}

Batch StepBatches::operator()(std::int64_t step) {
  // Every epoch has as many batches: a batch is full by its number of sentences.
  const std::int64_t epoch = step / per_epoch();
  if (epoch != epoch_) {
    batches_ = epoch_batches(lengths_, options_, epoch);
    epoch_ = epoch;
  }
  const std::vector<std::int64_t>& indices = batches_[static_cast<std::size_t>(step % per_epoch())];
  return make_batch(examples_, indices, kind_, teacher_of(indices));
}

Tensor StepBatches::teacher_of(const std::vector<std::int64_t>& indices) const {
  if (!teacher_logits_.defined()) return {};
  std::vector<std::int64_t> rows;
  for (const std::int64_t i : indices) {
    for (std::int64_t row = label_starts_[i]; row < label_starts_[i + 1]; ++row) rows.push_back(row);
  }
  return index_select(teacher_logits_, from_values(rows));
}

}  // namespace tk
