#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "tensor/communicator.h"
#include "transkimmer/cli/run/best_score.h"
#include "transkimmer/cli/run/curve_point.h"
#include "transkimmer/cli/run/evaluation_progress.h"
#include "transkimmer/cli/run/manifest.h"
#include "transkimmer/cli/run/output_folder.h"
#include "transkimmer/cli/run/run_checkpoint.h"
#include "transkimmer/cli/run/run_files.h"
#include "transkimmer/cli/run/speedups.h"
#include "transkimmer/training/scoring.h"
#include "transkimmer/training/task_model.h"
#include "transkimmer/training/trainer.h"
#include "transkimmer/training/trainer_options.h"

namespace tk {

/// When something happens during training.
enum class Strategy { kNo, kSteps, kEpoch };

inline constexpr Choice<Strategy> kStrategies[] = {
    {Strategy::kNo, "no"}, {Strategy::kSteps, "steps"}, {Strategy::kEpoch, "epoch"}};
inline Choices<Strategy> choices(Strategy) { return kStrategies; }

/// When a checkpoint is written: as a Strategy says, or after each evaluation with a new best score.
enum class SaveStrategy { kNo, kSteps, kEpoch, kBest };

inline constexpr Choice<SaveStrategy> kSaveStrategies[] = {{SaveStrategy::kNo, "no"},
                                                           {SaveStrategy::kSteps, "steps"},
                                                           {SaveStrategy::kEpoch, "epoch"},
                                                           {SaveStrategy::kBest, "best"}};
inline Choices<SaveStrategy> choices(SaveStrategy) { return kSaveStrategies; }

struct TrainingSettings {
  TrainerOptions trainer;
  BatchBounds eval_batch;
  int eval_queues = 1;  ///< as in EvaluationOptions
  Strategy logging_strategy = Strategy::kSteps;
  std::int64_t logging_steps = 50;
  bool logging_first_step = false;
  bool eval_on_start = false;
  Strategy eval_strategy = Strategy::kNo;
  std::int64_t eval_steps = 500;
  SaveStrategy save_strategy = SaveStrategy::kSteps;
  std::int64_t save_steps = 500;
  std::int64_t save_total_limit = 2;  ///< checkpoints to keep, the newest ones and the best one; 0: all
  BestModelOptions best = {};
  SpeedupRange speedups = {};  ///< where budgets vary: TrainerOptions::skim_widest
  bool skim_fit = true;        ///< move the gates' threshold so that held-out rows keep the budget
  bool print_metrics = true;   ///< on standard output, at the end
  ProgressMode progress = ProgressMode::kAuto;
  std::optional<std::chrono::steady_clock::time_point> deadline =
      {};                                                  ///< by when the run has stopped, with a checkpoint
  Communicator* ranks = &alone();                          ///< who train together; the first one writes
  bool tensorboard = false;                                ///< to write event files
  std::optional<std::filesystem::path> event_folder = {};  ///< for them; else one in the run's folder

  /// Folders that a run makes beside its usual files.
  std::vector<std::string> parts() const {
    return tensorboard && !event_folder ? std::vector<std::string>{kEvents} : std::vector<std::string>{};
  }

  /// Whether the best model so far matters, so that its checkpoint is written and stays.
  bool tracks_best() const {
    return best.load_at_end || best.metric || best.patience || save_strategy == SaveStrategy::kBest;
  }

  EvaluationOptions evaluation() const {
    return {.batch_size = eval_batch.sentences,
            .max_tokens = eval_batch.tokens,
            .queues = eval_queues,
            .ranks = ranks,
            .progress = evaluation_progress(progress, ranks->size() == 1)};
  }
};

/// What is trained on what.
struct TrainingInputs {
  TaskModel& model;
  const std::vector<TokenizedExample>& rows;        ///< the task's own first, then those without labels
  std::int64_t own;                                 ///< how many are the task's own
  std::vector<std::int64_t> epoch;                  ///< rows of an epoch; empty: each once
  const std::vector<Split>& dev;                    ///< may be empty: then nothing is scored
  const Split& held_out;                            ///< rows like the own ones that are not learnt; may be empty
  Tensor teacher_logits;                            ///< [rows, labels] or undefined
  std::vector<std::filesystem::path> sources = {};  ///< the folders that model and teacher came from
  std::optional<Checkpoint> checkpoint = {};        ///< where the run goes on; the model has its weights already
};

/// The curves of a run, a point a step or an evaluation.
struct TrainingCurves {
  std::vector<CurvePoint> loss;
  std::vector<CurvePoint> mac_share;
  std::vector<CurvePoint> budget;
  std::vector<CurvePoint> dev_score;
};

struct TrainingResult {
  TrainingCurves curves;
  std::int64_t train_examples = 0;
  std::vector<SplitScore> scores;                         ///< of the finished model on `dev`
  std::vector<std::vector<SplitScore>> at_speedups = {};  ///< the same at each of several speed-ups
};

/// Begins the run in `folder` once the options are known to be good; trains, logging there (run.json, metrics.jsonl,
/// metrics.csv, checkpoint-N/) and leaving there the model, trainer_state.json and the results files. When a signal
/// asks to stop it finishes the step, writes a checkpoint and throws Interrupted. From a checkpoint it goes on to the
/// bits of a run that was not stopped. Where the best model matters each evaluation with a new best score is followed
/// by a checkpoint, and the last step by an evaluation. All ranks have the same inputs and settings; those that do not
/// write have no folder.
TrainingResult run_training(const TrainingInputs& inputs, const TrainingSettings& settings, OutputFolder* folder,
                            Manifest& manifest);

}  // namespace tk
