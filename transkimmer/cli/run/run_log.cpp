#include "transkimmer/cli/run/run_log.h"

#include <string_view>
#include <utility>

#include "tensor/io/atomic_file.h"
#include "tensor/io/json.h"

namespace tk {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

constexpr std::string_view kEvaluation = "eval_";

// What was measured is another number each time; what was computed is the same when a run goes on.
bool is_timing(const std::string& key) {
  return key.find("_runtime") != std::string::npos || key.find("_per_second") != std::string::npos;
}

// The keys of an evaluation's row that are columns, behind epoch and step.
std::vector<std::string> columns_of(const json& row) {
  std::vector<std::string> columns;
  for (const auto& [key, value] : row.items()) {
    if (key.starts_with(kEvaluation) && !is_timing(key)) columns.push_back(key);
  }
  return columns;
}

// A score that is not defined is null, and its cell empty.
std::string cell(const json& value) { return value.is_null() ? "" : value.dump(); }

}  // namespace

RunLog::RunLog(fs::path folder) : folder_(std::move(folder)) {
  if (!folder_.empty()) lines_.emplace(folder_ / "metrics.jsonl");
}

void RunLog::add(const json& row) {
  history_.push_back(row);
  if (!lines_) return;
  lines_->append(row.dump() + '\n');
  if (row.contains("eval_loss")) add_evaluation(row);
}

// Columns as sentence-transformers' evaluators have them: epoch, steps, then the scores.
void RunLog::add_evaluation(const json& row) {
  if (!table_) {
    table_.emplace(folder_ / "metrics.csv");
    columns_ = columns_of(row);
    std::string header = "epoch,steps";
    for (const std::string& column : columns_) header += ',' + column.substr(kEvaluation.size());
    table_->append(header + '\n');
  }
  std::string line = cell(row.value("epoch", json())) + ',' + cell(row.value("step", json()));
  for (const std::string& column : columns_) line += ',' + cell(row.value(column, json()));
  table_->append(line + '\n');
}

void write_results(const fs::path& folder, const std::string& name, const json& results) {
  const fs::path all_path = folder / "all_results.json";
  json all = fs::exists(all_path) ? read_json(all_path) : json::object();
  all.update(results);
  write_file_atomically(folder / (name + "_results.json"), results.dump(4));
  write_file_atomically(all_path, all.dump(4));
}

}  // namespace tk
