#include "transkimmer/cli/run/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "tensor/io/in_quotes.h"
#include "transkimmer/cli/run/print.h"

namespace tk {
namespace {

constexpr std::chrono::milliseconds kRedraw{100};
constexpr std::chrono::seconds kBetweenLines{30};
constexpr std::int64_t kBarWidth = 24;

}  // namespace

std::string clock_text(double seconds) {
  const auto s = static_cast<std::int64_t>(std::llround(std::clamp(seconds, 0.0, 1e9)));
  return s < 3600 ? fmt::format("{}:{:02}", s / 60, s % 60)
                  : fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

Progress::Progress(std::string title, std::int64_t total, ProgressMode mode)
    : title_(std::move(title)),
      total_(std::max<std::int64_t>(1, total)),
      has_bar_(mode == ProgressMode::kOn || (mode == ProgressMode::kAuto && ::isatty(STDERR_FILENO) == 1)),
      has_lines_(!has_bar_ && mode != ProgressMode::kOff) {}

Progress::~Progress() { clear(); }

std::string Progress::time_left() const {
  const double elapsed = std::chrono::duration<double>(Clock::now() - start_).count();
  if (done_ == 0) return "";
  return clock_text(elapsed * static_cast<double>(total_ - done_) / static_cast<double>(done_)) + " left";
}

void Progress::update(std::int64_t done, const std::string& details) {
  done_ = std::min(done, total_);
  details_ = details;
  const Clock::time_point now = Clock::now();
  if (has_bar_) {
    if (!is_drawn_ || now - shown_ >= kRedraw || done_ == total_) draw();
  } else if (has_lines_ && now - shown_ >= kBetweenLines) {
    shown_ = now;
    note("{} {}/{}  {}  {}\n", title_, done_, total_, details_, time_left());
  }
}

void Progress::line(const std::string& text) {
  clear();
  note("{}\n", printable(text));
  shown_ = Clock::now();
}

void Progress::draw() {
  const std::int64_t filled = kBarWidth * done_ / total_;
  std::string bar(static_cast<std::size_t>(filled), '#');
  bar.append(static_cast<std::size_t>(kBarWidth - filled), '.');
  note("\r\033[K{} [{}] {}/{}  {}  {}", title_, bar, done_, total_, details_, time_left());
  is_drawn_ = true;
  shown_ = Clock::now();
}

void Progress::clear() {
  if (!is_drawn_) return;
  note("\r\033[K");
  is_drawn_ = false;
}

}  // namespace tk
