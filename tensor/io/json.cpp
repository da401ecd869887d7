#include "tensor/io/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tensor/error.h"
#include "tensor/io/in_quotes.h"
#include "tensor/io/input_file.h"

namespace tk {
namespace {

using nlohmann::json;

// "line 2, column 7" of the byte with that number, counted from 1.
std::string place(std::string_view text, std::size_t byte) {
  const std::string_view before = text.substr(0, std::min(text.size(), byte > 0 ? byte - 1 : 0));
  const std::size_t line_begin = before.rfind('\n') + 1;  // npos + 1 is 0
  return concat("line ", std::ranges::count(before, '\n') + 1, ", column ", before.size() - line_begin + 1);
}

}  // namespace

json parse_json(std::string_view text, const std::string& source) {
  try {
    return json::parse(text, [&](int depth, json::parse_event_t, const json&) {
      TK_CHECK(depth <= kMaxJsonDepth, source, ": nested more than ", kMaxJsonDepth, " levels deep");
      return true;
    });
  } catch (const json::parse_error& error) {
    throw Error(concat(source, ": not valid JSON at ", place(text, error.byte)));
  } catch (const json::exception&) {
    throw Error(concat(source, ": not valid JSON: a number is too large"));
  }
}

json read_json(const std::filesystem::path& path, std::int64_t most_bytes) {
  return parse_json(read_file(path, most_bytes), path.string());
}

std::string shown(const json& value) {
  if (value.is_string()) return in_quotes(value.get_ref<const std::string&>());
  if (value.is_array() && value.size() > 100) return concat("a list of ", value.size(), " values");
  constexpr std::size_t kLongest = 60;
  return printable(value.dump(-1, ' ', false, json::error_handler_t::replace), kLongest);
}

}  // namespace tk
