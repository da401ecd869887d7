#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace tk {

/// What a training run tells about itself while it runs: metrics.jsonl, a line an entry, and the log_history of
/// trainer_state.json.
class RunLog {
 public:
  /// Makes the file. Throws if the name is taken: by a link, say, that leads elsewhere.
  explicit RunLog(const std::filesystem::path& folder);
  ~RunLog();
  RunLog(const RunLog&) = delete;
  RunLog& operator=(const RunLog&) = delete;

  /// Appends a row; it should name its step and epoch. Throws when it cannot be written; the file keeps whole lines.
  void add(const nlohmann::json& row);
  const nlohmann::json& history() const { return history_; }

 private:
  void append(std::string_view line);

  std::string path_;
  int fd_ = -1;
  std::int64_t bytes_ = 0;  // of whole lines
  nlohmann::json history_ = nlohmann::json::array();
};

/// Writes `<name>_results.json` and merges the entries into all_results.json: indent 4, keys sorted.
void write_results(const std::filesystem::path& folder, const std::string& name, const nlohmann::json& results);

}  // namespace tk
