#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "transkimmer/classifier.h"
#include "transkimmer/training/trainer.h"

namespace tk {

class Flags;

/// Where a run has come to, but for the weights.
struct Checkpoint {
  TrainerState state;
  nlohmann::json log = nlohmann::json::array();  ///< the rows of its log
  nlohmann::json log_window = {};                ///< sums over the steps since its last row of them; null: none
  std::int64_t log_start = 0;                    ///< steps before the first that it and the sums are of
  double loss_sum = 0;                           ///< over the steps
  double budget = 1;                             ///< of the last step
  std::int64_t tokens = 0;                       ///< over the steps
  std::filesystem::path folder = {};
};

/// Loads the weights of a model folder's checkpoint into `model`, all of them; throws where it lacks one.
void load_checkpoint_weights(const std::filesystem::path& folder, const BertClassifier& model);
/// Loads a checkpoint's weights into `model`, which the run began with, and returns the rest. Throws where `folder` is
/// no checkpoint of such a model.
Checkpoint load_checkpoint(const std::filesystem::path& folder, const BertClassifier& model);
/// After how many steps the run's parts began, as load_checkpoint reads it from trainer_state.json's "starts".
nlohmann::json starts_json(const TrainerStarts& starts, std::int64_t log_start);

/// The checkpoints that a run has in its folder: their names, and which of them stay.
class RunCheckpoints {
 public:
  /// Of the run in `folder`, which will be called `final_folder` when the run is finished; empty where another process
  /// writes them.
  RunCheckpoints(std::filesystem::path folder, std::filesystem::path final_folder);
  /// Says that the run goes on from a checkpoint, beside which others of it may lie.
  void went_on_from(const std::filesystem::path& checkpoint) { source_ = checkpoint.parent_path(); }

  /// Where that of a step is written.
  std::filesystem::path path(std::int64_t step) const;
  /// Where that of a step lies: here, or beside the one that the run went on from.
  std::filesystem::path find(std::int64_t step) const;
  /// What find() will be called when the run is finished.
  std::filesystem::path final_name(std::int64_t step) const;

  /// The newest, which has been written.
  void add(const std::filesystem::path& checkpoint) { all_.push_back(checkpoint); }
  /// Removes the oldest until no more than `left` are there. Where any may stay, the newest does, and so does that of
  /// the step `best`. One that cannot be removed is warned of: one too many is no reason to lose a run.
  void drop_all_but(std::int64_t left, std::optional<std::int64_t> best);

 private:
  std::filesystem::path folder_, final_folder_;
  std::filesystem::path source_;            // empty: none
  std::vector<std::filesystem::path> all_;  // the oldest first
};

/// What a run that goes on from a checkpoint's weights begins anew.
struct Resets {
  bool optimizer = false;  ///< its moments, and the weights' average
  bool schedule = false;   ///< of learning rates, the skimming budget and the gates' noise, for the steps that are left
  bool data = false;       ///< the order of the rows
  bool metrics = false;    ///< log, mean loss, and which model was the best
};
void reset(Checkpoint& checkpoint, const Resets& resets);
/// --reset: what its value names.
void add_reset_flag(Flags& flags, std::optional<std::string>& value);
Resets resets_of(const std::optional<std::string>& value);

}  // namespace tk
