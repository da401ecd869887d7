#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/added_tokens.h"
#include "data/normalizer.h"
#include "data/vocabulary.h"
#include "data/wordpiece.h"

namespace tk {

struct FolderTexts;

/// What is cut when a text or pair has too many tokens. `kLongestFirst` shortens the longer one until both are equal
/// and then both alike, the odd token going to the second; as Hugging Face's `tokenizers` does it, not as Google did.
enum class Truncation { kLongestFirst, kOnlyFirst, kOnlySecond };

struct TokenizerOptions {
  NormalizerOptions normalizer;
  Truncation truncation = Truncation::kLongestFirst;
  bool split_special_tokens = false;  ///< Read "[CLS]" and its like in a text as text, not as the special token.
  std::vector<AddedToken> added_tokens = {};  ///< Beside kSpecialTokens. Those that are no tokens yet get the next ids.
};

/// The tokens of a text, [CLS] A [SEP], or of a pair, [CLS] A [SEP] B [SEP]. All three have one entry a token.
struct Encoding {
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> token_types;  ///< 0 up to the first [SEP], 1 from B on.
  std::vector<ByteSpan> sources;          ///< In A or B, as the token's type says; empty for the [CLS] and [SEP] added.
};

/// The BERT tokenizer, with the ids of Hugging Face's BertTokenizerFast: special tokens are cut out, the rest is
/// normalised, split into words and the words into WordPiece tokens. Invalid UTF-8 is left out.
/// Immutable; any number of threads may encode at once.
class Tokenizer {
 public:
  /// Read as tokens, not as text, where they stand in a text in exactly this spelling and the vocabulary has them.
  static constexpr std::array<std::string_view, 5> kSpecialTokens = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};

  explicit Tokenizer(Vocabulary vocabulary, const TokenizerOptions& options = {});

  /// The tokenizer of a Hugging Face folder, put together as transformers' BertTokenizer does it:
  /// - the vocabulary of `tokenizer.json`, else of `vocab.txt`;
  /// - `do_lower_case`, `strip_accents` and `tokenize_chinese_chars` of `tokenizer_config.json`, or the normalizer of
  ///   `tokenizer.json` where there is no such file or its class is no BERT's (PreTrainedTokenizerFast);
  /// - added tokens of `tokenizer_config.json`, else of `tokenizer.json` and `added_tokens.json`, and the special ones
  /// of
  ///   `special_tokens_map.json`.
  /// What two files say differently is in the notes. Throws, naming the file, for something else than a BERT tokenizer.
  static Tokenizer from_folder(const std::filesystem::path& folder);
  /// The same from the texts of such files.
  static Tokenizer from_texts(const FolderTexts& texts);

  /// Encodes a text or a pair, in at most max_length tokens. Throws when max_length leaves no room for [CLS] and [SEP],
  /// or when the text that alone may be cut would not keep a token.
  Encoding encode(std::string_view a, std::optional<std::string_view> b = std::nullopt,
                  std::optional<std::int64_t> max_length = std::nullopt) const;

  const Vocabulary& vocabulary() const { return vocabulary_; }
  const TokenizerOptions& options() const { return options_; }
  /// What the files that it was read from contradict each other in, a line each, with what counts.
  const std::vector<std::string>& notes() const { return notes_; }

 private:
  void add(const AddedToken& token, std::int32_t id);
  void append_text(std::string_view text, std::int32_t type, Encoding& encoding) const;
  void append_normalized(std::string_view text, std::size_t begin, std::size_t end, std::int32_t type,
                         Encoding& encoding) const;
  void append_words(std::string_view text, std::size_t begin, std::size_t end, std::int32_t type,
                    Encoding& encoding) const;

  Vocabulary vocabulary_;
  TokenizerOptions options_;
  Normalizer normalizer_;
  WordPiece wordpiece_;
  TokenFinder as_they_stand_;
  TokenFinder normalized_;
  std::vector<std::string> notes_;
};

}  // namespace tk
