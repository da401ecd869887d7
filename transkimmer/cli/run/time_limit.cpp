#include "transkimmer/cli/run/time_limit.h"

#include <charconv>

#include "tensor/error.h"
#include "tensor/io/in_quotes.h"
#include "transkimmer/cli/run/options.h"
#include "transkimmer/cli/run/signals.h"

namespace tk {
namespace {

std::optional<double> unit_seconds(char unit) {
  switch (unit) {
    case 's':
      return 1;
    case 'm':
      return 60;
    case 'h':
      return 3600;
    case 'd':
      return 86400;
    default:
      return std::nullopt;
  }
}

}  // namespace

std::optional<double> seconds_in(std::string_view text) {
  constexpr double kMost = 1e8;  // three years
  double seconds = 0;
  const bool is_bare = text.find_first_not_of("0123456789.") == std::string_view::npos;
  while (!text.empty()) {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
    if (error != std::errc() || value < 0) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const std::optional<double> unit = is_bare ? 1.0 : text.empty() ? std::nullopt : unit_seconds(text.front());
    if (!unit) return std::nullopt;
    if (!is_bare) text.remove_prefix(1);
    if (is_bare && !text.empty()) return std::nullopt;
    seconds += value * *unit;
  }
  if (!(seconds > 0 && seconds <= kMost)) return std::nullopt;
  return seconds;
}

void add_time_limit_flag(Flags& flags, std::optional<std::string>& limit) {
  flags
      .add(
          "--time_limit", limit,
          "stop with a checkpoint before that time is over, as SIGTERM does, with exit code 142; the same command goes "
          "on (default: none)",
          "30m")
      .check([](const std::string& text) -> std::string {
        if (seconds_in(text)) return "";
        return concat("expected a time such as 90s, 30m or 1h30m, or seconds, got ", in_quotes(text));
      });
}

std::optional<std::chrono::steady_clock::time_point> deadline_of(const std::optional<std::string>& limit) {
  if (!limit) return std::nullopt;
  using Clock = std::chrono::steady_clock;
  const std::chrono::duration<double> left(seconds_in(*limit).value());
  const Clock::time_point deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(left);
  stop_at(deadline);
  return deadline;
}

}  // namespace tk
