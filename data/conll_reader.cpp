#include "data/conll_reader.h"

#include <string_view>
#include <utility>

#include "data/text_file.h"
#include "tensor/error.h"

namespace tk {
namespace {

constexpr std::string_view kBlanks = " \t";

struct TaggedWord {
  std::string_view word;
  std::string_view tag;  // empty where there is none
};

TaggedWord parse_line(std::string_view line) {
  line.remove_prefix(line.find_first_not_of(kBlanks));
  line = line.substr(0, line.find_last_not_of(kBlanks) + 1);
  const std::size_t end = line.find_first_of(kBlanks);
  if (end == std::string_view::npos) return {line, {}};
  return {line.substr(0, end), line.substr(line.find_last_of(kBlanks) + 1)};
}

}  // namespace

std::vector<TaggedSentence> read_conll(const std::filesystem::path& path) {
  const std::string text = read_text(path);
  std::string_view rest = text;
  std::vector<TaggedSentence> sentences;
  TaggedSentence sentence;
  bool has_tags = false;
  const auto end_sentence = [&] {
    if (!sentence.words.empty()) sentences.push_back(std::exchange(sentence, {}));
  };
  for (std::int64_t number = 1; !rest.empty(); ++number) {
    const std::string_view line = take_line(rest);
    if (line.find_first_not_of(kBlanks) == std::string_view::npos) {
      end_sentence();
      continue;
    }
    const auto [word, tag] = parse_line(line);
    if (word == "-DOCSTART-") continue;
    const bool is_first = sentences.empty() && sentence.words.empty();
    if (is_first) has_tags = !tag.empty();
    TK_CHECK(has_tags == !tag.empty(), path.string(), ", line ", number, ": expected a word",
             has_tags ? " and its tag" : " alone, as in the lines before");
    if (sentence.words.empty()) sentence.line = number;
    sentence.words.emplace_back(word);
    if (has_tags) sentence.tags.emplace_back(tag);
  }
  end_sentence();
  TK_CHECK(!sentences.empty(), path.string(), ": no words; expected one a line, with its tag");
  return sentences;
}

}  // namespace tk
