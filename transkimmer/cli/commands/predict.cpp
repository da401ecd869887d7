#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "data/metrics.h"
#include "data/reader.h"
#include "tensor/error.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/in_quotes.h"
#include "transkimmer/cli/commands/commands.h"
#include "transkimmer/cli/run/batch_flags.h"
#include "transkimmer/cli/run/evaluation_progress.h"
#include "transkimmer/cli/run/log.h"
#include "transkimmer/cli/run/output_folder.h"
#include "transkimmer/cli/run/print.h"
#include "transkimmer/cli/run/ranks.h"
#include "transkimmer/cli/run/row_stream.h"
#include "transkimmer/cli/run/runtime.h"
#include "transkimmer/cli/run/signals.h"
#include "transkimmer/cli/run/speedup_flag.h"
#include "transkimmer/cli/run/task_flags.h"
#include "transkimmer/cli/run/task_splits.h"
#include "transkimmer/cli/run/word_tags.h"
#include "transkimmer/training/evaluation.h"
#include "transkimmer/training/inference.h"
#include "transkimmer/training/predict.h"

namespace tk {
namespace fs = std::filesystem;
namespace {

struct PredictCommand {
  explicit PredictCommand(CLI::App& program)
      : flags(program, "predict",
              "write a label for every row of a split, or answer rows of a file or on standard input") {
    add_task_flags(flags, task);
    flags.group("Prediction");
    flags.add(
        "--output_dir", output_dir,
        "folder for the files; those of the same name are replaced. Without it the rows of --test_file, or those that "
        "come on standard input, are answered on standard output",
        "DIR");
    flags.add("--split", split, "which part of the data").choices({"test", "dev"});
    flags.add("--write_logits", write_logits, "write logits_TASK.tsv too");
    flags.add("--input_format", format,
              "of rows on standard input (default: lines, a text in each, or two with a tab between them)");
    flags.add("--json", json, "an object of JSON a row on standard output, in place of tab-separated columns");
    add_batch_flags(flags, batch, "--per_device_eval_batch_size", "--per_device_eval_batch_tokens");
    add_exact_transforms_flag(flags, exact_transforms);
    add_speedup_flag(flags, speedup);
    flags.add("--max_predict_samples", max_predict_samples, "the first N examples; -1: all").at_least(-1);
    add_runtime_flags(flags, runtime);
    add_rank_flags(flags, ranks);
    flags.footer(
        "Writes predict_results_TASK.txt: index and label's name, or a number for stsb; MNLI's mismatched rows\n"
        "go to predict_results_mnli-mm.txt, and an MNLI model answers ax, too. In tasks of words it has a word and "
        "its\n"
        "tag a line.\n"
        "Without --output_dir answers go to standard output, with the probability of each label:\n"
        "  transkimmer predict --model_name_or_path skimmed --test_file new.csv > predictions.tsv\n"
        "  echo 'a fine film' | transkimmer predict --model_name_or_path skimmed");
  }

