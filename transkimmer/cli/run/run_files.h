#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

// What a run leaves in a folder, by name: what a later run may take away.
namespace tk {

inline constexpr const char* kManifest = "run.json";
inline constexpr const char* kSweepResults = "sweep_results.json";
inline constexpr const char* kLogs = "logs";  ///< a part: what child processes said, in NAME.log and NAME.json
inline constexpr const char* kStudyResults = "study_results.json";
inline constexpr const char* kStudyValues = "study_values.csv";
inline constexpr const char* kStudyUnits = "units";  ///< a part: what each estimator gave with each seed, in NAME.json
inline constexpr const char* kTeacherLogits = "teacher.safetensors";  ///< what a run's teacher has said

inline constexpr const char* kEvents = "runs";                    ///< a part: what TensorBoard reads, in a folder a run
inline constexpr const char* kEventFile = "events.out.tfevents";  ///< how the names of its files begin

/// Whether a file of that name is for TensorBoard.
bool is_event_file(const std::string& name);

/// What run.json in `folder` holds; an empty object where it shows no run.
nlohmann::json run_manifest(const std::filesystem::path& folder);

/// The parts (see OutputFolder::begin_run) that run.json in `folder` lists.
std::vector<std::string> parts_of_run(const std::filesystem::path& folder);

/// The files, checkpoints and parts (see OutputFolder::begin_run) of the run in `folder`, the weights first and
/// run.json, which lists the parts, last.
std::vector<std::filesystem::path> files_of_run(const std::filesystem::path& folder);

/// The first file below `folder` that has a name which no run writes, if there is one.
std::optional<std::filesystem::path> first_foreign(const std::filesystem::path& folder);

/// The checkpoints in `folder`, by their steps: the newest last.
std::vector<std::filesystem::path> checkpoints_in(const std::filesystem::path& folder);

/// Whether a model or a checkpoint is among them.
bool has_come_to_something(const std::filesystem::path& folder);

/// Whether run.json in `folder` says that its run came to its end.
bool holds_finished_run(const std::filesystem::path& folder);

/// The runs in `folder` that have not come to replace what lies there: folders called `unfinished`, `unfinished-2` ...
/// with a run.json.
std::vector<std::filesystem::path> unfinished_runs(const std::filesystem::path& folder);
/// A name for another one.
std::filesystem::path unfinished_name(const std::filesystem::path& folder);

}  // namespace tk
