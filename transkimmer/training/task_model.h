#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/task.h"
#include "data/tokenizer.h"
#include "tensor/io/folder_texts.h"
#include "transkimmer/classifier.h"

namespace tk {

/// Something that whoever asked for a model or a teacher may want to know.
struct Note {
  bool is_warning = false;
  std::string text = {};
};

/// A checkpoint made ready for a task: labels in the task's order, with its tokenizer.
struct TaskModel {
  std::filesystem::path folder;
  Task task;
  std::unique_ptr<BertClassifier> model;
  Tokenizer tokenizer;
  FolderTexts tokenizer_files = {};  ///< for who saves the model; the folder may be gone by then
  bool fine_tuned = false;           ///< the folder had a classifier whose labels are the task's
  bool was_dense = true;             ///< the folder had no skim predictors
  std::vector<Note> notes = {};
};

/// The predictors that training adds to a checkpoint without any. What is left open is staged, exact, a quarter of
/// the model's width and [CLS] kept.
struct SkimSettings {
  std::optional<SkimGate> gate = {};
  std::optional<SkimAttention> attention = {};
  std::int64_t width = 0;  ///< 0: left open
  std::optional<SkimCls> cls = {};
};

/// The tokenizer in the files of one of that family's models. Throws for a family whose tokenizer is none that is read
/// here.
Tokenizer make_tokenizer(const FolderTexts& files, const Family& family);

/// A model to train. Weights that the checkpoint lacks, or a classifier of other labels, are drawn from `seed`; the
/// notes say so. A checkpoint's own predictors stay as they are. Throws for a folder that does not fit, and OptionError
/// (skim_gate, skim_attention, skim_width, skim_cls) for settings that contradict its own predictors or each other.
TaskModel load_for_training(const std::filesystem::path& folder, const Task& task,
                            const std::optional<SkimSettings>& skim = {}, std::uint64_t seed = 42);

/// A model to evaluate; with `dense` without its predictors. Throws where a score would mean nothing: no classifier, or
/// labels other than the task's.
TaskModel load_for_scoring(const std::filesystem::path& folder, const Task& task, bool dense = false);

/// What a model folder's configuration tells of its task: kind, labels, and the name if it was saved with one; scored
/// as own data are (own_task). Throws as load_config does.
Task task_of_model(const std::filesystem::path& folder);

/// A fine-tuned model with the task that its configuration tells of: kind, labels, and the name if it was saved with
/// one.
TaskModel load_model(const std::filesystem::path& folder);

/// Writes a folder that transformers loads, with the tokenizer's files as the model's folder had them when it was
/// loaded. See save_model_folder.
void save_model(const TaskModel& model, const std::filesystem::path& folder);

/// A dense model with the weights of `model`.
std::unique_ptr<BertClassifier> dense_twin(const BertClassifier& model);

/// `asked`, or the number of the model's positions if that is smaller. Throws unless the model embeds every token of
/// its vocabulary.
std::int64_t fitting_length(const TaskModel& model, std::int64_t asked);

}  // namespace tk
