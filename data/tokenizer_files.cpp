#include "data/tokenizer.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

#include "tensor/error.h"
#include "tensor/io/folder_texts.h"
#include "tensor/io/in_quotes.h"
#include "tensor/io/json.h"

namespace tk {
namespace {

using Json = nlohmann::json;

constexpr const char* kVocabulary = "vocab.txt";
constexpr const char* kTokenizer = "tokenizer.json";
constexpr const char* kConfig = "tokenizer_config.json";
constexpr const char* kSpecialMap = "special_tokens_map.json";
constexpr const char* kAdded = "added_tokens.json";
constexpr std::array<const char*, 5> kFiles = {kVocabulary, kTokenizer, kConfig, kSpecialMap, kAdded};

constexpr std::int64_t kMaxId = 1 << 24;

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

std::int64_t read_id(const Json& id, const std::string& token, const std::string& path) {
  TK_CHECK(id.is_number_unsigned() && id.get<std::uint64_t>() < kMaxId, path, ": expected an id below ", kMaxId,
           " for the token ", in_quotes(token), ", got ", shown(id));
  return id.get<std::int64_t>();
}

Vocabulary read_vocabulary(const Json& tokenizer, const std::string& path) {
  const Json& model = read_object(tokenizer, "model", path);
  check_value(model, "type", "WordPiece", path);
  check_value(model, "unk_token", "[UNK]", path);
  check_value(model, "continuing_subword_prefix", "##", path);
  check_value(model, "max_input_chars_per_word", WordScanner::kMaxWordLength, path);
  std::vector<std::string> tokens;
  for (const auto& [token, id] : read_object(model, "vocab", path).items()) {
    const auto index = static_cast<std::size_t>(read_id(id, token, path));
    if (index >= tokens.size()) tokens.resize(index + 1);
    TK_CHECK(tokens[index].empty(), path, ": the tokens ", in_quotes(tokens[index]), " and ", in_quotes(token),
             " share the id ", index);
    tokens[index] = token;
  }
  return Vocabulary(std::move(tokens), path);
}

// Of tokenizer.json. It is the one that counts only where transformers takes all of that file.
NormalizerOptions read_normalizer(const Json& tokenizer, const std::string& path) {
  const Json& normalizer = read_object(tokenizer, "normalizer", path);
  check_value(normalizer, "type", "BertNormalizer", path);
  check_value(normalizer, "clean_text", true, path);
  check_value(read_object(tokenizer, "pre_tokenizer", path), "type", "BertPreTokenizer", path);
  return {.lower_case = read_bool(normalizer, "lowercase", path).value_or(true),
          .strip_accents = read_bool(normalizer, "strip_accents", path),
          .split_cjk = read_bool(normalizer, "handle_chinese_chars", path).value_or(true)};
}

NormalizerOptions read_settings(const Json& config, const std::string& path) {
  return {.lower_case = read_bool(config, "do_lower_case", path).value_or(true),
          .strip_accents = read_bool(config, "strip_accents", path),
          .split_cjk = read_bool(config, "tokenize_chinese_chars", path).value_or(true)};
}

// What tokenizer.json's normalizer says other than the settings that count; empty if nothing, or if it is none of
// BERT's.
std::string disagreement(const NormalizerOptions& settings, const Json& tokenizer) {
  const auto said = [&](const char* key, const Json& unsaid) {
    const Json normalizer = tokenizer.value("normalizer", Json());
    const Json value = normalizer.is_object() ? normalizer.value(key, Json()) : Json();
    return value.is_null() ? unsaid : value;
  };
  const Json lower_case = said("lowercase", settings.lower_case);
  const std::tuple<const char*, bool, Json> both[] = {
      {"do_lower_case", settings.lower_case, lower_case},
      {"strip_accents", settings.strip_accents.value_or(settings.lower_case), said("strip_accents", lower_case)},
      {"tokenize_chinese_chars", settings.split_cjk, said("handle_chinese_chars", settings.split_cjk)}};
  for (const auto& [key, counts, other] : both) {
    if (other != counts) return concat(key, " is ", counts ? "true" : "false", ", and tokenizer.json says otherwise");
  }
  return "";
}

// A token as a string, or as an object with its flags.
AddedToken read_token(const Json& json, const std::string& path, bool is_special) {
  const Json content = json.is_object() ? json.value("content", Json()) : json;
  TK_CHECK(content.is_string() && !content.get_ref<const std::string&>().empty(), path, ": expected a token, got ",
           shown(json));
  AddedToken token{.text = content.get<std::string>(), .special = is_special};
  if (!json.is_object()) return token;
  token.special = is_special || read_bool(json, "special", path).value_or(false);
  token.normalized = read_bool(json, "normalized", path).value_or(!token.special);
  token.single_word = read_bool(json, "single_word", path).value_or(false);
  token.strip_left = read_bool(json, "lstrip", path).value_or(false);
  token.strip_right = read_bool(json, "rstrip", path).value_or(false);
  return token;
}

constexpr std::size_t kMostAdded = 4096;

void check_count(std::size_t tokens, const std::string& path) {
  TK_CHECK(tokens <= kMostAdded, path, ": expected at most ", kMostAdded, " added tokens");
}

// Added tokens and the ids that files say, if they do.
class AddedTokens {
 public:
  bool contains(std::string_view text) const {
    return std::ranges::any_of(all_, [&](const Entry& entry) { return entry.token.text == text; });
  }

