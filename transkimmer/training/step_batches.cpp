#include "transkimmer/training/step_batches.h"

#include <numeric>
#include <utility>

#include "tensor/ops/index.h"

namespace tk {

StepBatches::StepBatches(const std::vector<TokenizedExample>& examples, TaskKind kind, const LoaderOptions& options,
                         Tensor teacher_logits, const std::vector<std::int64_t>& epoch)
    : examples_(examples),
      rows_(epoch),
      label_starts_(label_starts(examples, kind)),
      kind_(kind),
      options_(options),
      teacher_logits_(std::move(teacher_logits)) {
  TK_CHECK(!examples.empty(), "train: the split has no examples");
  const std::vector<std::int64_t> lengths = lengths_of(examples);
  if (rows_.empty()) {
    rows_.resize(examples.size());
    std::iota(rows_.begin(), rows_.end(), std::int64_t{0});
  }
  for (const std::int64_t row : rows_) {
    TK_CHECK(row >= 0 && row < std::ssize(examples), "train: index ", row, " is out of range for ", examples.size(),
             " examples");
    lengths_.push_back(lengths[row]);
  }
  batches_ = batches_of(epoch_);
}

std::vector<std::vector<std::int64_t>> StepBatches::batches_of(std::int64_t epoch) const {
  std::vector<std::vector<std::int64_t>> batches = epoch_batches(lengths_, options_, epoch);
  for (std::vector<std::int64_t>& batch : batches) {
    for (std::int64_t& place : batch) place = rows_[place];
  }
  return batches;
}

Batch StepBatches::operator()(std::int64_t step) {
  // Every epoch has as many batches: a batch is full by its number of sentences.
  const std::int64_t epoch = step / per_epoch();
  if (epoch != epoch_) {
    batches_ = batches_of(epoch);
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
