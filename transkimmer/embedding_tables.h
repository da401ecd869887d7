#pragma once

#include <vector>

#include "nn/linear.h"
#include "tensor/packed.h"
#include "transkimmer/bert_embeddings.h"

namespace tk {

/// Layer 0's query, key and value W LN(e) + b, of e = word + position + token type, without a product for each row:
///
///     W (gamma (e - mean(e)) rstd + beta) + b = rstd (T_word + T_position + T_type) + (W beta + b),    T = e' W'^T
///
/// of each table's rows e', with W' = W diag(gamma) less the mean of each of its rows, which is the same as centring
/// e'. A row of T is made when it is first asked for: the memory that is written is that of the tokens that occurred.
/// For evaluation on the CPU; forget() when a weight changed.
class EmbeddingTables {
 public:
  /// Whether there is use for them: layer 0 of `config` makes queries, keys and values of all its rows, on `device`, in
  /// a dtype in which the product costs more than the tables' memory.
  static bool serve(const Config& config, Device device, DType compute_dtype);

  /// [tokens, 3 hidden] of rows whose embeddings' layer norm had this rstd [tokens].
  Tensor operator()(const BertEmbeddings& embeddings, const Linear& query_key_value, const PackedTokens& inputs,
                    const Tensor& rstd);
  void forget() { *this = EmbeddingTables(); }

  /// How many rows the last call had to make, each a row of the product.
  std::int64_t rows_made() const { return rows_made_; }
  /// Of all rows that are there.
  std::int64_t bytes() const;

 private:
  struct Table {
    Tensor rows;              // [entries, 3 hidden]; those not asked for are not written
    std::vector<bool> there;  // [entries]
    std::int64_t count = 0;   // that are there
  };

  void add_rows(Table& table, const Tensor& embedding, const Tensor& ids);

  Tensor weight_;  // W' [3 hidden, hidden]
  Tensor bias_;    // W beta + b
  Table word_, position_, type_;
  std::int64_t rows_made_ = 0;
};

}  // namespace tk
