#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "transkimmer/cli/run/append_file.h"
#include "transkimmer/cli/run/event_record.h"

namespace tk {

class Flags;

/// What a run shows in TensorBoard: a file events.out.tfevents.TIME.HOST.PROCESS.NUMBER of its own.
class EventLog {
 public:
  /// Makes the folder and the file. Where other starts of the run have left theirs there, what they say of `first_step`
  /// and later ones holds no longer. Throws when they cannot be made.
  EventLog(const std::filesystem::path& folder, std::int64_t first_step);

  // What cannot be written is said once, and then nothing is written any more: a run does not end of it.

  void add(std::int64_t step, std::vector<Event::Scalar> scalars);
  void add(std::int64_t step, std::vector<Event::Histogram> histograms);
  /// The numbers of an object but its "step", under the tags that transformers gives them.
  void add(std::int64_t step, const nlohmann::json& numbers);
  /// Under the tag that torch.utils.tensorboard gives it: NAME/text_summary.
  void add_text(const std::string& name, const std::string& text);

 private:
  void write(Event event);

  std::optional<AppendFile> file_;  // none when it could not be written
};

/// The tag that transformers gives a key of its log: eval/x for "eval_x", test/x for "test_x", else train/x.
std::string event_tag(std::string_view key);

/// Where the run in the folder `run` has its events: in the folder of an earlier start, else in a new one, which is
/// called runs/TIME_HOST ("Nov29_23-04-16_HOST") as in transformers.
std::filesystem::path event_folder_in(const std::filesystem::path& run);

/// Flags of where a run is watched.
struct EventFlags {
  std::string report_to = "none";
  std::optional<std::string> logging_dir = {};

  bool has_tensorboard() const;
};
/// `where` says what --logging_dir is.
void add_event_flags(Flags& flags, EventFlags& events,
                     const std::string& where = "folder for that (default OUTPUT_DIR/runs/TIME_HOST)");
/// Says which of the flags' values have no effect.
void note_unused(const EventFlags& events);

}  // namespace tk
