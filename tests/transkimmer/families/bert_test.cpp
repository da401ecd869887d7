#include "transkimmer/families/bert.h"

#include "tests/support/catch.h"
#include "transkimmer/config.h"

using namespace tk;

TEST_CASE("families: a model_type names one family, and another none") {
  for (const Family* family : families()) CHECK(find_family(family->model_type) == family);
  CHECK(find_family("bert") == &kBert);
  CHECK(find_family("roberta") == nullptr);
  CHECK(find_family("") == nullptr);
}

TEST_CASE("families: the architecture names the head") {
  Config config;
  CHECK(config.head() == HeadKind::kSequence);
  config.architectures = {"BertForTokenClassification"};
  CHECK(config.head() == HeadKind::kToken);
  config.architectures = {"BertModel"};
  CHECK(config.head() == HeadKind::kSequence);
  config.set_head(HeadKind::kToken);
  CHECK(config.architectures == std::vector<std::string>{"BertForTokenClassification"});
  config.model_type = "other";
  CHECK_THROWS_WITH(config.head(), ContainsSubstring("no family of models has the model_type \"other\""));
}

TEST_CASE("families: the table of names says what part a weight belongs to") {
  CHECK(is_classifier("classifier.weight", kBert));
  CHECK_FALSE(is_classifier("classifiers.weight", kBert));
  CHECK(is_predictor("bert.encoder.skim_predictors.0.predictor.1.bias", kBert));
  CHECK_FALSE(is_predictor("bert.encoder.layer.0.output.dense.bias", kBert));
  CHECK(is_embedding("bert.embeddings.token_type_embeddings.weight", kBert));
  CHECK(is_embedding("bert.embeddings.LayerNorm.bias", kBert));
  CHECK_FALSE(is_embedding("bert.pooler.dense.weight", kBert));
  Family other = kBert;
  other.weights.classifier = "score";
  CHECK(is_classifier("score.weight", other));
  CHECK_FALSE(is_classifier("classifier.weight", other));
}

TEST_CASE("bert: names with and without bert. and legacy layer norm names are the same") {
  CHECK(kBert.published_name("encoder.layer.0.output.dense.weight") == "bert.encoder.layer.0.output.dense.weight");
  CHECK(kBert.published_name("embeddings.LayerNorm.gamma") == "bert.embeddings.LayerNorm.weight");
  CHECK(kBert.published_name("bert.embeddings.LayerNorm.beta") == "bert.embeddings.LayerNorm.bias");
  CHECK(kBert.published_name("pooler.dense.bias") == "bert.pooler.dense.bias");
  CHECK(kBert.published_name("classifier.weight") == "classifier.weight");
  CHECK(kBert.published_name("bert.adapter.gamma") == "bert.adapter.gamma");
  CHECK(kBert.published_name("bert.layer_beta.weight") == "bert.layer_beta.weight");
}
