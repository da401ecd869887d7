#include "tensor/io/folder_texts.h"

#include <nlohmann/json.hpp>

#include "tensor/error.h"
#include "tensor/io/input_file.h"
#include "tensor/io/json.h"
#include "tensor/io/utf8.h"

namespace tk {
namespace {

constexpr std::int64_t kMostBytes = std::int64_t{256} << 20;

void check_text(std::string_view text, const std::string& path) {
  if (path.ends_with(".json")) {
    TK_CHECK(parse_json(text, path).is_object(), path, ": expected a JSON object");
  } else {
    TK_CHECK(!find_invalid_utf8(text), path, ": is not valid UTF-8");
  }
}

}  // namespace

const std::string* FolderTexts::find(std::string_view file) const {
  const auto found = files.find(file);
  return found == files.end() ? nullptr : &found->second;
}

FolderTexts read_texts(const std::filesystem::path& folder, std::span<const char* const> files) {
  FolderTexts texts{.folder = folder};
  for (const char* file : files) {
    if (!std::filesystem::exists(folder / file)) continue;
    std::string text = read_file(folder / file, kMostBytes);
    check_text(text, texts.path_of(file));
    texts.files.emplace(file, std::move(text));
  }
  return texts;
}

}  // namespace tk
