#include "transkimmer/cli/commands/training_job.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <utility>

#include "data/sampling.h"
#include "transkimmer/cli/report/run_report.h"
#include "transkimmer/cli/run/log.h"
#include "transkimmer/cli/run/results.h"
#include "transkimmer/cli/run/run_log.h"
#include "transkimmer/cli/run/task_splits.h"
#include "transkimmer/weight_files.h"

namespace tk {
namespace {

void write_run_report(const TrainingJob& job, TrainingOutcome& outcome, const OutputFolder& folder,
                      Manifest& manifest) {
  const auto start = std::chrono::steady_clock::now();
  outcome.speed = compare_speed(
      *outcome.model.model, job.reader.task(), outcome.dev.front(),
      outcome.model.tokenizer.vocabulary().pad().value_or(0),
      {.batch = job.settings.eval_batch, .queues = job.placement.queues, .progress = job.settings.progress});
  write_results(folder.work(), "speed", speed_results(*outcome.speed));
  manifest.add_duration("timing", std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  const bool skims = outcome.model.model->config().skim_gate != SkimGate::kNone;
  const Report report =
      make_run_report({.model = outcome.model,
                       .dev = outcome.dev.front(),
                       .result = outcome.result,
                       .teaching = outcome.teaching,
                       .speed = outcome.speed,
                       .manifest = manifest,
                       .title = fmt::format("{} {}", skims ? "A skimmed model on" : "A dense model on",
                                            job.reader.task().shown_name())});
  write_report((folder.work() / "report.html").string(), report);
}

void leave_out_short(std::int64_t least_tokens, Split& train) {
  const std::int64_t all = train.size(), left_out = drop_shorter(train, least_tokens);
  if (left_out > 0)
    info("{} of {} training rows have fewer than {} tokens and are left out", left_out, all, least_tokens);
}

// Rows that only the threshold is fitted on: a tenth of them, and enough of large sets for a cost to the third digit.
Split held_out_rows(const TrainingSettings& settings, Split& train) {
  constexpr std::int64_t kMost = 2000, kOneOf = 10;
  if (!settings.skim_fit || !settings.trainer.skim_target) return {};
  const std::int64_t count = std::min(kMost, train.size() / kOneOf);
  if (count == 0) {
    info("{} training rows are too few to hold some out: the gates' threshold stays as it is", train.size());
    return {};
  }
  info("{} of {} training rows are held out, for the gates' threshold", count, train.size());
  return hold_out(train, count, settings.trainer.seed);
}

// Rows for which nobody but a teacher has an answer.
DistillRows rows_without_labels(const TrainingJob& job, const TaskModel& model, const Split& train,
                                std::int64_t max_length, std::vector<std::filesystem::path>& files) {
  TK_CHECK(has_teacher(job.teacher, model), "rows without labels need a teacher, and ", model.folder.string(),
           " is no dense model fine-tuned for ", model.task.name, "; --teacher names another");
  const auto start = std::chrono::steady_clock::now();
  DistillText text = job.distill.text;
  DistillTexts read = read_distill_texts(job.distill.sources, model.task);
  text.texts = std::move(read.examples);
  std::ranges::move(read.paths, std::back_inserter(files));
  DistillRows made = distill_rows(model, train, text, max_length);
  TK_CHECK(!made.rows.empty(), "no rows without labels are left beside those of ", train.path.string());
  info(
      "rows without labels: {} texts, {} new pairs, {} corrupted copies, made in {:.1f} s; {:.0f} % of an epoch are "
      "own rows",
      made.texts, made.pairs, made.copies,
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), 100 * job.distill.own_share);
  return made;
}

// The one that was asked for, or the output folder's newest where that goes on. A run that begins from a checkpoint
// elsewhere goes on from its own once it has one.
std::optional<std::filesystem::path> checkpoint_path(const TrainingJob& job, const OutputFolder& folder) {
  const std::optional<std::filesystem::path> own = folder.checkpoint();
  return !job.checkpoint || (own && !lies_in(*job.checkpoint, folder.path())) ? own : job.checkpoint;
}

// The rank that writes knows which it is, and all read it.
std::optional<Checkpoint> checkpoint_of(const TrainingJob& job, const OutputFolder* folder,
                                        const BertClassifier& model) {
  const std::optional<std::filesystem::path> found = folder != nullptr ? checkpoint_path(job, *folder) : std::nullopt;
  const std::string path = broadcast(*job.settings.ranks, found ? found->string() : "");
  if (path.empty()) return std::nullopt;
  Checkpoint checkpoint = load_checkpoint(path, model);
  if (job.checkpoint && path == job.checkpoint->string()) reset(checkpoint, job.resets);
  return checkpoint;
}

void introduce(const Teaching& teaching, const Task& task) {
  tell(teaching.notes);
  if (!teaching.logits.defined()) return;
  warn_of_undefined(teaching.scores);
  const std::string score =
      teaching.scores.empty() ? "" : fmt::format(" (dev {} {:.4f})", task.headline, headline(task, teaching.scores));
  info("teacher: {}{}; {} {:.1f} s", teaching.who, score,
       teaching.from_cache ? "its logits are those of an earlier start;" : "its logits took", teaching.seconds);
}

}  // namespace

TrainingOutcome run_training_job(const TrainingJob& job, OutputFolder* folder) {
  TrainingSettings settings = job.settings;
  settings.eval_queues = job.placement.queues;
  Manifest manifest(job.command, job.flags, settings.trainer.seed, job.placement.device);
  if (!job.stages.empty()) manifest.set("stages", job.stages);
  TK_CHECK(job.placement.dtype != DType::kInt8,
           "--dtype: int8 is for inference (eval, predict, bench); train in float32 or bfloat16");
  TaskModel model = load_for_training(job.model_folder, job.reader.task(), job.skim, settings.trainer.seed);
  TK_CHECK(!model.model->is_quantized(), model.folder.string(),
           ": its weights are int8, for inference alone; train the model that it was converted from");
  tell(model.notes);
  model.model->place(job.placement.device, job.placement.dtype);
  LoadOptions loading{
      .max_length = told_length(model, job.max_seq_length), .limit = job.max_train_samples, .notes = job.data_notes};
  Split train = std::move(load_labelled(job.reader, Part::kTrain, model, loading).front());
  leave_out_short(job.least_tokens, train);
  const Split held_out = held_out_rows(settings, train);
  loading.limit = job.max_eval_samples;
  std::vector<Split> dev;
  if (job.do_eval) dev = load_labelled(job.reader, Part::kDev, model, loading);
  std::vector<std::filesystem::path> texts;
  DistillRows others;
  if (job.distill.makes_rows()) others = rows_without_labels(job, model, train, loading.max_length, texts);
  const auto add = [&](const std::filesystem::path& file) {
    manifest.add_file(file, folder != nullptr ? folder->final_name(file) : file);
  };
  for (const std::filesystem::path& file : WeightFiles::open(model.folder).files()) add(file);
  add(train.path);
  for (const Split& split : dev) add(split.path);
  for (const std::filesystem::path& path : texts) add(path);

  Teaching teaching;
  if (settings.trainer.distill_weight > 0) {
    teaching = teach(job.teacher, model, train, dev, settings.evaluation(), loading.max_length, others.rows);
    introduce(teaching, model.task);
    if (teaching.logits.defined()) manifest.add_duration("teacher", teaching.seconds);
  }
  std::vector<std::filesystem::path> sources = {model.folder};
  std::ranges::copy(job.teacher.folders, std::back_inserter(sources));
  std::vector<TokenizedExample> rows = std::move(train.tokenized);
  std::vector<std::int64_t> epoch;
  if (job.distill.makes_rows()) {
    epoch = mixed_rows(train.size(), std::ssize(others.rows), job.distill.own_share, settings.trainer.seed);
    std::ranges::move(others.rows, std::back_inserter(rows));
  }
  TrainingOutcome outcome{.model = std::move(model), .dev = std::move(dev), .teaching = std::move(teaching)};
  outcome.result = run_training({.model = outcome.model,
                                 .rows = rows,
                                 .own = train.size(),
                                 .epoch = std::move(epoch),
                                 .dev = outcome.dev,
                                 .held_out = held_out,
                                 .teacher_logits = outcome.teaching.logits,
                                 .sources = sources,
                                 .checkpoint = checkpoint_of(job, folder, *outcome.model.model)},
                                settings, folder, manifest);
  if (folder == nullptr) return outcome;
  if (job.do_eval && job.report) write_run_report(job, outcome, *folder, manifest);
  folder->finish_run(manifest);
  return outcome;
}

}  // namespace tk
