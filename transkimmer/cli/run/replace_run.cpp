#include "transkimmer/cli/run/replace_run.h"

#include <algorithm>
#include <system_error>
#include <utility>
#include <vector>

#include "tensor/io/atomic_file.h"
#include "tensor/io/renames.h"
#include "transkimmer/cli/run/run_files.h"

namespace tk {
namespace fs = std::filesystem;
namespace {

// Once the earlier run is out of the way the new one has this name: what is in it only has to move on.
constexpr const char* kMovingIn = "unfinished.tmp-transkimmer-move";

bool is_weights(const fs::path& path) { return path.filename() == "model.safetensors"; }

// The weights last.
std::vector<fs::path> entries_of(const fs::path& folder) {
  std::vector<fs::path> paths;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) paths.push_back(entry.path());
  std::ranges::sort(paths, [](const fs::path& a, const fs::path& b) {
    return std::pair(is_weights(a), a) < std::pair(is_weights(b), b);
  });
  return paths;
}

}  // namespace

void replace_run(const fs::path& folder, const fs::path& staged) {
  const fs::path moving = folder / kMovingIn;
  remove_leftovers(staged);
  AtomicFolder earlier(folder / "earlier-run");  // never committed: it goes with all that is in it
  Renames renames;
  for (const fs::path& path : files_of_run(folder)) renames.add(path, earlier.path() / path.filename());
  for (const fs::path& path : unfinished_runs(folder)) {
    if (path != staged) renames.add(path, earlier.path() / path.filename());
  }
  const std::vector<fs::path> entries = entries_of(staged);
  renames.add(staged, moving);
  for (const fs::path& path : entries) renames.add(moving / path.filename(), folder / path.filename());
  try {
    renames.make();
  } catch (...) {
    if (!renames.undo()) earlier.abandon();
    throw;
  }
  sync_folder(folder);
  std::error_code ignored;  // an empty folder, which the next run removes
  fs::remove(moving, ignored);
}

void complete_replacement(const fs::path& folder) {
  const fs::path moving = folder / kMovingIn;
  if (fs::exists(moving)) {
    remove_leftovers(moving);
    Renames renames;
    for (const fs::path& path : entries_of(moving)) renames.add(path, folder / path.filename());
    renames.make();
    fs::remove(moving);
  }
  for (const fs::path& path : unfinished_runs(folder)) {
    if (holds_finished_run(path)) return replace_run(folder, path);
  }
}

}  // namespace tk
