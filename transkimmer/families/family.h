#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "nn/layer_names.h"

namespace tk {

struct Config;

/// What a family of published models calls the parts of a model, without ".weight" and ".bias".
struct WeightNames {
  const char* word_embeddings;
  const char* position_embeddings;
  const char* token_type_embeddings;
  const char* embeddings_norm;
  const char* layers;  ///< and a layer's number
  EncoderLayerNames parts;
  const char* predictors;  ///< and a predictor's number: ours, which the family does not have
  const char* pooler;
  const char* classifier;
};

/// A key of config.json and the member that holds it. Where it is not required the member's own value stands for it.
struct SizeKey {
  const char* key;
  std::int64_t Config::*member;
  bool required;
};
struct NumberKey {
  const char* key;
  double Config::*member;
};
/// A key of config.json with the one value, as JSON, that a model here can have. Written only where it was.
struct FixedKey {
  const char* key;
  const char* value;
};

/// The classes that transformers loads a folder with.
struct Architectures {
  const char* base;      ///< without a head
  const char* sequence;  ///< one answer a sentence
  const char* token;     ///< one answer a token
};

/// Sizes under a short name.
struct Preset {
  const char* name;
  std::int64_t layers, hidden, heads;
};

/// A family of published models: all that is not arithmetic. Another one is a pair of files here and a row in
/// families().
struct Family {
  const char* model_type;  ///< in config.json
  const char* title;       ///< for people
  Architectures architectures;
  WeightNames weights;
  std::span<const SizeKey> sizes;
  std::span<const NumberKey> numbers;
  const char* activation;  ///< key of config.json
  std::span<const FixedKey> fixed;
  std::span<const Preset> presets;
  const char* tokenizer_class;  ///< in tokenizer_config.json
  std::span<const char* const> tokenizer_files;
  /// The name in WeightNames' spelling of a weight that a checkpoint may spell otherwise.
  std::string (*published_name)(std::string_view name);
  /// Whether a weight is of no use here, though checkpoints have it: heads of pre-training and the like.
  bool (*passed_over)(std::string_view published_name);
};

// Which part of the family's models a weight of this published name belongs to.
bool is_classifier(std::string_view name, const Family& family);
bool is_predictor(std::string_view name, const Family& family);
bool is_embedding(std::string_view name, const Family& family);  ///< one of the tables, or the norm of their sum

/// Whether int8 models hold the weight of this name, a matrix, in int8: the word embeddings, the matrices of layers,
/// and the first of each skim predictor. What is small or reads few rows stays float32.
bool is_int8_weight(std::string_view name, const Family& family);

std::span<const Family* const> families();
/// Null for a model_type that there is not.
const Family* find_family(std::string_view model_type);

}  // namespace tk
