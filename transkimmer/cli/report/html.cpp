#include "transkimmer/cli/report/html.h"

#include <fmt/format.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>

namespace tk {
namespace {

constexpr const char* kDash = "–";
constexpr const char* kMinus = "−";
constexpr const char* kThinSpace = "\u202f";  // narrow, no break

bool is_control(UChar32 c) {
  const bool is_blank = c == '\t' || c == '\n' || c == '\r';
  return (c < 0x20 && !is_blank) || (c >= 0x7f && c < 0xa0);
}

void append_utf8(std::string& out, UChar32 c) {
  char buffer[U8_MAX_LENGTH];
  std::int32_t length = 0;
  U8_APPEND_UNSAFE(buffer, length, c);
  out.append(buffer, static_cast<std::size_t>(length));
}

// "12345.6" -> "12 345.6" with narrow spaces; numbers of four digits stay whole.
std::string group_thousands(std::string digits) {
  const std::size_t point = std::min(digits.find('.'), digits.size());
  if (point <= 4) return digits;
  for (std::size_t i = point - 3; i > 0; i -= std::min<std::size_t>(i, 3)) digits.insert(i, kThinSpace);
  return digits;
}

// A proper minus, and none before zero; an exponent where plain digits would run on.
std::string signed_fixed(double value, int decimals) {
  if (std::abs(value) >= 1e5) return format_number(value);
  const std::string digits = fixed(std::abs(value), decimals);
  const bool is_zero = digits.find_first_not_of("0.") == std::string::npos;
  return (value < 0 && !is_zero ? kMinus : "") + digits;
}

std::string trim_zeros(std::string digits) {
  if (digits.find('.') == std::string::npos) return digits;
  digits.erase(digits.find_last_not_of('0') + 1);
  if (digits.back() == '.') digits.pop_back();
  return digits;
}

// 5e-05 -> "5e−5"
std::string with_exponent(double magnitude) {
  const std::string text = fmt::format("{:.3e}", magnitude);
  const std::size_t e = text.find('e');
  const int exponent = std::stoi(text.substr(e + 1));
  return trim_zeros(text.substr(0, e)) + "e" + (exponent < 0 ? kMinus : "") + std::to_string(std::abs(exponent));
}

std::string magnitude_text(double magnitude) {
  if (magnitude == 0) return "0";
  if (magnitude >= 1e7 || magnitude < 1e-3) return with_exponent(magnitude);
  const int decimals = std::max(0, 3 - static_cast<int>(std::floor(std::log10(magnitude))));
  return group_thousands(trim_zeros(fixed(magnitude, decimals)));
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  const auto length = static_cast<std::int32_t>(text.size());
  for (std::int32_t i = 0; i < length;) {
    UChar32 c = 0;
    U8_NEXT_OR_FFFD(text.data(), i, length, c);
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        append_utf8(out, is_control(c) ? 0xFFFD : c);
    }
  }
  return out;
}

std::string format_number(double value) {
  if (std::isnan(value)) return kDash;
  const std::string sign = value < 0 ? kMinus : "";
  return sign + (std::isinf(value) ? "∞" : magnitude_text(std::abs(value)));
}

std::string format_percent(double share) {
  if (!std::isfinite(share)) return kDash;
  const double percent = 100 * share;
  const bool is_whole = std::abs(percent - std::round(percent)) < 0.05;
  return signed_fixed(percent, is_whole ? 0 : 1) + kThinSpace + "%";
}

std::string format_factor(double factor) {
  if (!std::isfinite(factor)) return kDash;
  const double magnitude = std::abs(factor);
  return signed_fixed(factor, magnitude < 9.995 ? 2 : magnitude < 99.95 ? 1 : 0) + "×";
}

std::string format_score(double score) { return std::isfinite(score) ? signed_fixed(100 * score, 1) : kDash; }

std::string format_score_change(double score, double reference) {
  const std::string text = format_score(score - reference);
  if (text == "0.0") return "±0.0";
  return score > reference ? "+" + text : text;
}

std::string fixed(double value, int digits) { return fmt::format("{:.{}f}", value, digits); }

}  // namespace tk
