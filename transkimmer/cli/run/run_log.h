#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "transkimmer/cli/run/append_file.h"

namespace tk {

/// What a training run tells about itself while it runs: metrics.jsonl, a line an entry; metrics.csv, a line an
/// evaluation; and the log_history of trainer_state.json.
class RunLog {
 public:
  /// Makes metrics.jsonl. Throws if the name is taken: by a link, say, that leads elsewhere. With an empty path nothing
  /// is written: another process does.
  explicit RunLog(std::filesystem::path folder);

  /// Appends a row, which names its step; one with eval_loss, an evaluation's, its epoch too. The first of these makes
  /// metrics.csv. Throws when a file cannot be written; it keeps whole lines.
  void add(const nlohmann::json& row);
  const nlohmann::json& history() const { return history_; }

 private:
  void add_evaluation(const nlohmann::json& row);

  std::filesystem::path folder_;
  std::optional<AppendFile> lines_;
  std::optional<AppendFile> table_;   // of evaluations
  std::vector<std::string> columns_;  // of it: keys of a row
  nlohmann::json history_ = nlohmann::json::array();
};

/// Writes `<name>_results.json` and merges the entries into all_results.json: indent 4, keys sorted.
void write_results(const std::filesystem::path& folder, const std::string& name, const nlohmann::json& results);

}  // namespace tk
