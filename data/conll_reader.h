#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tk {

/// A sentence as words, each with its tag.
struct TaggedSentence {
  std::int64_t line = 0;  ///< on which it begins, counted from 1
  std::vector<std::string> words = {};
  std::vector<std::string> tags = {};  ///< one a word, or none where the file has words alone
};

/// The sentences of a UTF-8 file in CoNLL's layout: a word a line, its tag in the line's last column, tabs or blanks
/// between them; lines of blanks end a sentence, and those that begin with -DOCSTART- are passed over. Throws, naming
/// file and line, where some lines have a tag and others none, and for a file without words.
std::vector<TaggedSentence> read_conll(const std::filesystem::path& path);

}  // namespace tk
