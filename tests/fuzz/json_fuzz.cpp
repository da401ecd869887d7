#include <algorithm>
#include <nlohmann/json.hpp>

#include "tensor/error.h"
#include "tensor/io/in_quotes.h"
#include "tensor/io/json.h"
#include "tensor/io/utf8.h"
#include "tests/fuzz/fuzz.h"

namespace {

using nlohmann::json;

int depth_of(const json& value) {
  int deepest = 0;
  if (value.is_structured()) {
    for (const json& element : value) deepest = std::max(deepest, depth_of(element));
  }
  return 1 + deepest;
}

// "N" and a byte n: what follows, within 256 n arrays or objects. Any other input is the text itself.
std::string text_of(const std::uint8_t* data, std::size_t size) {
  if (size < 3 || data[0] != 'N') return std::string(tk::fuzz::text_of(data, size));
  std::string text;
  for (int i = 0; i < 256 * data[1]; ++i) text += i % 3 == 0 ? "{\"a\":" : "[";
  return text.append(tk::fuzz::text_of(data + 2, size - 2));
}

void check_printable(const std::string& text) {
  const std::string printed = tk::printable(text);
  tk::fuzz::require(!tk::find_invalid_utf8(printed), "what is fit to print is UTF-8");
  tk::fuzz::require(tk::printable(printed) == printed, "what is fit to print stays as it is");
  tk::fuzz::require(tk::in_quotes(text).size() <= 85, "a quotation is short");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tk;
  const std::string text = text_of(data, size);
  check_printable(text);
  try {
    const json value = parse_json(text, "f.json");
    fuzz::require(depth_of(value) <= kMaxJsonDepth + 1, "depth is bounded");
    fuzz::require(shown(value).size() <= 85 && printable(shown(value)) == shown(value), "a value is shown in a line");
    fuzz::require(json::parse(value.dump()) == value, "what is written is read back the same");
  } catch (const Error& error) {
    const std::string_view line = error.what();
    fuzz::require(line.starts_with("f.json: ") && line.size() < 100, "an error is short and starts with the source");
  }
  return 0;
}
