#include "data/tokenizer.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "tensor/error.h"
#include "tensor/io/folder_texts.h"
#include "tensor/io/in_quotes.h"
#include "tensor/io/json.h"

namespace tk {
namespace {

using Json = nlohmann::json;

// The Boolean under that key, if there is one and it is not null.
std::optional<bool> read_bool(const Json& json, const char* key, const std::string& path) {
  const auto found = json.find(key);
  if (found == json.end() || found->is_null()) return std::nullopt;
  TK_CHECK(found->is_boolean(), path, ": expected true or false for ", key, ", got ", shown(*found));
  return found->get<bool>();
}

// A part of tokenizer.json must be what BERT has; a key that is not there has BERT's value.
void check_value(const Json& json, const char* key, const Json& expected, const std::string& path) {
  const auto found = json.find(key);
  TK_CHECK(found == json.end() || *found == expected, path, ": not a BERT tokenizer: expected ", key, " = ",
           shown(expected), ", got ", shown(*found));
}

const Json& read_object(const Json& json, const char* key, const std::string& path) {
  const auto found = json.find(key);
  TK_CHECK(found != json.end() && found->is_object(), path, ": not a BERT tokenizer: it has no ", key);
  return *found;
}

Vocabulary read_vocabulary(const Json& model, const std::string& path) {
  constexpr std::int64_t kMaxId = 1 << 24;
  std::vector<std::string> tokens;
  for (const auto& [token, id] : read_object(model, "vocab", path).items()) {
    TK_CHECK(id.is_number_unsigned() && id.get<std::uint64_t>() < kMaxId, path, ": expected an id below ", kMaxId,
             " for the token ", in_quotes(token), ", got ", shown(id));
    const auto index = id.get<std::size_t>();
    if (index >= tokens.size()) tokens.resize(index + 1);
    TK_CHECK(tokens[index].empty(), path, ": the tokens ", in_quotes(tokens[index]), " and ", in_quotes(token),
             " share the id ", index);
    tokens[index] = token;
  }
  return Vocabulary(std::move(tokens), path);
}

// The special tokens are those that Tokenizer knows; others would be read as text.
void check_added_tokens(const Json& json, const std::string& path) {
  const auto found = json.find("added_tokens");
  if (found == json.end()) return;
  TK_CHECK(found->is_array(), path, ": expected a list of added_tokens, got ", shown(*found));
  for (const Json& token : *found) {
    const Json content = token.is_object() ? token.value("content", Json()) : Json();
    const auto& known = Tokenizer::kSpecialTokens;
    const bool is_known = std::any_of(known.begin(), known.end(), [&](auto text) { return Json(text) == content; });
    TK_CHECK(is_known, path, ": not a BERT tokenizer: it adds the token ", shown(token));
  }
}

// The file that `tokenizers` writes, the only one that transformers 5 does.
Tokenizer read_tokenizer_json(const Json& json, const std::string& path) {
  const Json& model = read_object(json, "model", path);
  check_value(model, "type", "WordPiece", path);
  check_value(model, "unk_token", "[UNK]", path);
  check_value(model, "continuing_subword_prefix", "##", path);
  check_value(model, "max_input_chars_per_word", WordScanner::kMaxWordLength, path);
  const Json& normalizer = read_object(json, "normalizer", path);
  check_value(normalizer, "type", "BertNormalizer", path);
  check_value(normalizer, "clean_text", true, path);
  check_value(read_object(json, "pre_tokenizer", path), "type", "BertPreTokenizer", path);
  check_added_tokens(json, path);

  TokenizerOptions options;
  options.normalizer.lower_case = read_bool(normalizer, "lowercase", path).value_or(true);
  options.normalizer.strip_accents = read_bool(normalizer, "strip_accents", path);
  options.normalizer.split_cjk = read_bool(normalizer, "handle_chinese_chars", path).value_or(true);
  return Tokenizer(read_vocabulary(model, path), options);
}

TokenizerOptions read_tokenizer_config(const Json& json, const std::string& path) {
  TokenizerOptions options;
  options.normalizer.lower_case = read_bool(json, "do_lower_case", path).value_or(true);
  options.normalizer.strip_accents = read_bool(json, "strip_accents", path);
  options.normalizer.split_cjk = read_bool(json, "tokenize_chinese_chars", path).value_or(true);
  return options;
}

constexpr const char* kVocabulary = "vocab.txt";
constexpr const char* kConfig = "tokenizer_config.json";
constexpr const char* kTokenizer = "tokenizer.json";

Json object_of(const FolderTexts& texts, const char* file) {
  Json json = parse_json(*texts.find(file), texts.path_of(file));
  TK_CHECK(json.is_object(), texts.path_of(file), ": expected a JSON object, got ", shown(json));
  return json;
}

}  // namespace

Tokenizer Tokenizer::from_folder(const std::filesystem::path& folder) {
  constexpr std::array<const char*, 3> kFiles = {kVocabulary, kConfig, kTokenizer};
  return from_texts(read_texts(folder, kFiles));
}

Tokenizer Tokenizer::from_texts(const FolderTexts& texts) {
  if (const std::string* vocabulary = texts.find(kVocabulary)) {
    TokenizerOptions options;
    if (texts.find(kConfig) != nullptr) {
      options = read_tokenizer_config(object_of(texts, kConfig), texts.path_of(kConfig));
    }
    return Tokenizer(Vocabulary::from_text(*vocabulary, texts.path_of(kVocabulary)), options);
  }
  TK_CHECK(texts.find(kTokenizer) != nullptr, texts.folder.string(),
           ": expected vocab.txt or tokenizer.json in this folder");
  return read_tokenizer_json(object_of(texts, kTokenizer), texts.path_of(kTokenizer));
}

}  // namespace tk
