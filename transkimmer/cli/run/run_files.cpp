#include "transkimmer/cli/run/run_files.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "tensor/error.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/json.h"
#include "transkimmer/families/family.h"

namespace tk {
namespace fs = std::filesystem;
namespace {

constexpr std::array<std::string_view, 14> kFiles = {
    "model.safetensors",  "config.json",       "metrics.jsonl",      "metrics.csv",      "trainer_state.json",
    "train_results.json", "eval_results.json", "speed_results.json", "all_results.json", "report.html",
    kSweepResults,        kTeacherLogits,      kStudyResults,        kStudyValues};
constexpr std::string_view kCheckpoint = "checkpoint";
constexpr std::string_view kUnfinished = "unfinished";

std::vector<std::string> file_names() {
  std::vector<std::string> names(kFiles.begin(), kFiles.end());
  for (const Family* family : families()) {
    for (const char* file : family->tokenizer_files) {
      if (std::ranges::find(names, file) == names.end()) names.emplace_back(file);
    }
  }
  return names;
}

// What a child process said, or a part of a study.
bool is_log(const fs::path& file) {
  if (file.parent_path().filename() == kStudyUnits) return file.extension() == ".json";
  return file.parent_path().filename() == kLogs && (file.extension() == ".log" || file.extension() == ".json");
}

// "checkpoint-12", "unfinished-2".
bool is_numbered(const std::string& name, std::string_view stem) {
  return name.size() > stem.size() + 1 && name.starts_with(stem) && name[stem.size()] == '-' &&
         name.find_first_not_of("0123456789", stem.size() + 1) == std::string::npos;
}

std::vector<fs::path> folders_in(const fs::path& folder) {
  std::vector<fs::path> folders;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory() && !entry.is_symlink()) folders.push_back(entry.path());
  }
  std::ranges::sort(folders);
  return folders;
}

}  // namespace

bool is_event_file(const std::string& name) { return name.starts_with(std::string(kEventFile) + '.'); }

nlohmann::json run_manifest(const fs::path& folder) {
  try {
    const nlohmann::json manifest = read_json(folder / kManifest);
    if (manifest.is_object() && manifest.contains("command")) return manifest;
  } catch (const Error&) {  // then it shows nothing
  }
  return nlohmann::json::object();
}

std::vector<std::string> parts_of_run(const fs::path& folder) {
  const nlohmann::json parts = run_manifest(folder).value("parts", nlohmann::json::array());
  std::vector<std::string> names;
  for (const nlohmann::json& part : parts) {
    // No path out of the folder, whoever wrote that file.
    const std::string name = part.is_string() ? part.get<std::string>() : "";
    if (!name.empty() && fs::path(name).filename() == name) names.push_back(name);
  }
  return names;
}

std::vector<fs::path> files_of_run(const fs::path& folder) {
  std::vector<fs::path> paths;
  for (const std::string& name : file_names()) {
    if (fs::exists(fs::symlink_status(folder / name))) paths.push_back(folder / name);
  }
  const std::vector<std::string> parts = parts_of_run(folder);
  for (const fs::path& inner : folders_in(folder)) {
    const std::string name = inner.filename().string();
    if (is_numbered(name, kCheckpoint) || std::ranges::find(parts, name) != parts.end()) paths.push_back(inner);
  }
  if (fs::exists(fs::symlink_status(folder / kManifest))) paths.push_back(folder / kManifest);
  return paths;
}

std::vector<fs::path> checkpoints_in(const fs::path& folder) {
  std::vector<fs::path> checkpoints = folders_in(folder);
  std::erase_if(checkpoints,
                [](const fs::path& inner) { return !is_numbered(inner.filename().string(), kCheckpoint); });
  // More digits are more steps, and of as many the order is that of the names.
  std::ranges::stable_sort(checkpoints, {}, [](const fs::path& inner) { return inner.filename().string().size(); });
  return checkpoints;
}

bool has_come_to_something(const fs::path& folder) {
  return std::ranges::any_of(files_of_run(folder), [](const fs::path& path) {
    const std::string name = path.filename().string();
    return name == kFiles[0] || is_numbered(name, kCheckpoint);
  });
}

std::optional<fs::path> first_foreign(const fs::path& folder) {
  static const std::vector<std::string> known = [] {
    std::vector<std::string> names = file_names();
    for (const char* more : {kManifest, "optimizer.safetensors", "train.tsv", "dev.tsv"}) names.emplace_back(more);
    return names;
  }();
  for (fs::recursive_directory_iterator entry(folder); entry != fs::recursive_directory_iterator(); ++entry) {
    const std::string name = entry->path().filename().string();
    const bool is_folder = entry->is_directory() && !entry->is_symlink();
    if (is_temporary(name)) {  // what a killed run left
      entry.disable_recursion_pending();
    } else if (!is_folder && !is_log(entry->path()) && !is_event_file(name) &&
               std::ranges::find(known, name) == known.end()) {
      return entry->path();
    }
  }
  return std::nullopt;
}

bool holds_finished_run(const fs::path& folder) { return run_manifest(folder).contains("finished"); }

std::vector<fs::path> unfinished_runs(const fs::path& folder) {
  std::vector<fs::path> runs;
  for (const fs::path& inner : folders_in(folder)) {
    const std::string name = inner.filename().string();
    if ((name == kUnfinished || is_numbered(name, kUnfinished)) && !run_manifest(inner).empty()) runs.push_back(inner);
  }
  return runs;
}

fs::path unfinished_name(const fs::path& folder) {
  fs::path name = folder / kUnfinished;
  for (int i = 2; fs::exists(fs::symlink_status(name)); ++i) name = folder / concat(kUnfinished, '-', i);
  return name;
}

}  // namespace tk
