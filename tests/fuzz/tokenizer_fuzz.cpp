#include "data/tokenizer.h"

#include <map>

#include "tensor/error.h"
#include "tests/fuzz/fuzz.h"

namespace tk::fuzz {
namespace {

// Whole words, pieces, single letters, marks, Han characters and punctuation.
Vocabulary vocabulary() {
  std::vector<std::string> tokens = {"[PAD]", "[UNK]", "[CLS]",     "[SEP]",  "[MASK]",   "the",      "film",
                                     "##s",   "##ing", "caf\u00e9", "\u4f60", "##\u597d", "##\u0301", "stra\u00dfe"};
  for (char c = '!'; c <= '~'; ++c) {
    tokens.emplace_back(1, c);
    if (c >= 'a' && c <= 'y') tokens.push_back(std::string("##") + c);
  }
  return Vocabulary(tokens);
}

// Options by the bits of a byte; making a tokenizer takes longer than a text.
const Tokenizer& tokenizer_of(std::uint8_t bits) {
  static std::map<std::uint8_t, Tokenizer> made;
  bits &= 0x3f;
  const auto found = made.find(bits);
  if (found != made.end()) return found->second;
  TokenizerOptions options;
  options.normalizer.lower_case = (bits & 1) == 0;
  if ((bits & 2) != 0) options.normalizer.strip_accents = (bits & 4) != 0;
  options.normalizer.split_cjk = (bits & 8) == 0;
  options.split_special_tokens = (bits & 16) != 0;
  options.truncation = (bits & 32) != 0 ? Truncation::kOnlySecond : Truncation::kLongestFirst;
  return made.emplace(bits, Tokenizer(vocabulary(), options)).first->second;
}

void check_encoding(const Tokenizer& tokenizer, const Encoding& encoding, std::string_view a, std::string_view b) {
  require(encoding.token_types.size() == encoding.ids.size() && encoding.sources.size() == encoding.ids.size(),
          "a token has an id, a type and a source");
  require(encoding.ids.front() == tokenizer.vocabulary().cls(), "[CLS] is first");
  require(encoding.ids.back() == tokenizer.vocabulary().sep(), "[SEP] is last");
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    require(encoding.ids[i] >= 0 && encoding.ids[i] < tokenizer.vocabulary().size(), "ids lie in the vocabulary");
    const ByteSpan source = encoding.sources[i];
    const std::string_view text = encoding.token_types[i] == 0 ? a : b;
    require(source.begin >= 0 && source.begin <= source.end && source.end <= std::ssize(text), "sources lie in a text");
  }
}

}  // namespace
}  // namespace tk::fuzz

// Options, the length to cut to (0: none), a text, and behind a zero byte perhaps another one.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tk;
  if (size < 2) return 0;
  const Tokenizer& tokenizer = fuzz::tokenizer_of(data[0]);
  const std::vector<std::string> texts = fuzz::pieces(fuzz::text_of(data + 2, size - 2));
  const std::string_view a = texts[0];
  const std::string_view b = texts.size() > 1 ? std::string_view(texts[1]) : "";
  const auto second = texts.size() > 1 ? std::optional(b) : std::nullopt;
  const Encoding whole = tokenizer.encode(a, second);
  fuzz::check_encoding(tokenizer, whole, a, b);
  const std::int64_t length = data[1];
  try {
    const Encoding cut = tokenizer.encode(a, second, length);
    fuzz::check_encoding(tokenizer, cut, a, b);
    fuzz::require(std::ssize(cut.ids) == std::min(length, std::ssize(whole.ids)), "no more is cut than asked for");
  } catch (const Error&) {  // no room for what may not be cut
  }
  return 0;
}
