#pragma once

#include <optional>
#include <string>

#include "nn/context.h"
#include "nn/layer_names.h"
#include "nn/layer_norm.h"
#include "nn/linear.h"

namespace tk {

struct AttentionOptions {
  std::int64_t hidden = 0;
  std::int64_t heads = 1;
  double layer_norm_epsilon = 1e-12;
  double attention_dropout = 0;
  double hidden_dropout = 0;
  KeyWeighting weighting = KeyWeighting::kExact;
  std::uint8_t layer = 0;    ///< names the random streams
  Init init = Init::kZeros;  ///< of the weights
};

/// The first half of an encoder layer: y = LN(x + dropout(W_o attention(x) + b_o)), on two row sets: every row is a
/// key, and some or all of them ask and are updated. Weights begin as zeros: a model draws or loads them.
class Attention {
 public:
  Attention() = default;
  explicit Attention(const AttentionOptions& options);

  /// x [rows, hidden] with its structure. `queries` (null: all rows) names the rows to update; y has those rows.
  /// key_weight [rows] may be undefined.
  Variable operator()(const Variable& x, const Packed& rows, const Kept* queries, const Variable& key_weight,
                      const Context& context) const;
  /// In evaluation, the rows of x that ask where they lie: what operator() makes of them. None is a dummy on the CPU.
  void update(const Tensor& x, const Packed& rows, const Kept& queries, const Context& context) const;
  /// The same in evaluation for few queries: they ask the rows themselves, of which no keys and values are made
  /// (tensor/ops/unprojected_attention.h). Exact weighting, on the CPU.
  Variable unprojected(const Variable& x, const Packed& rows, const Kept& queries, const Context& context) const;
  /// The same where query, key and value of all rows, [rows, 3 hidden], are known.
  Variable projected(const Variable& x, const Variable& query_key_value, const Packed& rows,
                     const Context& context) const;
  /// Query, key and value weights are published as three matrices and lie in one [3 hidden, hidden].
  void collect(ParameterList& list, const std::string& layer_path, const AttentionNames& names);

  Linear query_key_value;
  Linear output;
  LayerNorm norm;

 private:
  Variable attend(const Variable& x, const Variable& asking, const Kept* queries, const Variable& key_weight,
                  const AttentionKey& key) const;
  AttentionKey key_of(const Packed& rows, const Packed& asking_rows, const Context& context) const;
  // y = LN(asking + dropout(W_o attended + b_o)).
  Variable finish(const Variable& asking, const Packed& asking_rows, const Variable& attended,
                  const Context& context) const;
  // Whether all of it, in evaluation, is faster in one kernel.
  bool pays_in_one(const Variable& x, const AttentionKey& key, const Packed& asking_rows) const;
  // W_o and what follows it for rows like `attended`, where there is a packed weight.
  std::optional<ResidualBranch> packed(const Variable& attended) const;

  AttentionOptions options_;
};

}  // namespace tk
