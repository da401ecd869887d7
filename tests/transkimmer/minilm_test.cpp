// The published MiniLM checkpoint on real sentences, against transformers.

#include <cstdlib>

#include "autograd/ops/elementwise.h"
#include "tests/support/catch.h"
#include "tests/support/golden.h"
#include "transkimmer/bert_embeddings.h"
#include "transkimmer/checkpoint.h"
#include "transkimmer/families/bert.h"
#include "transkimmer/skim/encoder.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("minilm: states and pooler outputs of real sentences equal transformers'", "[realdata]") {
  const char* folder = std::getenv("TK_MINILM_DIR");
  if (folder == nullptr) {
    WARN("TK_MINILM_DIR is not set: skipped");
    return;
  }
  const SafetensorsFile file = golden("minilm");
  const Config config = load_config(folder);
  BertEmbeddings embeddings(config);
  SkimEncoder encoder(config);
  Linear pooler(config.hidden_size, config.hidden_size);
  ParameterList parameters;
  embeddings.collect(parameters, kBert.weights);
  encoder.collect(parameters, kBert.weights);
  pooler.collect(parameters, kBert.weights.pooler);
  CHECK(load_weights(folder, named_values(parameters), kBert).missing.empty());

  const PackedTokens inputs{golden_packed(file), file.tensor("ids"), file.tensor("token_types")};
  const EncoderOutput out = encoder(embeddings(inputs, {}), inputs.rows, {});
  CHECK(largest_difference(out.x.value(), file.tensor("cls")) < 1e-5);
  CHECK(largest_difference(tanh(pooler(out.x)).value(), file.tensor("pooled")) < 1e-5);
}
