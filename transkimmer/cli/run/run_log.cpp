#include "transkimmer/cli/run/run_log.h"

#include "tensor/error.h"
#include "tensor/io/atomic_file.h"

namespace tk {
namespace fs = std::filesystem;

RunLog::RunLog(const fs::path& folder) : path_(folder / "metrics.jsonl") {
  file_.rdbuf()->pubsetbuf(nullptr, 0);  // so that what could not be written is not tried again
  file_.open(path_, std::ios::trunc);
  TK_CHECK(file_.good(), path_.string(), ": cannot be written");
}

void RunLog::add(const nlohmann::json& row) {
  history_.push_back(row);
  const std::string line = row.dump() + '\n';
  if (file_ << line) {
    bytes_ += line.size();
    return;
  }
  std::error_code ignored;
  fs::resize_file(path_, bytes_, ignored);  // without the half of a line
  throw Error(concat(path_.string(), ": cannot be written; is the disk full?"));
}

void write_results(const fs::path& folder, const std::string& name, const nlohmann::json& results) {
  const fs::path all_path = folder / "all_results.json";
  nlohmann::json all = nlohmann::json::object();
  if (std::ifstream file(all_path); file.good()) {
    const nlohmann::json found = nlohmann::json::parse(file, nullptr, false);
    if (found.is_object()) all = found;
  }
  all.update(results);
  write_file_atomically(folder / (name + "_results.json"), results.dump(4));
  write_file_atomically(all_path, all.dump(4));
}

}  // namespace tk
