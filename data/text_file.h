#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace tk {

/// All of a UTF-8 text file, without a byte-order mark at its start. Throws when it cannot be read, and naming the line
/// when it is not valid UTF-8.
std::string read_text(const std::filesystem::path& path);

/// The same of a text that came from elsewhere, `source` in messages.
std::string checked_text(std::string text, const std::string& source);

/// Takes a line off the front of `text` and returns it without its end: "\n", "\r\n" or "\r".
std::string_view take_line(std::string_view& text);

/// The number of line ends in `text`.
std::int64_t count_lines(std::string_view text);

}  // namespace tk
