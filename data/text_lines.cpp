#include "data/text_lines.h"

#include "data/tsv_reader.h"
#include "tensor/error.h"

namespace tk {

std::vector<Example> read_text_lines(const std::filesystem::path& path, int texts) {
  TsvReader reader(path);
  std::vector<Example> examples;
  std::vector<std::string_view> fields;
  while (reader.next(fields)) {
    TK_CHECK(std::ssize(fields) == texts, reader.where(), ": expected ", texts,
             texts == 1 ? " text" : " texts with a tab between them", ", got ", fields.size());
    Example example{.id = static_cast<std::int32_t>(examples.size()), .text_a = std::string(fields[0])};
    example.has_b = texts == 2;
    if (example.has_b) example.text_b = fields[1];
    examples.push_back(std::move(example));
  }
  TK_CHECK(!examples.empty(), "no texts in ", path.string(), ": expected at least one line");
  return examples;
}

}  // namespace tk
