#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "tensor/choices.h"

namespace tk {

enum class ProgressMode { kAuto, kOn, kOff };  ///< auto: a bar if standard error is a terminal
inline constexpr Choice<ProgressMode> kProgressModes[] = {
    {ProgressMode::kAuto, "auto"}, {ProgressMode::kOn, "on"}, {ProgressMode::kOff, "off"}};
inline Choices<ProgressMode> choices(ProgressMode) { return kProgressModes; }

/// How far some work is, on standard error: a bar that redraws itself; without a terminal a line every half minute; if
/// off, neither.
class Progress {
 public:
  Progress(std::string title, std::int64_t total, ProgressMode mode);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `details` go behind the bar: loss, sentences a second ...
  void update(std::int64_t done, const std::string& details = "");
  /// Prints a line above the bar.
  void line(const std::string& text);

 private:
  void draw();
  void clear();
  std::string time_left() const;

  using Clock = std::chrono::steady_clock;
  std::string title_;
  std::string details_;
  std::int64_t total_;
  std::int64_t done_ = 0;
  bool has_bar_;
  bool has_lines_;
  bool is_drawn_ = false;
  Clock::time_point start_ = Clock::now();
  Clock::time_point shown_ = Clock::now();
};

/// Seconds as "1:02:03" or "2:03".
std::string clock_text(double seconds);

}  // namespace tk
