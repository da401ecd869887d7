#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace tk {

/// Foreign text, fit to print on a terminal as part of one line: a '?' for each control character (C0, C1, line and
/// paragraph separators), for each character that changes the direction of writing or shows nothing, and for each byte
/// that is not valid UTF-8. All other characters stay.
std::string printable(std::string_view text);
/// The same in quotes, cut behind 80 bytes.
std::string in_quotes(std::string_view text);
/// The same of several, without quotes: "a, b, c", and how many more there are than `most`.
std::string listed(std::span<const std::string> texts, std::size_t most = 20);
/// Fit to print, without quotes, cut behind `most` bytes.
std::string printable(std::string_view text, std::size_t most);

/// Fit to print, with at most `most` bytes and three dots: what is too much is left out of the middle, so that a line
/// still says what it is about and what happened.
std::string printable_line(std::string_view text, std::size_t most);

}  // namespace tk
