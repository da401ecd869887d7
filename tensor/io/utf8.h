#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tk {

inline constexpr std::uint32_t kInvalidCharacter = 0xffffffff;

/// The character that begins at byte `at`, which moves behind it; kInvalidCharacter, and one byte, where no well-formed
/// one does (Unicode 15, table 3-7).
std::uint32_t take_character(std::string_view text, std::size_t& at);

/// Where the first byte lies that is not part of well-formed UTF-8.
std::optional<std::size_t> find_invalid_utf8(std::string_view text);

}  // namespace tk
