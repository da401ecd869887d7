#include "transkimmer/training/step_batches.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "tensor/ops/index.h"
#include "transkimmer/training/recorder.h"

namespace tk {
namespace {

bool is_empty(const Batch& batch) { return batch.sentences() == 0; }

}  // namespace

StepInput in_bucket(const StepInput& input, Device device) {
  StepInput rounded = input;
  const std::int64_t rows = rows_in_bucket(*std::ranges::max_element(input.rows), device);
  for (Batch& part : rounded.parts) {
    if (rows > 0 && !is_empty(part)) part = with_dummy_rows(part, rows);
  }
  for (std::int64_t& n : rounded.rows) {
    if (rows > 0 && n > 0) n = rows;
  }
  return rounded;
}

StepInput to(const StepInput& input, Device device) {
  StepInput moved = input;
  for (Batch& part : moved.parts) {
    if (!is_empty(part)) part = to(part, device);
  }
  return moved;
}

void overwrite(const StepInput& input, const StepInput& source) {
  TK_CHECK(input.parts.size() == source.parts.size(), "overwrite: expected ", input.parts.size(),
           " micro-batches, got ", source.parts.size());
  for (std::size_t i = 0; i < input.parts.size(); ++i) {
    if (!is_empty(source.parts[i])) overwrite(input.parts[i], source.parts[i]);
  }
}

// The rows of other ranks' micro-batches are part of it, too: they are the sizes of what comes from there.
std::vector<std::int64_t> shape_of(const StepInput& input) {
  std::vector<std::int64_t> shape = input.rows;
  for (const Batch& part : input.parts) shape.push_back(part.sentences());
  return shape;
}

std::vector<std::vector<std::int64_t>> dealt_out(const std::vector<std::int64_t>& indices,
                                                 const std::vector<std::int64_t>& lengths, std::int64_t count) {
  std::vector<std::size_t> places(indices.size());
  std::iota(places.begin(), places.end(), std::size_t{0});
  std::ranges::stable_sort(places, std::ranges::greater(), [&](std::size_t place) { return lengths[indices[place]]; });
  std::vector<std::vector<std::size_t>> dealt(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < places.size(); ++i) {
    const std::size_t column = i % dealt.size();
    const bool is_way_back = i / dealt.size() % 2 == 1;
    dealt[is_way_back ? dealt.size() - 1 - column : column].push_back(places[i]);
  }
  std::vector<std::vector<std::int64_t>> parts;
  for (std::vector<std::size_t>& its : dealt) {
    std::ranges::sort(its);
    parts.emplace_back();
    for (const std::size_t place : its) parts.back().push_back(indices[place]);
  }
  return parts;
}

StepBatches::StepBatches(const std::vector<TokenizedExample>& examples, TaskKind kind, const LoaderOptions& options,
                         Tensor teacher_logits, const std::vector<std::int64_t>& epoch, const MicroBatches& parts)
    : examples_(examples),
      rows_(epoch),
      all_lengths_(lengths_of(examples)),
      label_starts_(label_starts(examples, kind)),
      kind_(kind),
      options_(options),
      teacher_logits_(std::move(teacher_logits)),
      parts_(parts) {
  TK_CHECK(!examples.empty(), "train: the split has no examples");
  if (rows_.empty()) {
    rows_.resize(examples.size());
    std::iota(rows_.begin(), rows_.end(), std::int64_t{0});
  }
  for (const std::int64_t row : rows_) {
    TK_CHECK(row >= 0 && row < std::ssize(examples), "train: index ", row, " is out of range for ", examples.size(),
             " examples");
    lengths_.push_back(all_lengths_[row]);
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

StepInput StepBatches::operator()(std::int64_t step) {
  // Every epoch has as many batches: a batch is full by its number of sentences.
  const std::int64_t epoch = step / per_epoch();
  if (epoch != epoch_) {
    batches_ = batches_of(epoch);
    epoch_ = epoch;
  }
  const std::vector<std::int64_t>& indices = batches_[static_cast<std::size_t>(step % per_epoch())];
  StepInput input;
  for (const std::int64_t i : indices) {
    input.examples.push_back(examples_[i].id);
    input.tokens += all_lengths_[i];
    input.longest = std::max(input.longest, all_lengths_[i]);
  }
  const auto parts = dealt_out(indices, all_lengths_, parts_.count);
  for (std::int64_t leaf = 0; leaf < parts_.count; ++leaf) {
    const std::vector<std::int64_t>& part = parts[static_cast<std::size_t>(leaf)];
    input.rows.push_back(0);
    for (const std::int64_t i : part) input.rows.back() += all_lengths_[i];
    if (leaf < parts_.own.begin || leaf >= parts_.own.end) continue;
    input.parts.push_back(part.empty() ? Batch() : make_batch(examples_, part, kind_, teacher_of(part)));
  }
  return input;
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
