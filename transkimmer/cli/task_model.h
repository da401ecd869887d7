#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "data/glue_task.h"
#include "data/tokenizer.h"
#include "transkimmer/classifier.h"

namespace tk {

/// A checkpoint made ready for a task: labels in the task's order, with its tokenizer.
struct TaskModel {
  std::filesystem::path folder;
  std::unique_ptr<BertClassifier> model;
  Tokenizer tokenizer;
  bool fine_tuned = false;  ///< the folder had a classifier whose labels are the task's
  bool was_dense = true;    ///< the folder had no skim predictors
};

/// What training adds to a checkpoint that has no skim predictors.
struct SkimSettings {
  SkimGate gate = SkimGate::kStaged;
  SkimAttention attention = SkimAttention::kExact;
  std::int64_t width = 0;  ///< 0: hidden_size / 4
};

/// A model to train. Weights that the checkpoint lacks, or a classifier of other labels, are drawn from `seed`, which is
/// said on standard error. A checkpoint's own predictors stay as they are. Throws for a folder that does not fit.
TaskModel load_for_training(const std::filesystem::path& folder, const GlueTask& task,
                            const std::optional<SkimSettings>& skim, std::uint64_t seed);

/// A model to evaluate; with `dense` without its predictors. Throws where a score would mean nothing: no classifier, or
/// labels other than the task's.
TaskModel load_for_scoring(const std::filesystem::path& folder, const GlueTask& task, bool dense = false);

/// A dense model with the weights of `model`.
std::unique_ptr<BertClassifier> dense_twin(const BertClassifier& model);

/// Throws unless sentences of `max_length` tokens fit the model's positions, and every token its vocabulary.
void check_fits(const TaskModel& model, std::int64_t max_length);

}  // namespace tk
