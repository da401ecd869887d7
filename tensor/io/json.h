#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

// JSON from files that others wrote: the one way in.
namespace tk {

/// Deeper nesting is refused: copying and printing JSON recurse.
inline constexpr int kMaxJsonDepth = 32;

/// Parses the text of a file, `source`. Throws tk::Error that starts with `source` for text that is not JSON, with line
/// and column, and for values nested more than kMaxJsonDepth levels deep.
nlohmann::json parse_json(std::string_view text, const std::string& source);
/// Reads and parses a file of at most `most_bytes`.
nlohmann::json read_json(const std::filesystem::path& path, std::int64_t most_bytes = std::int64_t{64} << 20);

/// A value for a message: fit to print, and not too long.
std::string shown(const nlohmann::json& value);

}  // namespace tk
