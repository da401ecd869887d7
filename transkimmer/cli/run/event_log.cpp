#include "transkimmer/cli/run/event_log.h"

#include <fmt/chrono.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>
#include <utility>

#include "tensor/error.h"
#include "tensor/io/in_quotes.h"
#include "transkimmer/cli/run/log.h"
#include "transkimmer/cli/run/options.h"
#include "transkimmer/cli/run/run_files.h"

namespace tk {
namespace fs = std::filesystem;
namespace {

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

// Fit for a file's name.
std::string host_name() {
  std::array<char, 256> name = {};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
  std::string text = name.data();
  std::ranges::replace(text, '/', '_');
  return text;
}

bool holds_events(const fs::path& folder) {
  return std::ranges::any_of(fs::directory_iterator(folder), [](const fs::directory_entry& entry) {
    return is_event_file(entry.path().filename().string());
  });
}

fs::path made(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  TK_CHECK(!error, folder.string(), ": cannot create: ", error.message());
  return folder;
}

// The process's second file of one second, too, has a name of its own.
fs::path new_file(const fs::path& folder) {
  const std::string stem =
      fmt::format("{}.{:010}.{}.{}.", kEventFile, static_cast<std::int64_t>(now()), host_name(), ::getpid());
  for (int i = 0;; ++i) {
    fs::path file = folder / (stem + std::to_string(i));
    if (!fs::exists(fs::symlink_status(file))) return file;
  }
}

}  // namespace

EventLog::EventLog(const fs::path& folder, std::int64_t first_step) {
  const bool is_first = !holds_events(made(folder));
  file_.emplace(new_file(folder));
  write({.file_version = kEventFileVersion});
  if (!is_first) write({.step = first_step, .restarts = true});
}

void EventLog::add(std::int64_t step, std::vector<Event::Scalar> scalars) {
  write({.step = step, .scalars = std::move(scalars)});
}

void EventLog::add(std::int64_t step, std::vector<Event::Histogram> histograms) {
  write({.step = step, .histograms = std::move(histograms)});
}

void EventLog::add(std::int64_t step, const nlohmann::json& numbers) {
  std::vector<Event::Scalar> scalars;
  for (const auto& [key, value] : numbers.items()) {
    if (key != "step" && value.is_number()) scalars.push_back({event_tag(key), value.get<float>()});
  }
  add(step, std::move(scalars));
}

void EventLog::add_text(const std::string& name, const std::string& text) {
  write({.texts = {{name + "/text_summary", text}}});
}

void EventLog::write(Event event) {
  if (!file_) return;
  event.wall_time = now();
  try {
    file_->append(event_record(event));
  } catch (const Error& error) {
    warn("{}; TensorBoard sees no more of this run", error.what());
    file_.reset();
  }
}

std::string event_tag(std::string_view key) {
  for (const std::string_view part : {"eval", "test"}) {
    if (key.starts_with(part) && key.substr(part.size()).starts_with('_')) {
      return concat(part, '/', key.substr(part.size() + 1));
    }
  }
  return concat("train/", key);
}

fs::path event_folder_in(const fs::path& run) {
  const fs::path folder = run / kEvents;
  std::error_code none;
  for (const fs::directory_entry& earlier : fs::directory_iterator(folder, none)) {
    if (earlier.is_directory() && !earlier.is_symlink()) return earlier.path();  // a run has one
  }
  return folder / fmt::format("{:%b%d_%H-%M-%S}_{}", fmt::localtime(std::time(nullptr)), host_name());
}

namespace {

constexpr const char* kTensorBoard = "tensorboard";
// Trackers that transformers' Trainer knows.
constexpr const char* kOtherTrackers[] = {"azure_ml", "clearml", "codecarbon", "comet_ml", "dagshub", "dvclive",
                                          "flyte",    "mlflow",  "neptune",    "swanlab",  "trackio", "wandb"};

bool is_other_tracker(const std::string& name) {
  return std::ranges::find(kOtherTrackers, name) != std::end(kOtherTrackers);
}

std::string problem_of_trackers(const std::string& value) {
  for (const std::string& name : comma_separated(value)) {
    if (name == kTensorBoard || name == "all" || name == "none" || is_other_tracker(name)) continue;
    const std::string nearest = nearest_name(name, {kTensorBoard, "all", "none"});
    return concat("expected tensorboard, all or none, got ", in_quotes(name),
                  nearest.empty() ? "" : "; did you mean " + nearest + "?");
  }
  return "";
}

}  // namespace

bool EventFlags::has_tensorboard() const {
  return std::ranges::any_of(comma_separated(report_to),
                             [](const std::string& name) { return name == kTensorBoard || name == "all"; });
}

void add_event_flags(Flags& flags, EventFlags& events, const std::string& where) {
  flags
      .add("--report_to", events.report_to,
           "tensorboard (or all): write what it shows to --logging_dir; other trackers get nothing", "NAMES")
      .words()
      .check(problem_of_trackers);
  flags.add("--logging_dir", events.logging_dir, where, "DIR");
}

void note_unused(const EventFlags& events) {
  for (const std::string& name : comma_separated(events.report_to)) {
    if (is_other_tracker(name)) info("--report_to: nothing is sent to {}; tensorboard is what there is", name);
  }
  if (events.logging_dir && !events.has_tensorboard()) {
    info("--logging_dir: nothing is written there without --report_to tensorboard");
  }
}

}  // namespace tk
