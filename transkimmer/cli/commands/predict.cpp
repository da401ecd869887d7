#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "data/glue_reader.h"
#include "data/metrics.h"
#include "tensor/error.h"
#include "tensor/io/atomic_file.h"
#include "transkimmer/cli/commands/commands.h"
#include "transkimmer/cli/run/batch_flags.h"
#include "transkimmer/cli/run/evaluation_progress.h"
#include "transkimmer/cli/run/output_folder.h"
#include "transkimmer/cli/run/print.h"
#include "transkimmer/cli/run/runtime.h"
#include "transkimmer/cli/run/task_flags.h"
#include "transkimmer/cli/run/task_splits.h"
#include "transkimmer/training/evaluation.h"

namespace tk {
namespace fs = std::filesystem;
namespace {

struct PredictCommand {
  explicit PredictCommand(CLI::App& program) : flags(program, "predict", "write a label for every row of a split") {
    add_task_flags(flags, task);
    flags.group("Prediction");
    flags.add("--output_dir", output_dir, "folder for the files; those of the same name are replaced", "DIR")
        .required();
    flags.add("--split", split, "which part of the data").choices({"test", "dev"});
    flags.add("--write_logits", write_logits, "write logits_TASK.tsv too");
    add_batch_flags(flags, batch, "--per_device_eval_batch_size", "--per_device_eval_batch_tokens");
    add_exact_transforms_flag(flags, exact_transforms);
    flags.add("--max_predict_samples", max_predict_samples, "the first N examples; -1: all").at_least(-1);
    add_runtime_flags(flags, runtime);
    flags.footer(
        "Writes predict_results_TASK.txt: index and label's name, or a number for stsb; MNLI's mismatched rows\n"
        "go to predict_results_mnli-mm.txt.");
  }

  Flags flags;
  TaskFlags task;
  RuntimeFlags runtime;
  std::string output_dir;
  std::string split = "test";
  bool write_logits = false;
  BatchFlags batch;
  bool exact_transforms = true;
  std::int64_t max_predict_samples = -1;
};

// "%3.3f" as Hugging Face writes scores, but never "-0.000".
std::string score_text(double score) {
  const std::string text = fmt::format("{:3.3f}", score);
  return text == "-0.000" ? "0.000" : text;
}

std::string predictions_text(const Task& task, const Split& split, const Tensor& logits) {
  const std::vector<double> predictions = predictions_from_logits(task, logits);
  std::string text = "index\tprediction\n";
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    const std::string label =
        task.regression() ? score_text(predictions[i]) : task.labels[static_cast<std::size_t>(predictions[i])];
    text += fmt::format("{}\t{}\n", split.examples[i].id, label);
  }
  return text;
}

std::string logits_text(const Split& split, const Tensor& logits) {
  const std::int64_t labels = logits.size(1);
  std::string text = "index";
  for (std::int64_t i = 0; i < labels; ++i) text += fmt::format("\tlogit_{}", i);
  text += '\n';
  const std::vector<float> values = logits.to_vector<float>();
  for (std::int64_t row = 0; row < logits.size(0); ++row) {
    text += std::to_string(split.examples[static_cast<std::size_t>(row)].id);
    for (std::int64_t i = 0; i < labels; ++i) {
      text += fmt::format("\t{:.9g}", values[static_cast<std::size_t>(row * labels + i)]);
    }
    text += '\n';
  }
  return text;
}

int run(const PredictCommand& c, const Invocation& invocation) {
  start_runtime(c.runtime, invocation.argv);
  const GlueReader reader(c.task.task_name, c.task.data_dir);
  const Task& task = reader.task();
  const TaskModel model = load_for_scoring(c.task.model, task);
  tell(model.notes);
  const Placement placement = placement_of(c.runtime);
  model.model->place(placement.device, placement.dtype);
  const LoadOptions loading{.max_length = told_length(model, c.task.max_seq_length), .limit = c.max_predict_samples};
  const BatchBounds batch = batch_bounds(c.batch, placement.device);
  const WritableFolder output(c.output_dir);
  const fs::path& folder = output.path();
  std::vector<Split> splits = reader.read(c.split == "test" ? Part::kTest : Part::kDev, loading.limit);
  TK_CHECK(!splits.empty(), "--split: ", task.name, " has no ", c.split, " set");
  for (Split& read : splits) {
    const Split split = prepared(std::move(read), model, loading);
    const Evaluation evaluation = evaluate(*model.model, task, split.tokenized,
                                           {.batch_size = batch.sentences,
                                            .max_tokens = batch.tokens,
                                            .queues = placement.queues,
                                            .exact_transforms = c.exact_transforms,
                                            .progress = evaluation_progress(c.runtime.progress)});
    const std::string name = split.suffix.empty() ? task.name : task.name + "-mm";
    const fs::path results = folder / ("predict_results_" + name + ".txt");
    if (c.write_logits) {
      write_file_atomically(folder / ("logits_" + name + ".tsv"), logits_text(split, evaluation.logits));
    }
    write_file_atomically(results, predictions_text(task, split, evaluation.logits));
    print("{}: {} predictions\n", results.string(), split.size());
  }
  return 0;
}

}  // namespace

Command add_predict(CLI::App& program, const Invocation& invocation) {
  auto command = std::make_shared<PredictCommand>(program);
  return {&command->flags.command(), [command, invocation] { return run(*command, invocation); }};
}

}  // namespace tk
