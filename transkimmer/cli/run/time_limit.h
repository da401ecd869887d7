#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace tk {

class Flags;

/// "90", "90s", "30m", "2h", "1d" or several of these ("1h30m"), as seconds; nothing where the text is none, or no
/// time that a clock can reach.
std::optional<double> seconds_in(std::string_view text);

/// --time_limit
void add_time_limit_flag(Flags& flags, std::optional<std::string>& limit);

/// The end of the time that begins now, where there is one. From then on the program is asked to stop (stop_at).
std::optional<std::chrono::steady_clock::time_point> deadline_of(const std::optional<std::string>& limit);

}  // namespace tk
