#include "data/batch.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include "tensor/error.h"

namespace tk {
namespace {

// What a batch has room for.
struct BatchShape {
  TaskKind kind;
  std::int64_t tokens;
  std::int64_t sentences;
  std::int64_t outputs;  // of the teacher; 0 without one
  std::int64_t several;  // labels of a sentence, each of which applies or not; 0 in other tasks

  std::int64_t rows() const { return kind == TaskKind::kTokens ? tokens : sentences; }
  Shape labels() const { return several > 0 ? Shape{sentences, several} : Shape{rows()}; }
};

// Every tensor has four bytes an element and begins at a multiple of 64.
Batch empty_batch(const BatchShape& shape, Device device) {
  constexpr std::int64_t kAlignment = 16;
  const auto up = [](std::int64_t n) { return (n + kAlignment - 1) / kAlignment * kAlignment; };
  const std::int64_t elements =
      up(shape.sentences + 1) + 4 * up(shape.tokens) + up(shape.labels().numel()) + up(shape.rows() * shape.outputs);
  const auto storage = std::make_shared<Storage>(device, checked_bytes({elements}, DType::kInt32));
  std::int64_t next = 0;
  const auto part = [&](std::int64_t n, DType dtype) {
    return Tensor(storage, dtype, {n}, {1}, std::exchange(next, next + up(n)));
  };
  Batch batch;
  batch.kind = shape.kind;
  batch.memory = Tensor(storage, DType::kInt32, {elements}, {1}, 0);
  Packed& rows = batch.tokens.rows;
  rows.tokens = shape.tokens;
  rows.sentences = shape.sentences;
  rows.offsets = part(shape.sentences + 1, DType::kInt32);
  for (Tensor* ids : {&rows.example, &rows.position, &batch.tokens.input_ids, &batch.tokens.token_types}) {
    *ids = part(shape.tokens, DType::kInt32);
  }
  const DType labels = shape.kind == TaskKind::kRegression ? DType::kFloat32 : DType::kInt32;
  batch.labels = part(shape.labels().numel(), labels).reshape(shape.labels());
  if (shape.outputs > 0) {
    batch.teacher = part(shape.rows() * shape.outputs, DType::kFloat32).reshape({shape.rows(), shape.outputs});
  }
  return batch;
}

// One on the CPU, of zeros. The thread that makes batches has no share in the kernels' threads, and wakes none.
Batch batch_of_zeros(const BatchShape& shape) {
  Batch batch = empty_batch(shape, Device::kCpu);
  std::memset(batch.memory.raw_data(), 0, static_cast<std::size_t>(batch.memory.bytes()));
  return batch;
}

BatchShape shape_of(const Batch& batch) {
  return {.kind = batch.kind,
          .tokens = batch.tokens.rows.tokens,
          .sentences = batch.sentences(),
          .outputs = batch.teacher.defined() ? batch.teacher.size(1) : 0,
          .several = batch.kind == TaskKind::kMultiLabel ? batch.labels.size(1) : 0};
}

void write_labels(const Tensor& labels, std::span<const TokenizedExample> examples,
                  std::span<const std::int64_t> indices, TaskKind kind) {
  if (kind == TaskKind::kRegression) {
    std::ranges::transform(indices, labels.data<float>(), [&](std::int64_t i) { return examples[i].label; });
    return;
  }
  auto* next = labels.data<std::int32_t>();
  for (const std::int64_t i : indices) {
    if (kind == TaskKind::kMultiLabel) {
      next = std::ranges::copy(examples[i].applies, next).out;
    } else if (kind == TaskKind::kClassification) {
      *next++ = static_cast<std::int32_t>(examples[i].label);
    } else if (examples[i].token_labels.empty()) {
      next = std::fill_n(next, examples[i].ids.size(), -1);
    } else {
      next = std::ranges::copy(examples[i].token_labels, next).out;
    }
  }
}

}  // namespace

Batch make_batch(std::span<const TokenizedExample> examples, std::span<const std::int64_t> indices, TaskKind kind,
                 const Tensor& teacher) {
  std::vector<std::int64_t> lengths;
  std::vector<std::int32_t> example_ids;
  const bool of_several = kind == TaskKind::kMultiLabel && !indices.empty();
  std::size_t several = 0;
  for (const std::int64_t i : indices) {
    TK_CHECK(0 <= i && i < std::ssize(examples), "make_batch: index ", i, " is out of range for ", examples.size(),
             " examples");
    const TokenizedExample& example = examples[i];
    const std::size_t tokens = example.ids.size(), labels = example.token_labels.size();
    TK_CHECK(example.token_types.size() == tokens && (labels == 0 || labels == tokens), "make_batch: example ",
             example.id, " has ", tokens, " ids, ", example.token_types.size(), " token types and ", labels,
             " token labels");
    if (lengths.empty() && of_several) several = example.applies.size();
    TK_CHECK(!of_several || example.applies.size() == several, "make_batch: example ", example.id, " says of ",
             example.applies.size(), " labels whether they apply, others of ", several);
    lengths.push_back(std::ssize(example.ids));
    example_ids.push_back(example.id);
  }
  const BatchShape shape{.kind = kind,
                         .tokens = count_tokens(lengths),
                         .sentences = std::ssize(indices),
                         .outputs = teacher.defined() ? teacher.size(-1) : 0,
                         .several = static_cast<std::int64_t>(several)};
  TK_CHECK(!teacher.defined() || teacher.shape() == Shape({shape.rows(), shape.outputs}),
           "make_batch: expected a teacher's logits [", shape.rows(), ", outputs], got ", teacher.shape());
  Batch batch = batch_of_zeros(shape);
  write_packed(batch.tokens.rows, lengths, example_ids);
  auto* ids = batch.tokens.input_ids.data<std::int32_t>();
  auto* types = batch.tokens.token_types.data<std::int32_t>();
  for (const std::int64_t i : indices) {
    ids = std::ranges::copy(examples[i].ids, ids).out;
    types = std::ranges::copy(examples[i].token_types, types).out;
  }
  write_labels(batch.labels, examples, indices, kind);
  if (teacher.defined()) batch.teacher.copy_from(teacher);
  batch.lengths = std::move(lengths);
  return batch;
}

Batch with_dummy_rows(const Batch& batch, std::int64_t tokens) {
  BatchShape shape = shape_of(batch);
  TK_CHECK(shape.tokens <= tokens, "with_dummy_rows: ", shape.tokens, " rows do not fit ", tokens);
  if (shape.tokens == tokens) return batch;
  TK_CHECK(batch.memory.device() == Device::kCpu, "with_dummy_rows: expected a batch on the CPU");
  shape.tokens = tokens;
  Batch padded = batch_of_zeros(shape);
  padded.lengths = batch.lengths;
  const auto copy = [](const Tensor& to, const Tensor& x) {
    if (x.defined()) to.narrow(0, 0, x.size(0)).copy_from(x);
  };
  copy(padded.tokens.rows.offsets, batch.tokens.rows.offsets);
  copy(padded.tokens.rows.example, batch.tokens.rows.example);
  copy(padded.tokens.rows.position, batch.tokens.rows.position);
  copy(padded.tokens.input_ids, batch.tokens.input_ids);
  copy(padded.tokens.token_types, batch.tokens.token_types);
  if (batch.kind == TaskKind::kTokens) padded.labels.fill(-1);
  copy(padded.labels, batch.labels);
  copy(padded.teacher, batch.teacher);
  return padded;
}

Batch to(const Batch& batch, Device device) {
  if (batch.memory.device() == device) return batch;
  Batch moved = empty_batch(shape_of(batch), device);
  overwrite(moved, batch);
  return moved;
}

void overwrite(const Batch& batch, const Batch& source) {
  const BatchShape to = shape_of(batch), from = shape_of(source);
  TK_CHECK(to.tokens == from.tokens && to.sentences == from.sentences && to.kind == from.kind &&
               to.outputs == from.outputs && to.several == from.several,
           "overwrite: expected a batch of ", to.tokens, " rows, ", to.sentences, " sentences and ", to.outputs,
           " logits of a teacher, got ", from.tokens, ", ", from.sentences, " and ", from.outputs);
  batch.memory.copy_from(source.memory);
}

}  // namespace tk
