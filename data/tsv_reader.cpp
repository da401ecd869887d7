#include "data/tsv_reader.h"

#include "data/text_file.h"
#include "tensor/error.h"

namespace tk {

TsvReader::TsvReader(const std::filesystem::path& path) : path_(path.string()), text_(read_text(path)) {}

bool TsvReader::next(std::vector<std::string_view>& fields) {
  fields.clear();
  std::string_view line;
  while (line.empty()) {
    if (at_ >= text_.size()) return false;
    std::string_view rest = std::string_view(text_).substr(at_);
    line = take_line(rest);
    at_ = text_.size() - rest.size();
    ++line_;
  }
  for (std::size_t tab = line.find('\t'); tab != std::string_view::npos; tab = line.find('\t')) {
    fields.push_back(line.substr(0, tab));
    line.remove_prefix(tab + 1);
  }
  fields.push_back(line);
  return true;
}

std::string TsvReader::where() const { return concat(path_, ", line ", line_); }

}  // namespace tk
