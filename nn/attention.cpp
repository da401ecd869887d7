#include "nn/attention.h"

#include "autograd/ops/attention.h"
#include "autograd/ops/index.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/residual_dropout_layer_norm.h"
#include "autograd/ops/shape.h"
#include "tensor/ops/attention_branch.h"
#include "tensor/ops/index.h"
#include "tensor/ops/matmul.h"
#include "tensor/ops/residual_branch.h"
#include "tensor/ops/unprojected_attention.h"

namespace tk {

Attention::Attention(const AttentionOptions& options)
    : query_key_value(options.hidden, 3 * options.hidden, true, options.init),
      output(options.hidden, options.hidden, true, options.init),
      norm(options.hidden, options.layer_norm_epsilon),
      options_(options) {}

Variable Attention::operator()(const Variable& x, const Packed& rows, const Kept* queries, const Variable& key_weight,
                               const Context& context) const {
  const Packed& asking_rows = queries != nullptr ? queries->packed : rows;
  const AttentionKey key = key_of(rows, asking_rows, context);
  if (!key_weight.defined() && pays_in_one(x, key, asking_rows)) {
    const Tensor y = empty({asking_rows.tokens, options_.hidden});
    attention_branch_into(y, x.value(), queries != nullptr ? queries->rows : Tensor(), key, query_key_value.packed(x),
                          *packed(x));
    return Variable(y);
  }
  const Variable asking = queries != nullptr ? take_rows(x, queries->rows) : x;
  const Variable attended = attend(x, asking, queries, key_weight, key);
  return finish(asking, asking_rows, attended, context);
}

Variable Attention::unprojected(const Variable& x, const Packed& rows, const Kept& queries,
                                const Context& context) const {
  const std::int64_t d = options_.hidden;
  const Tensor weight = query_key_value.weight.as(x.dtype()).value();
  const Tensor bias = query_key_value.bias.as(x.dtype()).value();
  const auto part = [&](const Tensor& all, std::int64_t which) { return all.narrow(0, which * d, d); };
  const Tensor asking = index_select(x.value(), queries.rows);
  const Tensor q = linear(asking, part(weight, 0), part(bias, 0));
  const Tensor attended = unprojected_attention(q, x.value(), part(weight, 1), part(weight, 2), part(bias, 2),
                                                key_of(rows, queries.packed, context));
  return finish(Variable(asking), queries.packed, Variable(attended), context);
}

Variable Attention::projected(const Variable& x, const Variable& query_key_value, const Packed& rows,
                              const Context& context) const {
  return finish(x, rows, packed_attention(query_key_value, Variable(), key_of(rows, rows, context)), context);
}

void Attention::update(const Tensor& x, const Packed& rows, const Kept& queries, const Context& context) const {
  const AttentionKey key = key_of(rows, queries.packed, context);
  if (const Variable all(x); pays_in_one(all, key, queries.packed)) {
    return attention_branch_into(x, x, queries.rows, key, query_key_value.packed(all), *packed(all));
  }
  const Variable asking(index_select(x, queries.rows));
  const Variable attended = attend(Variable(x), asking, &queries, Variable(), key);
  if (const std::optional<ResidualBranch> branch = packed(attended)) {
    return residual_branch_into(x, x, queries.rows, attended.value(), *branch);
  }
  index_copy_to(x, queries.rows, finish(asking, queries.packed, attended, context).value());
}

bool Attention::pays_in_one(const Variable& x, const AttentionKey& key, const Packed& asking_rows) const {
  if (x.device() != Device::kCpu || !query_key_value.is_packed_for(x) || !output.is_packed_for(x)) return false;
  return x.value().is_contiguous() &&
         attention_branch_pays(query_key_value.factor_dtype(), options_.hidden, key, x.shape()[0], asking_rows.tokens);
}

std::optional<ResidualBranch> Attention::packed(const Variable& attended) const {
  const PackedMatrix last = output.packed_without_bias(attended);
  if (!last.defined()) return std::nullopt;
  return ResidualBranch{.inner = {}, .last = last, .norm = norm.of_residual(output.bias)};
}

AttentionKey Attention::key_of(const Packed& rows, const Packed& asking_rows, const Context& context) const {
  return {.heads = options_.heads,
          .q_offsets = asking_rows.offsets,
          .kv_offsets = rows.offsets,
          .kv_position = rows.position,
          .weighting = options_.weighting,
          .dropout =
              context.dropout(options_.attention_dropout, asking_rows, {Purpose::kAttentionDropout, options_.layer})};
}

Variable Attention::finish(const Variable& asking, const Packed& asking_rows, const Variable& attended,
                           const Context& context) const {
  const DropoutKey dropout =
      context.dropout(options_.hidden_dropout, asking_rows, {Purpose::kHiddenDropout, options_.layer, 0});
  if (const std::optional<ResidualBranch> branch = packed(attended); branch && dropout.p == 0) {
    const Tensor y = empty_like(asking.value());
    residual_branch_into(y, asking.value(), Tensor(), attended.value(), *branch);
    return Variable(y);
  }
  return residual_dropout_layer_norm(output.without_bias(attended), output.bias, asking, Variable(), norm.weight,
                                     norm.bias, norm.epsilon, dropout);
}

Variable Attention::attend(const Variable& x, const Variable& asking, const Kept* queries, const Variable& key_weight,
                           const AttentionKey& key) const {
  if (queries == nullptr) return packed_attention(query_key_value(x), key_weight, key);
  const std::int64_t d = options_.hidden;
  const Variable q = query_key_value.columns(asking, 0, d);
  const Variable kv = query_key_value.columns(x, d, 2 * d);
  return packed_attention(q, kv, key_weight, key);
}

void Attention::collect(ParameterList& list, const std::string& layer_path, const AttentionNames& names) {
  const std::string path = layer_path + '.';
  const auto three = [&](const char* kind) {
    return std::vector<std::string>{path + names.query + kind, path + names.key + kind, path + names.value + kind};
  };
  list.push_back({three(".weight"), &query_key_value.weight});
  list.push_back({three(".bias"), &query_key_value.bias});
  output.collect(list, path + names.output);
  norm.collect(list, path + names.norm);
}

}  // namespace tk
