#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tk {

/// The tokens of a WordPiece model; a token's id is its place in the list.
class Vocabulary {
 public:
  /// `source` names the list in messages. Throws unless [UNK], [CLS] and [SEP] are in it and all of it is valid UTF-8.
  /// An empty token only takes up an id. When a token is listed twice, the later id is the one that is found.
  explicit Vocabulary(std::vector<std::string> tokens, const std::string& source = "vocabulary");

  /// Reads the text of `vocab.txt`: one token a line, white space at the line's end cut off, blank lines at the file's
  /// end ignored.
  static Vocabulary from_text(std::string_view text, const std::string& source);
  static Vocabulary from_file(const std::filesystem::path& path);

  /// The token's id, a new one behind all others if it is not in the list. Not empty, and valid UTF-8.
  std::int32_t add(const std::string& token);

  /// How many ids there are, used or not.
  std::int64_t size() const { return static_cast<std::int64_t>(tokens_.size()); }

  std::optional<std::int32_t> find(std::string_view token) const;

  /// The token with this id; throws when there is none.
  const std::string& token(std::int64_t id) const;

  /// All tokens in the order of their ids.
  const std::vector<std::string>& tokens() const { return tokens_; }

  std::int32_t unk() const { return unk_; }
  std::int32_t cls() const { return cls_; }
  std::int32_t sep() const { return sep_; }
  std::optional<std::int32_t> pad() const { return find("[PAD]"); }
  std::optional<std::int32_t> mask() const { return find("[MASK]"); }

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;
  };

  std::vector<std::string> tokens_;
  std::unordered_map<std::string, std::int32_t, Hash, std::equal_to<>> ids_;
  std::int32_t unk_ = 0, cls_ = 0, sep_ = 0;
};

}  // namespace tk
