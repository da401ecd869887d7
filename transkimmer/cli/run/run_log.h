#pragma once

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace tk {

/// What a training run tells about itself while it runs: metrics.jsonl, a line an entry, and the log_history of
/// trainer_state.json.
class RunLog {
 public:
  explicit RunLog(const std::filesystem::path& folder);

  /// Appends a row; it should name its step and epoch.
  void add(const nlohmann::json& row);
  const nlohmann::json& history() const { return history_; }

 private:
  std::filesystem::path path_;
  std::ofstream file_;
  std::uintmax_t bytes_ = 0;  // of whole lines
  nlohmann::json history_ = nlohmann::json::array();
};

/// Writes `<name>_results.json` and merges the entries into all_results.json: indent 4, keys sorted.
void write_results(const std::filesystem::path& folder, const std::string& name, const nlohmann::json& results);

}  // namespace tk
