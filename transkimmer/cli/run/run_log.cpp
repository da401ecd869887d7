#include "transkimmer/cli/run/run_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <system_error>

#include "tensor/error.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/json.h"

namespace tk {
namespace fs = std::filesystem;
namespace {

std::string reason() { return std::generic_category().message(errno); }

}  // namespace

RunLog::RunLog(const fs::path& folder) : path_((folder / "metrics.jsonl").string()) {
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
  TK_CHECK(fd_ >= 0, path_, ": cannot create: ", reason());
}

RunLog::~RunLog() { ::close(fd_); }

void RunLog::add(const nlohmann::json& row) {
  history_.push_back(row);
  append(row.dump() + '\n');
}

void RunLog::append(std::string_view line) {
  for (std::string_view rest = line; !rest.empty();) {
    const ssize_t written = ::write(fd_, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const std::string why = reason();
      [[maybe_unused]] const int cut = ::ftruncate(fd_, bytes_);  // without the half of a line
      throw Error(concat(path_, ": cannot be written: ", why));
    }
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  bytes_ += static_cast<std::int64_t>(line.size());
}

void write_results(const fs::path& folder, const std::string& name, const nlohmann::json& results) {
  const fs::path all_path = folder / "all_results.json";
  nlohmann::json all = fs::exists(all_path) ? read_json(all_path) : nlohmann::json::object();
  all.update(results);
  write_file_atomically(folder / (name + "_results.json"), results.dump(4));
  write_file_atomically(all_path, all.dump(4));
}

}  // namespace tk
