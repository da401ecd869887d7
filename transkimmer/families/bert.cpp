#include "transkimmer/families/bert.h"

#include "transkimmer/config.h"

namespace tk {
namespace {

constexpr SizeKey kSizes[] = {
    {"vocab_size", &Config::vocab_size, true},
    {"hidden_size", &Config::hidden_size, true},
    {"num_hidden_layers", &Config::num_hidden_layers, true},
    {"num_attention_heads", &Config::num_attention_heads, true},
    {"intermediate_size", &Config::intermediate_size, true},
    {"max_position_embeddings", &Config::max_position_embeddings, true},
    {"type_vocab_size", &Config::type_vocab_size, false},
};

constexpr NumberKey kNumbers[] = {
    {"layer_norm_eps", &Config::layer_norm_eps},
    {"hidden_dropout_prob", &Config::hidden_dropout_prob},
    {"attention_probs_dropout_prob", &Config::attention_probs_dropout_prob},
    {"initializer_range", &Config::initializer_range},
};

constexpr FixedKey kFixed[] = {
    {"position_embedding_type", "\"absolute\""},
    {"is_decoder", "false"},
    {"add_cross_attention", "false"},
    {"pruned_heads", "{}"},
};

constexpr Preset kPresets[] = {
    {"bert-base", 12, 768, 12},
    {"minilm-l6", 6, 384, 12},
    {"tiny", 2, 128, 2},  // Turc et al., arXiv 1908.08962: BERT-tiny
};

constexpr const char* kTokenizerFiles[] = {"vocab.txt", "tokenizer.json", "tokenizer_config.json",
                                           "special_tokens_map.json", "added_tokens.json"};

bool replace_suffix(std::string& text, std::string_view suffix, std::string_view replacement) {
  if (!text.ends_with(suffix)) return false;
  text.replace(text.size() - suffix.size(), suffix.size(), replacement);
  return true;
}

// A bare encoder's names lack "bert."; TensorFlow's checkpoints have LayerNorm.gamma and LayerNorm.beta.
std::string published_name(std::string_view name) {
  std::string result(name);
  if (name.starts_with("embeddings.") || name.starts_with("encoder.") || name.starts_with("pooler.")) {
    result.insert(0, "bert.");
  }
  // Only behind LayerNorm: elsewhere gamma and beta are other models' own names.
  replace_suffix(result, "LayerNorm.gamma", "LayerNorm.weight") ||
      replace_suffix(result, "LayerNorm.beta", "LayerNorm.bias");
  return result;
}

bool passed_over(std::string_view name) {
  return name.starts_with("cls.") || name.ends_with("embeddings.position_ids");
}

}  // namespace

constinit const Family kBert = {
    .model_type = "bert",
    .title = "BERT",
    .architectures = {.base = "BertModel",
                      .sequence = "BertForSequenceClassification",
                      .token = "BertForTokenClassification"},
    .weights = {.word_embeddings = "bert.embeddings.word_embeddings",
                .position_embeddings = "bert.embeddings.position_embeddings",
                .token_type_embeddings = "bert.embeddings.token_type_embeddings",
                .embeddings_norm = "bert.embeddings.LayerNorm",
                .layers = "bert.encoder.layer.",
                .parts = {.attention = {.query = "attention.self.query",
                                        .key = "attention.self.key",
                                        .value = "attention.self.value",
                                        .output = "attention.output.dense",
                                        .norm = "attention.output.LayerNorm"},
                          .feed_forward = {.intermediate = "intermediate.dense",
                                           .output = "output.dense",
                                           .norm = "output.LayerNorm"}},
                .predictors = "bert.encoder.skim_predictors.",
                .pooler = "bert.pooler.dense",
                .classifier = "classifier"},
    .sizes = kSizes,
    .numbers = kNumbers,
    .activation = "hidden_act",
    .fixed = kFixed,
    .presets = kPresets,
    .tokenizer_class = "BertTokenizer",
    .tokenizer_files = kTokenizerFiles,
    .published_name = published_name,
    .passed_over = passed_over,
};

}  // namespace tk