  // The first of a text counts.
  void add(std::int64_t id, AddedToken token, const std::string& path) {
    TK_CHECK(!token.text.empty(), path, ": an added token is empty");
    if (contains(token.text)) return;
    all_.push_back({id, std::move(token), path});
    check_count(all_.size(), path);
  }

  // tokenizer.json's list.
  void add_list(const Json& tokenizer, const std::string& path) {
    const Json list = tokenizer.value("added_tokens", Json());
    if (list.is_null()) return;
    TK_CHECK(list.is_array(), path, ": expected a list of added_tokens, got ", shown(list));
    for (const Json& json : list) {
      AddedToken token = read_token(json, path, false);
      const std::int64_t id = read_id(json.is_object() ? json.value("id", Json()) : Json(), token.text, path);
      add(id, std::move(token), path);
    }
  }

  // tokenizer_config.json's: {"4": {"content": "[MASK]", ...}}.
  void add_decoder(const Json& decoder, const std::string& path) {
    TK_CHECK(decoder.is_object(), path, ": expected an object added_tokens_decoder, got ", shown(decoder));
    for (const auto& [key, json] : decoder.items()) {
      AddedToken token = read_token(json, path, false);
      const bool is_number = !key.empty() && key.size() < 10 && key.find_first_not_of("0123456789") == key.npos;
      const std::int64_t id = read_id(is_number ? Json(std::stoull(key)) : Json(key), token.text, path);
      add(id, std::move(token), path);
    }
  }

  // added_tokens.json's: {"[E1]": 30522}. What is not special elsewhere is found in the normalised text.
  void add_ids(const Json& ids, const std::vector<AddedToken>& special, const std::string& path) {
    for (const auto& [text, id] : ids.items()) {
      const bool is_special = std::ranges::count(special, text, &AddedToken::text) > 0;
      add(read_id(id, text, path), {.text = text, .special = is_special, .normalized = !is_special}, path);
    }
  }

  // By their ids, those without one last. Throws where the vocabulary gives one another id than it has here.
  std::vector<AddedToken> in_order(const Vocabulary& vocabulary) {
    std::ranges::stable_sort(all_, {}, &Entry::id);
    std::vector<AddedToken> tokens;
    std::int64_t next = vocabulary.size();
    for (auto& [id, token, path] : all_) {
      const auto own = vocabulary.find(token.text);
      const std::int64_t given = own ? *own : next++;
      TK_CHECK(id == kUnsaid || id == given, path, ": the added token ", in_quotes(token.text), " has the id ", id,
               ", expected ", given, ", the vocabulary's");
      tokens.push_back(std::move(token));
    }
    return tokens;
  }

  static constexpr std::int64_t kUnsaid = kMaxId;

 private:
  struct Entry {
    std::int64_t id;
    AddedToken token;
    std::string path;
  };

