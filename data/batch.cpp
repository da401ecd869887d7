#include "data/batch.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "tensor/error.h"

namespace tk {
namespace {

// A batch of zeros. Every tensor has four bytes an element and begins at a multiple of 64.
Batch empty_batch(std::int64_t tokens, std::int64_t sentences, DType labels, Device device) {
  constexpr std::int64_t kAlignment = 16;
  const auto up = [](std::int64_t n) { return (n + kAlignment - 1) / kAlignment * kAlignment; };
  const std::int64_t elements = up(sentences + 1) + 4 * up(tokens) + up(sentences);
  const auto storage = std::make_shared<Storage>(device, checked_bytes({elements}, DType::kInt32));
  std::int64_t next = 0;
  const auto part = [&](std::int64_t n, DType dtype) {
    return Tensor(storage, dtype, {n}, {1}, std::exchange(next, next + up(n)));
  };
  Batch batch;
  batch.memory = Tensor(storage, DType::kInt32, {elements}, {1}, 0);
  batch.memory.fill(0);
  batch.packed.tokens = tokens;
  batch.packed.sentences = sentences;
  batch.packed.offsets = part(sentences + 1, DType::kInt32);
  for (Tensor* ids : {&batch.packed.example, &batch.packed.position, &batch.input_ids, &batch.token_types}) {
    *ids = part(tokens, DType::kInt32);
  }
  batch.labels = part(sentences, labels);
  return batch;
}

template <class T>
void write_labels(const Tensor& labels, std::span<const TokenizedExample> examples,
                  std::span<const std::int64_t> indices) {
  std::transform(indices.begin(), indices.end(), labels.data<T>(),
                 [&](std::int64_t i) { return static_cast<T>(examples[i].label); });
}

}  // namespace

Batch make_batch(std::span<const TokenizedExample> examples, std::span<const std::int64_t> indices, bool regression) {
  std::vector<std::int64_t> lengths;
  std::vector<std::int32_t> example_ids;
  for (const std::int64_t i : indices) {
    TK_CHECK(0 <= i && i < std::ssize(examples), "make_batch: index ", i, " is out of range for ", examples.size(),
             " examples");
    lengths.push_back(std::ssize(examples[i].ids));
    example_ids.push_back(examples[i].id);
  }
  const Packed packed = make_packed(lengths, example_ids);
  Batch batch =
      empty_batch(packed.tokens, packed.sentences, regression ? DType::kFloat32 : DType::kInt32, Device::kCpu);
  batch.lengths = std::move(lengths);
  batch.packed.offsets.copy_from(packed.offsets);
  batch.packed.example.copy_from(packed.example);
  batch.packed.position.copy_from(packed.position);
  auto* ids = batch.input_ids.data<std::int32_t>();
  auto* types = batch.token_types.data<std::int32_t>();
  for (const std::int64_t i : indices) {
    ids = std::copy(examples[i].ids.begin(), examples[i].ids.end(), ids);
    types = std::copy(examples[i].token_types.begin(), examples[i].token_types.end(), types);
  }
  regression ? write_labels<float>(batch.labels, examples, indices)
             : write_labels<std::int32_t>(batch.labels, examples, indices);
  return batch;
}

Batch with_dummy_rows(const Batch& batch, std::int64_t tokens) {
  const Packed& from = batch.packed;
  TK_CHECK(from.tokens <= tokens, "with_dummy_rows: ", from.tokens, " rows do not fit ", tokens);
  if (from.tokens == tokens) return batch;
  Batch padded = empty_batch(tokens, from.sentences, batch.labels.dtype(), batch.memory.device());
  padded.lengths = batch.lengths;
  const auto copy = [](const Tensor& to, const Tensor& x) { to.narrow(0, 0, x.numel()).copy_from(x); };
  copy(padded.packed.offsets, from.offsets);
  copy(padded.packed.example, from.example);
  copy(padded.packed.position, from.position);
  copy(padded.input_ids, batch.input_ids);
  copy(padded.token_types, batch.token_types);
  copy(padded.labels, batch.labels);
  return padded;
}

Batch to(const Batch& batch, Device device) {
  if (batch.memory.device() == device) return batch;
  Batch moved = empty_batch(batch.packed.tokens, batch.packed.sentences, batch.labels.dtype(), device);
  overwrite(moved, batch);
  return moved;
}

void overwrite(const Batch& batch, const Batch& source) {
  TK_CHECK(batch.packed.tokens == source.packed.tokens && batch.packed.sentences == source.packed.sentences,
           "overwrite: expected a batch of ", batch.packed.tokens, " rows and ", batch.packed.sentences,
           " sentences, got ", source.packed.tokens, " and ", source.packed.sentences);
  batch.memory.copy_from(source.memory);
}

}  // namespace tk
