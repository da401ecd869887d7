#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <string_view>
#include <utility>

namespace tk {

/// Makes standard error the place of all lines, warnings with "warning: " in front (in colour on a terminal).
void start_log();

/// No line is longer, whatever it quotes.
inline constexpr std::size_t kLongestLine = 2000;

/// One line each, made fit to print.
void log_info(std::string_view line);
void log_warning(std::string_view line);

/// A line on standard error, formatted as by fmt.
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  log_info(fmt::format(format, std::forward<Args>(args)...));
}

template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  log_warning(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace tk
