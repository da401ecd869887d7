#include "transkimmer/embedding_tables.h"

#include <set>

#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/transkimmer/small_model.h"
#include "transkimmer/families/bert.h"

using namespace tk;
using namespace tk::test;

namespace {

// Embeddings and a linear layer behind them, all weights drawn.
struct Parts {
  Parts() : embeddings(small_config(SkimGate::kNone)), query_key_value(32, 96) {
    ParameterList list;
    embeddings.collect(list, kBert.weights);
    query_key_value.collect(list, "query_key_value");
    std::uint32_t sequence = 0;
    for (const NamedTensor& named : named_values(list)) init_normal(named.tensor, 0.1, 0.5, 3, sequence++);
  }

  Tensor from(EmbeddingTables& tables, const PackedTokens& inputs) const {
    return tables(embeddings, query_key_value, inputs, embeddings.normalized(inputs).rstd);
  }
  Tensor expected(const PackedTokens& inputs) const { return query_key_value(embeddings(inputs, {})).value(); }

  BertEmbeddings embeddings;
  Linear query_key_value;
};

std::int64_t distinct(const Tensor& ids) {
  const std::vector<std::int32_t> all = ids.to_vector<std::int32_t>();
  return std::ssize(std::set(all.begin(), all.end()));
}

}  // namespace

TEST_CASE("embedding tables: give the product of normalised embeddings, and keep each row that they made") {
  const Parts parts;
  EmbeddingTables tables;
  const PackedTokens inputs = random_inputs(8, 1), others = random_inputs(8, 2);
  CHECK(difference(parts.from(tables, inputs), parts.expected(inputs), kFloat32Sums) == "");
  const std::int64_t rows = distinct(inputs.input_ids) + distinct(inputs.rows.position) + distinct(inputs.token_types);
  CHECK(tables.rows_made() == rows);
  CHECK(tables.bytes() == rows * 96 * 4);
  CHECK(difference(parts.from(tables, others), parts.expected(others), kFloat32Sums) == "");
  CHECK(tables.rows_made() < rows);
  parts.from(tables, inputs);
  CHECK(tables.rows_made() == 0);
}

TEST_CASE("embedding tables: follow weights that changed once they forgot") {
  const Parts parts;
  EmbeddingTables tables;
  const PackedTokens inputs = random_inputs(8, 1);
  parts.from(tables, inputs);
  init_normal(parts.query_key_value.weight.value(), 0, 0.5, 4, 0);
  tables.forget();
  CHECK(tables.bytes() == 0);
  CHECK(difference(parts.from(tables, inputs), parts.expected(inputs), kFloat32Sums) == "");
}