  Flags flags;
  TaskFlags task;
  RuntimeFlags runtime;
  RankFlags ranks;
  std::string output_dir;
  std::string split = "test";
  bool write_logits = false;
  std::optional<StreamFormat> format;
  bool json = false;
  BatchFlags batch;
  bool exact_transforms = true;
  std::optional<double> speedup;
  std::int64_t max_predict_samples = -1;
};

// "%3.3f" as Hugging Face writes scores, but never "-0.000".
std::string score_text(double score) {
  const std::string text = fmt::format("{:3.3f}", score);
  return text == "-0.000" ? "0.000" : text;
}

// In CoNLL's layout: a word and its tag a line, and an empty line behind each sentence. Words that were cut off, and
// those of which the tokenizer keeps nothing, are outside.
std::string tagged_text(const TaskModel& model, const Split& split, const std::vector<double>& predictions,
                        std::int64_t max_length) {
  const std::vector<std::int64_t> starts = label_starts(split.tokenized, TaskKind::kTokens);
  std::string text;
  for (std::size_t i = 0; i < split.examples.size(); ++i) {
    const auto own = std::span(predictions).subspan(static_cast<std::size_t>(starts[i]));
    for (const auto& [word, tag] : word_tags(model, split.examples[i], max_length, own)) {
      text += fmt::format("{}\t{}\n", word, tag != nullptr ? *tag : "O");
    }
    text += '\n';
  }
  return text;
}

// A label, those that apply with commas between, or a number.
std::string prediction_text(const Task& task, const std::vector<double>& predictions, std::size_t i) {
  if (task.regression()) return score_text(predictions[i]);
  if (task.kind != TaskKind::kMultiLabel) return task.labels[static_cast<std::size_t>(predictions[i])];
  const std::size_t several = task.labels.size();
  return fmt::format("{}", fmt::join(applying_labels(task, std::span(predictions).subspan(i * several, several)), ","));
}

std::string predictions_text(const TaskModel& model, const Split& split, const Tensor& logits,
                             std::int64_t max_length) {
  const Task& task = model.task;
  const std::vector<double> predictions = predictions_from_logits(task, logits);
  if (task.kind == TaskKind::kTokens) return tagged_text(model, split, predictions, max_length);
  std::string text = "index\tprediction\n";
  for (std::size_t i = 0; i < split.examples.size(); ++i) {
    text += fmt::format("{}\t{}\n", split.examples[i].id, prediction_text(task, predictions, i));
  }
  return text;
}

// A row an example, or in tasks of tokens a row a token.
std::string logits_text(const Split& split, const Tensor& logits, TaskKind kind) {
  const std::int64_t labels = logits.size(1);
  const std::vector<std::int64_t> starts = label_starts(split.tokenized, kind);
  std::string text = "index";
  for (std::int64_t i = 0; i < labels; ++i) text += fmt::format("\tlogit_{}", i);
  text += '\n';
  const std::vector<float> values = logits.to_vector<float>();
  std::size_t example = 0;
  for (std::int64_t row = 0; row < logits.size(0); ++row) {
    while (row >= starts[example + 1]) ++example;
    text += std::to_string(split.examples[example].id);
    for (std::int64_t i = 0; i < labels; ++i) {
      text += fmt::format("\t{:.9g}", values[static_cast<std::size_t>(row * labels + i)]);
    }
    text += '\n';
  }
  return text;
}

// What a row that came on standard input is answered with: index, label and probabilities, or a number.
std::string answer_text(const Prediction& prediction, std::int64_t index, const Task& task) {
  if (task.regression()) return fmt::format("{}\t{:.6g}\n", index, prediction.value);
  const std::string label =
      task.kind == TaskKind::kMultiLabel ? fmt::format("{}", fmt::join(prediction.labels, ",")) : prediction.label;
  std::string text = fmt::format("{}\t{}", index, printable(label));
  for (const double probability : prediction.probabilities) text += fmt::format("\t{:.6f}", probability);
  return text + '\n';
}

std::string answer_json(const Prediction& prediction, std::int64_t index, const Task& task) {
  nlohmann::ordered_json answer = {{"index", index}};
  if (task.regression()) {
    answer["prediction"] = prediction.value;
  } else {
    answer["prediction"] = task.kind == TaskKind::kMultiLabel ? nlohmann::ordered_json(prediction.labels)
                                                              : nlohmann::ordered_json(prediction.label);
    for (std::size_t i = 0; i < task.labels.size(); ++i) {
      answer["probabilities"][task.labels[i]] = prediction.probabilities[i];
    }
  }
  return answer.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n';
}

std::string answer_header(const Task& task) {
  std::string text = "index\tprediction";
  for (const std::string& label : task.labels) text += "\tprobability_" + printable(label);
  return text + '\n';
}

std::vector<std::string> stream_problems(const PredictCommand& c) {
  std::vector<std::string> problems;
  for (const char* flag : {"--task_name", "--data_dir", "--train_file", "--validation_file", "--problem_type",
                           "--validation_split_percentage", "--split", "--write_logits"}) {
    if (c.flags.given(flag)) problems.push_back(concat(flag, ": only together with --output_dir"));
  }
  if (c.task.test_file && c.format) problems.emplace_back("--input_format: the ending of --test_file says it");
  return problems;
}

std::vector<std::string> file_problems(const PredictCommand& c) {
  std::vector<std::string> problems = task_problems(c.task, Part::kTest);
  for (const char* flag : {"--input_format", "--json"}) {
    if (c.flags.given(flag))
      problems.push_back(concat(flag, ": is for rows on standard input, which are read without --output_dir"));
  }
  return problems;
}

// At most so many of the rows that are there; none at the end.
using Rows = std::function<std::vector<Example>(std::int64_t most)>;

// Rows that came together are answered together; nobody waits for rows that have not come.
int answer(const PredictCommand& c, const TaskModel& model, const Rows& next) {
  tell(model.notes);
  TK_CHECK(model.task.kind != TaskKind::kTokens, c.task.model,
           ": answers for words, which come from a file: --test_file and --output_dir");
  const Placement placement = placement_of(c.runtime);
  model.model->place(placement.device, placement.dtype);
  set_speedup(*model.model, c.speedup);
  const BatchBounds batch = batch_bounds(c.batch, placement.device);
  Inference inference(*model.model, {.queues = placement.queues, .exact_transforms = c.exact_transforms});
  const std::int64_t max_length = told_length(model, c.task.max_seq_length);
  if (!c.json) print_text(answer_header(model.task));
  constexpr std::int64_t kMostTogether = 1024;
  std::int64_t index = 0;
  const auto left = [&] { return c.max_predict_samples < 0 ? kMostTogether : c.max_predict_samples - index; };
  while (left() > 0) {
    const std::vector<Example> rows = next(std::min(kMostTogether, left()));
    if (rows.empty()) break;
    std::string text;
    for (const Prediction& prediction : predict(model, rows,
                                                {.batch_size = batch.sentences,
                                                .max_tokens = batch.tokens,
                                                .queues = placement.queues,
                                                .inference = &inference},
                                                max_length)) {
      text += c.json ? answer_json(prediction, index, model.task) : answer_text(prediction, index, model.task);
      ++index;
    }
    print_text(text);
    throw_if_stopped();
  }
  return 0;
}

int answer_stream(const PredictCommand& c) {
  const TaskModel model = load_model(c.task.model);
  RowStream stream(STDIN_FILENO, c.format, columns_for(c.task));
  if (::isatty(STDIN_FILENO) == 1) {
    info("reading texts from the terminal, one a line; Ctrl-D ends it (--test_file reads a table)");
  }
  return answer(c, model, [&](std::int64_t most) { return stream.next(most); });
}

int answer_file(const PredictCommand& c) {
  const std::unique_ptr<Reader> reader = scoring_reader(c.task);
  const TaskModel model = load_for_scoring(c.task.model, reader->task());
  const Split split = std::move(reader->read(Part::kTest).front());
  std::span<const Example> rest = split.examples;
  return answer(c, model, [&](std::int64_t most) {
    const auto rows = rest.first(std::min(rest.size(), static_cast<std::size_t>(most)));
    rest = rest.subspan(rows.size());
    return std::vector<Example>(rows.begin(), rows.end());
  });
}

int run(PredictCommand& c, const Invocation& invocation) {
  if (c.output_dir.empty()) {
    check_is_alone("predict without --output_dir");
    start_runtime(c.runtime, invocation.argv);
    return c.task.test_file ? answer_file(c) : answer_stream(c);
  }
  if (starts_ranks(c.ranks)) return start_ranks(c.ranks, c.runtime, invocation.argv);
  take_share_of_host(c.runtime);
  start_runtime(c.runtime, invocation.argv);
  const Placement placement = placement_of(c.runtime);
  const std::unique_ptr<Communicator> ranks = meet_ranks(c.ranks, placement.device);
  const std::unique_ptr<Reader> reader = scoring_reader(c.task);
  const Task& task = reader->task();
  const TaskModel model = load_for_scoring(c.task.model, task);
  tell(model.notes);
  model.model->place(placement.device, placement.dtype);
  set_speedup(*model.model, c.speedup);
  const LoadOptions loading{.max_length = told_length(model, c.task.max_seq_length), .limit = c.max_predict_samples};
  const BatchBounds batch = batch_bounds(c.batch, placement.device);
  std::optional<WritableFolder> output;
  if (ranks->is_first()) output.emplace(c.output_dir);
  const bool reads_dev = c.split == "dev" || (c.task.has_own_files() && !c.task.test_file);
  std::vector<Split> splits = reader->read(reads_dev ? Part::kDev : Part::kTest, loading.limit);
  TK_CHECK(!splits.empty(), "--split: ", task.name, " has no ", c.split, " set");
  for (Split& read : splits) {
    const Split split = prepared(std::move(read), model, loading);
    const Evaluation evaluation = evaluate(*model.model, task, split.tokenized,
                                           {.batch_size = batch.sentences,
                                            .max_tokens = batch.tokens,
                                            .queues = placement.queues,
                                            .exact_transforms = c.exact_transforms,
                                            .ranks = ranks.get(),
                                            .progress = evaluation_progress(c.runtime.progress, ranks->size() == 1)});
    if (!output) continue;
    const fs::path& folder = output->path();
    const std::string name = split.suffix.empty() ? task.name : task.name + "-mm";
    const fs::path results = folder / ("predict_results_" + name + ".txt");
    if (c.write_logits) {
      write_file_atomically(folder / ("logits_" + name + ".tsv"), logits_text(split, evaluation.logits, task.kind));
    }
    write_file_atomically(results, predictions_text(model, split, evaluation.logits, loading.max_length));
    print("{}: {} predictions\n", results.string(), split.size());
  }
  return 0;
}

}  // namespace

Command add_predict(CLI::App& program, const Invocation& invocation) {
  auto command = std::make_shared<PredictCommand>(program);
  command->flags.contradictions(
      [c = command.get()] { return c->output_dir.empty() ? stream_problems(*c) : file_problems(*c); });
  return {&command->flags, [command, invocation] { return run(*command, invocation); }};
}

}  // namespace tk