  std::vector<Entry> all_;
};

// The special tokens that a file names: those of BERT under their keys must be BERT's, all others are added.
void read_special_tokens(const Json& json, const std::string& path, std::vector<AddedToken>& special) {
  constexpr std::pair<const char*, const char*> kOwn[] = {{"pad_token", "[PAD]"},
                                                          {"unk_token", "[UNK]"},
                                                          {"cls_token", "[CLS]"},
                                                          {"sep_token", "[SEP]"},
                                                          {"mask_token", "[MASK]"}};
  for (const auto& [key, expected] : kOwn) {
    const Json value = json.value(key, Json());
    if (value.is_null()) continue;
    const std::string text = read_token(value, path, true).text;
    TK_CHECK(text == expected, path, ": ", key, ": expected ", in_quotes(expected), ", the only one supported, got ",
             in_quotes(text));
  }
  for (const char* key : {"additional_special_tokens", "extra_special_tokens"}) {
    const Json list = json.value(key, Json());
    if (!list.is_array() && !list.is_object()) continue;
    check_count(list.size(), path);
    for (const Json& token : list) special.push_back(read_token(token, path, true));
  }
  for (const char* key : {"bos_token", "eos_token"}) {
    const Json value = json.value(key, Json());
    if (!value.is_null()) special.push_back(read_token(value, path, true));
  }
}

// The files of a folder that make its tokenizer; an empty object for one that is not there.
struct Files {
  explicit Files(const FolderTexts& texts)
      : texts(texts),
        tokenizer(object_of(kTokenizer)),
        config(object_of(kConfig)),
        special_map(object_of(kSpecialMap)),
        added(object_of(kAdded)) {}

  bool has(const char* file) const { return texts.find(file) != nullptr; }
  std::string path(const char* file) const { return texts.path_of(file); }

  // Whether transformers takes all of tokenizer.json, not its tokens alone.
  bool is_generic() const {
    const Json name = config.value("tokenizer_class", Json());
    return has(kTokenizer) && (!has(kConfig) || name == "PreTrainedTokenizerFast" || name == "TokenizersBackend");
  }

  Json object_of(const char* file) const {
    if (!has(file)) return Json::object();
    Json json = parse_json(*texts.find(file), path(file));
    TK_CHECK(json.is_object(), path(file), ": expected a JSON object, got ", shown(json));
    return json;
  }

  const FolderTexts& texts;
  Json tokenizer, config, special_map, added;
};

std::vector<AddedToken> read_added_tokens(const Files& files, const Vocabulary& vocabulary) {
  std::vector<AddedToken> special;
  read_special_tokens(files.config, files.path(kConfig), special);
  AddedTokens added;
  const Json decoder = files.config.value("added_tokens_decoder", Json());
  if (files.is_generic()) added.add_list(files.tokenizer, files.path(kTokenizer));
  if (!decoder.is_null()) {
    added.add_decoder(decoder, files.path(kConfig));
  } else {
    read_special_tokens(files.special_map, files.path(kSpecialMap), special);
    added.add_list(files.tokenizer, files.path(kTokenizer));
    added.add_ids(files.added, special, files.path(kAdded));
  }
  for (AddedToken& token : special) added.add(AddedTokens::kUnsaid, std::move(token), files.path(kConfig));
  return added.in_order(vocabulary);
}

}  // namespace

Tokenizer Tokenizer::from_folder(const std::filesystem::path& folder) { return from_texts(read_texts(folder, kFiles)); }

Tokenizer Tokenizer::from_texts(const FolderTexts& texts) {
  const Files files(texts);
  TK_CHECK(files.has(kVocabulary) || files.has(kTokenizer), texts.folder.string(),
           ": expected vocab.txt or tokenizer.json in this folder");
  std::vector<std::string> notes;
  const auto note = [&](const std::string& text) { notes.push_back(concat(texts.folder.string(), ": ", text)); };

  std::optional<Vocabulary> vocabulary;
  if (const std::string* text = texts.find(kVocabulary)) {
    vocabulary = Vocabulary::from_text(*text, files.path(kVocabulary));
  }
  TokenizerOptions options;
  if (files.has(kTokenizer)) {
    Vocabulary counts = read_vocabulary(files.tokenizer, files.path(kTokenizer));
    if (vocabulary && vocabulary->tokens() != counts.tokens()) {
      note("vocab.txt has other tokens than tokenizer.json, which counts, as in transformers");
    }
    vocabulary = std::move(counts);
  }
  if (files.is_generic()) {
    options.normalizer = read_normalizer(files.tokenizer, files.path(kTokenizer));
  } else {
    options.normalizer = read_settings(files.config, files.path(kConfig));
    if (std::string text = disagreement(options.normalizer, files.tokenizer); !text.empty()) {
      note(text + "; tokenizer_config.json counts, as in transformers");
    }
  }
  options.added_tokens = read_added_tokens(files, *vocabulary);
  Tokenizer tokenizer(std::move(*vocabulary), options);
  tokenizer.notes_ = std::move(notes);
  return tokenizer;
}

}  // namespace tk
