#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "transkimmer/cli/run/curve_point.h"
#include "transkimmer/cli/run/evaluation_progress.h"
#include "transkimmer/cli/run/manifest.h"
#include "transkimmer/cli/run/output_folder.h"
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

struct TrainingSettings {
  TrainerOptions trainer;
  BatchBounds eval_batch;
  int eval_queues = 1;  ///< as in EvaluationOptions
  std::int64_t logging_steps = 50;
  Strategy eval_strategy = Strategy::kNo;
  std::int64_t eval_steps = 500;
  Strategy save_strategy = Strategy::kSteps;
  std::int64_t save_steps = 500;
  std::int64_t save_total_limit = 2;  ///< checkpoints to keep, the newest ones; 0: all
  bool skim_fit = true;               ///< move the gates' threshold so that held-out rows keep the budget
  bool print_metrics = true;          ///< on standard output, at the end
  ProgressMode progress = ProgressMode::kAuto;

  EvaluationOptions evaluation() const {
    return {.batch_size = eval_batch.sentences,
            .max_tokens = eval_batch.tokens,
            .queues = eval_queues,
            .progress = evaluation_progress(progress)};
  }
};

/// Where a run has come to, but for the weights.
struct Checkpoint {
  TrainerState state;
  nlohmann::json log = {};  ///< the rows of its log
  double loss_sum = 0;      ///< over the steps
  std::int64_t tokens = 0;  ///< over the steps
};

/// Loads a checkpoint's weights into `model`, which the run began with, and returns the rest. Throws where `folder` is
/// no checkpoint of such a model.
Checkpoint load_checkpoint(const std::filesystem::path& folder, const BertClassifier& model);

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
  std::vector<SplitScore> scores;  ///< of the finished model on `dev`
};

/// Begins the run in `folder` once the options are known to be good; trains, logging there (run.json, metrics.jsonl,
/// checkpoint-N/) and leaving there the model, trainer_state.json and the results files. When a signal asks to stop it
/// finishes the step, writes a checkpoint and throws Interrupted. From a checkpoint it goes on to the bits of a run
/// that was not stopped.
TrainingResult run_training(const TrainingInputs& inputs, const TrainingSettings& settings, OutputFolder& folder,
                            Manifest& manifest);

}  // namespace tk
