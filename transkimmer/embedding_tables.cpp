#include "transkimmer/embedding_tables.h"

#include "tensor/ops/elementwise.h"
#include "tensor/ops/embedding_projection.h"
#include "tensor/ops/index.h"
#include "tensor/ops/matmul.h"
#include "tensor/ops/reduce.h"
#include "tensor/precision.h"

namespace tk {

bool EmbeddingTables::serve(const Config& config, Device device, DType compute_dtype) {
  const bool masked = config.skim_gate != SkimGate::kNone && config.skim_attention == SkimAttention::kPaper;
  const bool first_is_last = config.num_hidden_layers == 1;  // where it may be that first rows alone ask
  return device == Device::kCpu && !products_outrun_memory(compute_dtype) && !masked && !first_is_last;
}

Tensor EmbeddingTables::operator()(const BertEmbeddings& embeddings, const Linear& query_key_value,
                                   const PackedTokens& inputs, const Tensor& rstd) {
  if (!weight_.defined()) {
    const Tensor& w = query_key_value.weight.value();
    const Tensor scaled = mul(w, embeddings.norm().weight.value());
    weight_ = sub(scaled, affine(sum(scaled, 1), 1.0 / static_cast<double>(w.shape()[1])).unsqueeze(1));
    bias_ = linear(embeddings.norm().bias.value().unsqueeze(0), w, query_key_value.bias.value()).select(0, 0);
  }
  rows_made_ = 0;
  add_rows(word_, embeddings.word(), inputs.input_ids);
  add_rows(position_, embeddings.position(), inputs.rows.position);
  add_rows(type_, embeddings.token_type(), inputs.token_types);
  return embedding_projection({word_.rows, inputs.input_ids}, {position_.rows, inputs.rows.position},
                              {type_.rows, inputs.token_types}, rstd, bias_);
}

std::int64_t EmbeddingTables::bytes() const { return (word_.count + position_.count + type_.count) * bias_.bytes(); }

// The ids are in range, as the embeddings were read.
void EmbeddingTables::add_rows(Table& table, const Tensor& embedding, const Tensor& ids) {
  if (!table.rows.defined()) {
    table.rows = empty({embedding.shape()[0], weight_.shape()[0]});
    table.there.assign(static_cast<std::size_t>(embedding.shape()[0]), false);
  }
  std::vector<std::int32_t> made;
  for (const std::int32_t id : ids.to_vector<std::int32_t>()) {
    if (id < 0 || table.there[static_cast<std::size_t>(id)]) continue;
    table.there[static_cast<std::size_t>(id)] = true;
    made.push_back(id);
  }
  if (made.empty()) return;
  const Tensor index = from_values(made);
  index_copy_to(table.rows, index, linear(index_select(embedding, index), weight_, Tensor()));
  table.count += std::ssize(made);
  rows_made_ += std::ssize(made);
}

}  // namespace tk
