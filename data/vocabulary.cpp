#include "data/vocabulary.h"

#include <unicode/utf8.h>

#include <algorithm>

#include "data/unicode.h"
#include "tensor/error.h"
#include "tensor/io/in_quotes.h"
#include "tensor/io/input_file.h"
#include "tensor/io/utf8.h"

namespace tk {
namespace {

std::string_view trimmed_end(std::string_view line) {
  auto end = static_cast<std::int32_t>(line.size());
  for (std::int32_t i = end; i > 0; end = i) {
    UChar32 c;
    U8_PREV(line.data(), 0, i, c);
    if (c < 0 || !is_white_space(static_cast<char32_t>(c))) break;
  }
  return line.substr(0, static_cast<std::size_t>(end));
}

}  // namespace

Vocabulary::Vocabulary(std::vector<std::string> tokens, const std::string& source) : tokens_(std::move(tokens)) {
  constexpr std::size_t kMaxTokens = 1 << 24;
  TK_CHECK(tokens_.size() <= kMaxTokens, source, ": expected at most ", kMaxTokens, " tokens, got ", tokens_.size());
  ids_.reserve(tokens_.size());
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    TK_CHECK(!find_invalid_utf8(tokens_[i]), source, ": token ", i, " is not valid UTF-8");
    if (!tokens_[i].empty()) ids_.insert_or_assign(tokens_[i], static_cast<std::int32_t>(i));
  }
  const auto required = [&](const char* token) {
    const auto id = find(token);
    TK_CHECK(id, source, ": the vocabulary lacks the token ", token, " (", tokens_.size(), " tokens)");
    return *id;
  };
  unk_ = required("[UNK]");
  cls_ = required("[CLS]");
  sep_ = required("[SEP]");
}

Vocabulary Vocabulary::from_text(std::string_view text, const std::string& source) {
  constexpr std::size_t kLongestLine = 1 << 20;
  std::vector<std::string> tokens;
  while (!text.empty()) {
    const std::size_t length = std::min(text.find('\n'), text.size());
    TK_CHECK(length <= kLongestLine, source, ": line ", tokens.size() + 1, " has ", length, " bytes; expected a token");
    tokens.emplace_back(trimmed_end(text.substr(0, length)));
    text.remove_prefix(std::min(length + 1, text.size()));
  }
  while (!tokens.empty() && tokens.back().empty()) tokens.pop_back();
  return Vocabulary(std::move(tokens), source);
}

Vocabulary Vocabulary::from_file(const std::filesystem::path& path) {
  constexpr std::int64_t kMostBytes = std::int64_t{256} << 20;
  return from_text(read_file(path, kMostBytes), path.string());
}

std::optional<std::int32_t> Vocabulary::find(std::string_view token) const {
  const auto found = ids_.find(token);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

std::int32_t Vocabulary::add(const std::string& token) {
  TK_CHECK(!token.empty() && !find_invalid_utf8(token), "vocabulary: cannot add the token ", in_quotes(token));
  const auto [place, is_new] = ids_.emplace(token, static_cast<std::int32_t>(tokens_.size()));
  if (is_new) tokens_.push_back(token);
  return place->second;
}

const std::string& Vocabulary::token(std::int64_t id) const {
  TK_CHECK(id >= 0 && id < size(), "vocabulary: expected an id below ", size(), ", got ", id);
  return tokens_[static_cast<std::size_t>(id)];
}

}  // namespace tk
