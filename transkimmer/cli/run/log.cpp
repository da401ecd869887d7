#include "transkimmer/cli/run/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "tensor/io/in_quotes.h"
#include "transkimmer/cli/run/print.h"

namespace tk {
namespace {

class WarningPrefix : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&, spdlog::memory_buf_t& out) override {
    constexpr std::string_view kPrefix = "warning: ";
    if (message.level >= spdlog::level::warn) out.append(kPrefix.data(), kPrefix.data() + kPrefix.size());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override { return std::make_unique<WarningPrefix>(); }
};

}  // namespace

void start_log() {
  auto logger = std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::stderr_color_sink_st>());
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<WarningPrefix>('*').set_pattern("%^%*%$%v");
  logger->set_formatter(std::move(formatter));
  spdlog::set_default_logger(logger);
}

void log_info(std::string_view line) {
  if (!is_quiet()) spdlog::info(printable_line(line, kLongestLine));
}

void log_warning(std::string_view line) {
  if (!is_quiet()) spdlog::warn(printable_line(line, kLongestLine));
}

}  // namespace tk
