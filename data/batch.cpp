#include "data/batch.h"

#include <algorithm>

#include "tensor/error.h"

namespace tk {
namespace {

Tensor make_labels(std::span<const TokenizedExample> examples, std::span<const std::int64_t> indices, bool regression) {
  const Shape shape = {static_cast<std::int64_t>(indices.size())};
  if (!regression) {
    Tensor labels = empty(shape, DType::kInt32);
    std::transform(indices.begin(), indices.end(), labels.data<std::int32_t>(),
                   [&](std::int64_t i) { return static_cast<std::int32_t>(examples[i].label); });
    return labels;
  }
  Tensor labels = empty(shape, DType::kFloat32);
  std::transform(indices.begin(), indices.end(), labels.data<float>(),
                 [&](std::int64_t i) { return examples[i].label; });
  return labels;
}

}  // namespace

Batch make_batch(std::span<const TokenizedExample> examples, std::span<const std::int64_t> indices, bool regression) {
  Batch batch;
  std::vector<std::int32_t> example_ids;
  for (const std::int64_t i : indices) {
    TK_CHECK(0 <= i && i < std::ssize(examples), "make_batch: index ", i, " is out of range for ", examples.size(),
             " examples");
    batch.lengths.push_back(std::ssize(examples[i].ids));
    example_ids.push_back(examples[i].id);
  }
  batch.packed = make_packed(batch.lengths, example_ids);
  batch.input_ids = empty({batch.packed.tokens}, DType::kInt32);
  batch.token_types = empty({batch.packed.tokens}, DType::kInt32);
  auto* ids = batch.input_ids.data<std::int32_t>();
  auto* types = batch.token_types.data<std::int32_t>();
  for (const std::int64_t i : indices) {
    ids = std::copy(examples[i].ids.begin(), examples[i].ids.end(), ids);
    types = std::copy(examples[i].token_types.begin(), examples[i].token_types.end(), types);
  }
  batch.labels = make_labels(examples, indices, regression);
  return batch;
}

Batch with_dummy_rows(const Batch& batch, std::int64_t tokens, std::int64_t longest) {
  TK_CHECK(batch.packed.tokens <= tokens && batch.packed.longest <= longest, "with_dummy_rows: ", batch.packed.tokens,
           " rows and sentences of ", batch.packed.longest, " do not fit ", tokens, " and ", longest);
  Batch padded = batch;
  padded.packed.tokens = tokens;
  padded.packed.longest = longest;
  for (Tensor* ids : {&padded.input_ids, &padded.token_types, &padded.packed.example, &padded.packed.position}) {
    const Tensor rows = zeros({tokens}, ids->dtype());
    rows.narrow(0, 0, batch.packed.tokens).copy_from(*ids);
    *ids = rows;
  }
  return padded;
}

}  // namespace tk
