#include "data/vocabulary.h"

#include <unicode/utf8.h>

#include <fstream>

#include "data/unicode.h"
#include "tensor/error.h"

namespace tk {
namespace {

bool is_valid_utf8(std::string_view text) {
  const auto size = static_cast<std::int32_t>(text.size());
  for (std::int32_t i = 0; i < size;) {
    UChar32 c;
    U8_NEXT(text.data(), i, size, c);
    if (c < 0) return false;
  }
  return true;
}

void trim_end(std::string& line) {
  auto end = static_cast<std::int32_t>(line.size());
  for (std::int32_t i = end; i > 0; end = i) {
    UChar32 c;
    U8_PREV(line.data(), 0, i, c);
    if (c < 0 || !is_white_space(static_cast<char32_t>(c))) break;
  }
  line.resize(static_cast<std::size_t>(end));
}

}  // namespace

Vocabulary::Vocabulary(std::vector<std::string> tokens, const std::string& source) : tokens_(std::move(tokens)) {
  constexpr std::size_t kMaxTokens = 1 << 24;
  TK_CHECK(tokens_.size() <= kMaxTokens, source, ": expected at most ", kMaxTokens, " tokens, got ", tokens_.size());
  ids_.reserve(tokens_.size());
  for (std::size_t i = 0; i < tokens_.size(); ++i) {
    TK_CHECK(is_valid_utf8(tokens_[i]), source, ": token ", i, " is not valid UTF-8");
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

Vocabulary Vocabulary::from_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  TK_CHECK(in && !std::filesystem::is_directory(path), path.string(), ": cannot open the vocabulary");
  std::vector<std::string> tokens;
  for (std::string line; std::getline(in, line);) {
    trim_end(line);
    tokens.push_back(std::move(line));
  }
  TK_CHECK(!in.bad(), path.string(), ": cannot read the vocabulary");
  while (!tokens.empty() && tokens.back().empty()) tokens.pop_back();
  return Vocabulary(std::move(tokens), path.string());
}

std::optional<std::int32_t> Vocabulary::find(std::string_view token) const {
  const auto found = ids_.find(token);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

const std::string& Vocabulary::token(std::int64_t id) const {
  TK_CHECK(id >= 0 && id < size(), "vocabulary: expected an id below ", size(), ", got ", id);
  return tokens_[static_cast<std::size_t>(id)];
}

}  // namespace tk
