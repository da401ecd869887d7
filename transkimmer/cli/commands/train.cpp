#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <random>
#include <utility>

#include "autograd/estimators/estimators.h"
#include "data/reader.h"
#include "nn/optim/schedule.h"
#include "tensor/error.h"
#include "transkimmer/cli/commands/commands.h"
#include "transkimmer/cli/commands/training_job.h"
#include "transkimmer/cli/run/batch_flags.h"
#include "transkimmer/cli/run/distill_flags.h"
#include "transkimmer/cli/run/event_log.h"
#include "transkimmer/cli/run/log.h"
#include "transkimmer/cli/run/print.h"
#include "transkimmer/cli/run/ranks.h"
#include "transkimmer/cli/run/runtime.h"
#include "transkimmer/cli/run/task_flags.h"
#include "transkimmer/cli/run/time_limit.h"
#include "transkimmer/training/recipe.h"

namespace tk {
namespace {

constexpr double kMostMicroBatches = 65536;
constexpr std::int64_t kMicroBatchesOfRanks = 8;

struct TrainCommand {
  explicit TrainCommand(CLI::App& program);

  Flags flags;
  TaskFlags task;
  RuntimeFlags runtime;
  RankFlags ranks;
  TrainingSettings settings;
  std::string output_dir;
  bool overwrite_output_dir = false;
  std::optional<std::string> checkpoint;
  std::optional<std::string> reset;
  bool do_train = true;
  bool do_eval = true;
  bool do_predict = false;
  bool report = true;
  bool hf_defaults = false;
  bool dump_config = false;
  std::int64_t max_train_samples = -1;
  std::int64_t max_eval_samples = -1;
  std::int64_t max_predict_samples = -1;
  BatchFlags eval_batch;
  EventFlags events;
  std::optional<std::string> time_limit;
  std::int64_t gradient_accumulation_steps = 1;
  std::optional<std::int64_t> micro_batches;
  std::optional<bool> overlap_gradients;
  std::optional<std::int64_t> min_steps;
  std::optional<double> warmup_steps;
  std::optional<std::string> freeze;
  double warmup_ratio = 0.06;
  bool skim = false;
  SkimSettings skim_settings;
  std::optional<std::string> teacher;
  DistillFlags distill;

 private:
  void add_run_flags();
  void add_best_flags();
  void add_optimizer_flags();
  void add_skim_flags();
};

TrainCommand::TrainCommand(CLI::App& program)
    : flags(program, "train", "fine-tune on a GLUE task or files of your own; --skim adds skimming") {
  add_task_flags(flags, task);
  add_run_flags();
  add_best_flags();
  add_optimizer_flags();
  add_skim_flags();
  add_distill_flags(flags, distill);
  add_runtime_flags(flags, runtime);
  add_rank_flags(flags, ranks);
  flags.footer(
      "Writes to --output_dir: the model folder (config.json, model.safetensors, vocab.txt ...), checkpoint-N/,\n"
      "trainer_state.json, train_results.json, eval_results.json, speed_results.json, all_results.json, "
      "metrics.jsonl,\nmetrics.csv, run.json, report.html; with --report_to tensorboard runs/.\n"
      "Fine-tune first, then skim from the result, which then teaches:\n"
      "  transkimmer train --task_name sst2 --data_dir glue --model_name_or_path minilm --output_dir dense\n"
      "  transkimmer train --task_name sst2 --data_dir glue --model_name_or_path dense --output_dir skimmed --skim\n"
      "`transkimmer train run.json` runs again with the flags in another run's manifest or in any JSON object; those "
      "of\n"
      "FILE.args are words with blanks between. Flags behind the file change its own.");
}

void TrainCommand::add_run_flags() {
  flags.group("Run");
  flags
      .add("--output_dir", output_dir,
           "folder to write to; new, empty, or with this run unfinished, which then goes on", "DIR")
      .required();
  flags.add("--overwrite_output_dir", overwrite_output_dir, "replace another run there, at the end of this one");
  flags.add(
      "--resume_from_checkpoint", checkpoint,
      "checkpoint of a run with the same flags to go on from, or true (default: the newest in --output_dir, if its "
      "run is not finished)",
      "DIR");
  add_reset_flag(flags, reset);
  flags.add("--hf_defaults", hf_defaults,
            "where a flag is not given: batches of 8, no warm-up, a log line every 500 steps, all checkpoints, and "
            "--do_train and --do_eval off, as transformers' TrainingArguments have it");
  flags.add("--dump_config", dump_config, "only print the flags as JSON, for `transkimmer train FILE.json`");
  flags.add("--do_train", do_train,
            "on unless --do_train=false: then the model is only scored or asked, as by transkimmer eval and predict");
  flags.add("--do_eval", do_eval, "score the dev set at the end; on unless --do_eval=false");
  flags.add("--do_predict", do_predict, "write predictions for the test set at the end, as transkimmer predict does");
  flags.add("--report", report,
            "with the dev scores: time the model beside the dense one, write report.html; on unless "
            "--report=false");
  flags.add("--max_train_samples", max_train_samples, "train on the first N examples; -1: all").at_least(-1);
  flags.add("--max_eval_samples", max_eval_samples, "score the first N dev examples; -1: all").at_least(-1);
  flags.add("--max_predict_samples", max_predict_samples, "predict the first N test examples; -1: all").at_least(-1);
  add_batch_flags(flags, eval_batch, "--per_device_eval_batch_size", "--per_device_eval_batch_tokens");
  flags.add("--logging_strategy", settings.logging_strategy, "when to write a log line");
  flags.add("--logging_steps", settings.logging_steps, "steps between log lines").at_least(1);
  flags.add("--logging_first_step", settings.logging_first_step, "write one for the first step, too");
  add_time_limit_flag(flags, time_limit);
  add_event_flags(flags, events);
  flags.add("--eval_strategy", settings.eval_strategy, "when to score the dev set during training");
  flags.add("--eval_steps", settings.eval_steps, "steps between them").at_least(1);
  flags.add("--eval_on_start", settings.eval_on_start, "score it before the first step, too");
  flags.add("--save_strategy", settings.save_strategy, "when to write checkpoint-N/; best: with each new best score");
  flags.add("--save_steps", settings.save_steps, "steps between checkpoints").at_least(1);
  flags
      .add("--save_total_limit", settings.save_total_limit,
           "checkpoints to keep: the newest ones, and the best one where that matters; 0: all")
      .at_least(0);
}

void TrainCommand::add_best_flags() {
  BestModelOptions& best = settings.best;
  flags.group("Best model");
  flags.add(
      "--load_best_model_at_end", best.load_at_end,
      "the model with the best score is the result, not the last one; --eval_strategy and --save_strategy must be "
      "the same, or --save_strategy best");
  flags.add("--metric_for_best_model", best.metric, "which score of the dev set says what is better (default loss)",
            "METRIC");
  flags.add("--greater_is_better", best.greater, "whether more of it is (default: unless its name ends with loss)");
  flags
      .add("--early_stopping_patience", best.patience,
           "end training when the score was not better for N evaluations (default: not)")
      .at_least(1);
  flags.add("--early_stopping_threshold", best.threshold, "by more than how much it has to be better for that")
      .at_least(0);
}

void TrainCommand::add_optimizer_flags() {
  TrainerOptions& t = settings.trainer;
  flags.group("Optimization");
  flags.add("--per_device_train_batch_size", t.batch_size, "sentences of a step, of all ranks together").at_least(1);
  flags
      .add("--gradient_accumulation_steps", gradient_accumulation_steps,
           "N: a step has N times as many sentences, at once, which is the same gradient and takes their memory")
      .range(1, 1e6);
  flags
      .add("--micro_batches", micro_batches,
           "parts that a step is computed in, one for each rank at least: with the same number the same bits for any "
           "number of ranks (default: 8 of several ranks, else 1)")
      .range(1, kMostMicroBatches);
  flags.add("--shard_optimizer", t.shard_optimizer,
            "each rank keeps AdamW's moments of its share of the parameters alone (ZeRO, stage 1); the same bits");
  flags.add("--overlap_gradients", overlap_gradients,
            "where each rank has one micro-batch, gradients go to others as backward finishes them; the same bits "
            "(default: on cuda)");
  flags.add("--bf16_gradients", t.bf16_gradients,
            "gradients go from rank to rank in bfloat16: half the bytes, and bits that depend on the number of ranks");
  flags.add("--learning_rate", t.learning_rate, "peak of AdamW's learning rate").at_least(0);
  flags.add("--lr_scheduler_type", t.schedule, "how the learning rate goes over the steps, as in transformers");
  flags
      .add("--label_smoothing_factor", t.label_smoothing,
           "share of each target that is spread over all classes; in training alone")
      .range(0, 0.999999);
  flags.add("--num_train_epochs", t.epochs, "passes over the training set; may be fractional").above(0);
  flags.add("--max_steps", t.max_steps, "steps, in place of epochs; -1: not set").at_least(-1);
  flags
      .add("--min_steps", min_steps,
           "steps at least, by more epochs where these are fewer (default: 150 with files of your own where "
           "--num_train_epochs is not given, else 0)")
      .at_least(0);
  flags
      .add("--warmup_steps", warmup_steps,
           "steps of linear warm-up, or their share of all steps below 1; wins over "
           "--warmup_ratio")
      .at_least(0);
  flags.add("--warmup_ratio", warmup_ratio, "share of the steps for linear warm-up").range(0, 0.999);
  flags.add("--weight_decay", t.weight_decay, "AdamW's; never on biases and layer norms").at_least(0);
  flags.add("--adam_beta1", t.adam.beta1, "decay of the first moment").range(0, 0.999999);
  flags.add("--adam_beta2", t.adam.beta2, "decay of the second moment").range(0, 0.999999999);
  flags.add("--adam_epsilon", t.adam.epsilon, "added to the root of the second moment").above(0);
  flags
      .add("--dropout", t.dropout,
           "of hidden states, attention and classifier in training (default: what config.json says)")
      .range(0, 0.999999);
  flags
      .add("--ema_decay", t.ema_decay,
           "the result is the moving average of the weights with that decay (0.999), which grows to it in the first "
           "steps: it is what is scored and saved (default: the weights of the last step, or of the best one)")
      .range(0, 0.9999999);
  flags
      .add("--freeze", freeze,
           "parameters that are not trained: parts of their names, such as embeddings,encoder.layer.0 (default: none)",
           "NAMES")
      .words();
  flags.add("--max_grad_norm", t.max_grad_norm, "the gradient is clipped to this norm; 0: not").at_least(0);
  flags.add("--train_sampling_strategy", t.order, "order of the examples");
  flags.add("--seed", t.seed, "of everything random; 0: draw one and say it");
}

void TrainCommand::add_skim_flags() {
  TrainerOptions& t = settings.trainer;
  flags.group("Skimming");
  flags.add("--skim", skim,
            "learn which tokens each layer may drop; a checkpoint that has skim predictors keeps its own");
  flags
      .add("--skim_target", t.skim_target,
           "budget: share of the dense model's multiply-accumulates to spend (default 0.5)")
      .range(0.01, 1);
  flags.add("--skim_coefficient", t.skim_coefficient, "the paper's fixed weight on the skim loss, instead of a budget")
      .at_least(0);
  flags.add(
      "--skim_fit", settings.skim_fit,
      "keep a tenth of the training rows (2,000 at most) out of training, and move the gates' threshold at the end so "
      "that they spend the budget; on unless --skim_fit=false");
  flags.add("--skim_ramp", t.skim_ramp, "share of the steps over which the budget falls from 1 to its target")
      .range(0, 1);
  flags.add("--skim_gate", skim_settings.gate,
            "what a token loses: in stages, or all at once as published (default staged)");
  flags.add("--skim_width", skim_settings.width, "hidden width of the predictors; 0: a quarter of the model's")
      .at_least(0);
  flags.add("--skim_learning_rate", t.skim_learning_rate, "peak learning rate of the predictors").at_least(0);
  flags.add("--skim_attention", skim_settings.attention,
            "whether a skimmed token leaves the softmax in training (default exact)");
  flags.add("--skim_cls", skim_settings.cls,
            "whether the staged gate may take update and feed-forward from [CLS], too: free (default kept)");
  flags
      .add("--skim_estimator", t.skim_estimator,
           "how a gradient passes the gates: " + gate_estimator_names() + "; with :K for K samples, as gr:10", "NAME")
      .check([](const std::string& name) {
        return find_gate_estimator(name) ? "" : "expected one of " + gate_estimator_names();
      });
  flags.add("--skim_temperature", t.skim_temperature, "of the gates' samples and relaxations").above(0);
  flags
      .add("--skim_temperature_end", t.skim_temperature_end,
           "to which the temperature goes until the last step (default: it stays)")
      .above(0);
  flags.add("--skim_temperature_schedule", t.skim_temperature_schedule, "how it goes there");
  flags
      .add(
          "--skim_noise_fade", t.skim_noise_fade,
          "share of the steps over which the gates' noise fades to nothing, ending at nine tenths of them; 0: it stays")
      .range(0, kGateNoiseEnd);
  flags.add("--teacher", teacher,
            "model folder whose logits on the training set are learnt too; of several, with commas between, the mean "
            "(default with --skim: the starting model, if it is dense and fine-tuned for the task)",
            "DIRS");
  flags.add("--distill_weight", t.distill_weight, "of the teacher's loss; the task's has the rest").range(0, 1);
  flags.add("--distill_temperature", t.distill_temperature, "of both softmaxes in the teacher's loss").above(0);
}

constexpr std::array<const char*, 14> kSkimFlags = {
    "--skim_target",          "--skim_coefficient",         "--skim_ramp",      "--skim_gate",
    "--skim_width",           "--skim_learning_rate",       "--skim_attention", "--skim_cls",
    "--skim_temperature",     "--skim_noise_fade",          "--skim_fit",       "--skim_estimator",
    "--skim_temperature_end", "--skim_temperature_schedule"};

DistillJob distill_job(const TrainCommand& c) {
  return distill_job(c.distill, c.task.data_dir, c.settings.trainer.seed);
}

std::vector<std::string> distill_problems(const TrainCommand& c) {
  const DistillJob job = distill_job(c);
  const GlueTask* const task = glue_task_of(c.task);  // of own data it is known when they are read
  std::vector<std::string> problems;
  if (task != nullptr) problems = distill_problems(job, task->task);
  const auto refuse = [&](const std::string& problem) { problems.push_back(problem); };
  if (c.flags.given("--distill_samples") && job.sources.tasks.empty() && job.sources.files.empty()) {
    refuse("--distill_samples: only together with --distill_tasks or --distill_files");
  }
  if (!job.makes_rows()) {
    if (c.flags.given("--distill_own_share")) refuse("--distill_own_share: there are no rows but the task's own");
    return problems;
  }
  if (!c.skim && !c.teacher) refuse("rows without labels need a teacher: --teacher, or --skim from a fine-tuned model");
  if (c.settings.trainer.distill_weight == 0) refuse("--distill_weight: of rows without labels only the teacher knows");
  return problems;
}

// Where transformers' TrainingArguments (5.24) say otherwise than we.
void take_hf_defaults(TrainCommand& c) {
  const auto set = [&](const char* flag, auto& value, auto other) {
    if (!c.flags.given(flag)) value = other;
  };
  set("--per_device_train_batch_size", c.settings.trainer.batch_size, 8);
  if (!c.eval_batch.is_given()) c.eval_batch.sentences = 8;
  set("--warmup_ratio", c.warmup_ratio, 0);
  set("--logging_steps", c.settings.logging_steps, 500);
  set("--eval_steps", c.settings.eval_steps, c.settings.logging_steps);
  set("--save_total_limit", c.settings.save_total_limit, 0);
  set("--do_train", c.do_train, false);
  set("--do_eval", c.do_eval, c.settings.eval_strategy != Strategy::kNo);
}

// Three passes over a few hundred rows hardly teach a new classifier anything.
void take_own_defaults(TrainCommand& c) {
  if (c.min_steps || !c.task.has_own_files() || c.hf_defaults || c.flags.given("--num_train_epochs")) return;
  c.min_steps = kLeastOwnSteps;
}

std::vector<std::string> best_problems(const TrainCommand& c) {
  const TrainingSettings& s = c.settings;
  std::vector<std::string> problems;
  const auto refuse = [&](bool when, const std::string& problem) {
    if (when) problems.push_back(problem);
  };
  const char* wanted = s.best.load_at_end ? "--load_best_model_at_end"
                       : s.best.patience  ? "--early_stopping_patience"
                       : s.best.metric    ? "--metric_for_best_model"
                                          : "--save_strategy best";
  const bool scores = c.do_eval && s.eval_strategy != Strategy::kNo;
  refuse(s.tracks_best() && !scores,
         concat(wanted, ": needs scores during training: --eval_strategy steps or epoch, with --do_eval"));
  const bool match = s.save_strategy == SaveStrategy::kBest ||
                     std::string_view(choice_name(s.save_strategy)) == choice_name(s.eval_strategy);
  refuse(s.best.load_at_end && scores && !match,
         concat("--load_best_model_at_end: --eval_strategy (", choice_name(s.eval_strategy), ") and --save_strategy (",
                choice_name(s.save_strategy), ") have to be the same, or --save_strategy best"));
  refuse(s.best.greater && !s.tracks_best(), "--greater_is_better: only together with --metric_for_best_model");
  refuse(!s.best.patience && c.flags.given("--early_stopping_threshold"),
         "--early_stopping_threshold: only together with --early_stopping_patience");
  return problems;
}

// Whether the dev set is scored where nothing is trained.
bool scores_alone(const TrainCommand& c) { return c.do_eval && (c.flags.given("--do_eval") || !c.do_predict); }

// What the parts lack that the run reads.
std::vector<std::string> data_problems(const TrainCommand& c) {
  std::vector<std::string> problems;
  const auto add = [&](Part part) {
    for (std::string& problem : task_problems(c.task, part)) {
      if (std::ranges::find(problems, problem) == problems.end()) problems.push_back(std::move(problem));
    }
  };
  if (c.do_train) add(Part::kTrain);
  if (!c.do_train && scores_alone(c)) add(Part::kDev);
  if (c.do_predict) add(Part::kTest);
  return problems;
}

// "true" is what there is without the flag, as in Hugging Face's scripts.
std::optional<std::filesystem::path> checkpoint_of(const TrainCommand& c) {
  if (!c.checkpoint || *c.checkpoint == "true") return std::nullopt;
  return *c.checkpoint;
}

// Flags that mean something only beside another one.
std::vector<std::string> contradictions(const TrainCommand& c) {
  std::vector<std::string> problems = data_problems(c);
  for (const char* name : kSkimFlags) {
    if (!c.skim && c.flags.given(name)) problems.push_back(concat(name, ": only together with --skim"));
  }
  if (!c.do_train && !c.do_eval && !c.do_predict) {
    problems.emplace_back("--do_train, --do_eval and --do_predict are all off: there is nothing to do");
  }
  if (c.settings.trainer.skim_target && c.settings.trainer.skim_coefficient) {
    problems.emplace_back("--skim_coefficient: a fixed weight and a budget (--skim_target) exclude each other");
  }
  if (const std::optional<SkimGate> gate = c.skim_settings.gate;
      gate && c.skim_settings.cls == SkimCls::kFree && !traits(*gate).can_free_cls) {
    problems.push_back(concat("--skim_cls: gate ", name(*gate), " has no free, only kept"));
  }
  if (c.reset && !checkpoint_of(c)) {
    problems.emplace_back("--reset: only together with --resume_from_checkpoint, which names a checkpoint");
  }
  for (std::string& problem : best_problems(c)) problems.push_back(std::move(problem));
  for (std::string& problem : distill_problems(c)) problems.push_back(std::move(problem));
  return problems;
}

std::uint64_t drawn_seed() {
  std::random_device device;
  std::uint64_t seed = 0;
  while (seed == 0) seed = device();
  info("seed {}", seed);
  return seed;
}

constexpr std::int64_t kMostSentences = std::int64_t{1} << 40;  // of a step's part: more than any set has

void complete_settings(TrainCommand& c) {
  TrainerOptions& t = c.settings.trainer;
  if (t.seed == 0) t.seed = drawn_seed();
  t.least_steps = c.min_steps.value_or(0);
  t.warmup = c.warmup_steps.value_or(c.warmup_ratio);
  t.freeze = comma_separated(c.freeze.value_or(""));
  t.batch_size = std::min(t.batch_size, kMostSentences) * c.gradient_accumulation_steps;
  if (!c.micro_batches) c.micro_batches = launch_of_environment().size > 1 ? kMicroBatchesOfRanks : 1;
  t.micro_batches = *c.micro_batches;
  if (c.skim && !t.skim_coefficient && !t.skim_target) t.skim_target = 0.5;
  c.settings.progress = c.runtime.progress;
  c.settings.tensorboard = c.events.has_tensorboard();
  c.settings.event_folder = c.events.logging_dir;
  note_unused(c.events);
  c.settings.deadline = deadline_of(c.time_limit);
}

// What `transkimmer train FILE.json` needs to do the same again.
nlohmann::json effective_flags(const TrainCommand& c) {
  nlohmann::json flags = c.flags.values();
  flags.erase("dump_config");
  for (const std::string_view flag : kSkimFlags) {
    if (!c.skim) flags.erase(std::string(flag.substr(2)));
  }
  if (!c.settings.best.patience) flags.erase("early_stopping_threshold");
  const DistillJob job = distill_job(c);
  if (job.sources.tasks.empty() && job.sources.files.empty()) flags.erase("distill_samples");
  if (!job.makes_rows()) flags.erase("distill_own_share");
  return flags;
}

// Another command with the flags that were given to this one, of which it takes its own.
int run_other(const TrainCommand& c, const Invocation& invocation, const std::string& command,
              const std::string& model) {
  std::vector<std::string> arguments = {command};
  for (std::string& argument : c.flags.arguments()) arguments.push_back(std::move(argument));
  arguments.push_back("--model_name_or_path=" + model);
  return invocation.run(arguments);
}

// The first of several ranks; the others' work is done.
int predict_alone(const TrainCommand& c, const Invocation& invocation, const std::string& model) {
  if (!c.do_predict || launch_of_environment().rank > 0) return 0;
  leave_ranks();
  return run_other(c, invocation, "predict", model);
}

// Of a script that trains elsewhere.
int run_without_training(const TrainCommand& c, const Invocation& invocation) {
  if (const int code = scores_alone(c) ? run_other(c, invocation, "eval", c.task.model) : 0; code != 0) return code;
  return predict_alone(c, invocation, c.task.model);
}

// Of several ranks the first writes, and knows whether it may.
void train(TrainCommand& c, const Invocation& invocation) {
  take_share_of_host(c.runtime);
  start_runtime(c.runtime, invocation.argv);
  const Placement placement = placement_of(c.runtime);
  const std::unique_ptr<Communicator> ranks = meet_ranks(c.ranks, placement.device);
  c.settings.ranks = ranks.get();
  // The CPU computes nothing while it sends: pieces would only be waited for more often.
  c.settings.trainer.overlap_gradients = c.overlap_gradients.value_or(placement.device != Device::kCpu);
  complete_settings(c);
  c.settings.trainer.seed = std::stoull(broadcast(*ranks, std::to_string(c.settings.trainer.seed)));
  std::optional<OutputFolder> folder;
  if (ranks->is_first()) {
    folder.emplace(c.output_dir, c.overwrite_output_dir ? EarlierRun::kReplace : EarlierRun::kContinue);
  }
  const std::unique_ptr<Reader> reader = training_reader(c.task, c.settings.trainer.seed);
  check_usage(distill_problems(distill_job(c), reader->task()));
  c.settings.eval_batch = batch_bounds(c.eval_batch, placement.device);
  run_training_job({.reader = *reader,
                    .model_folder = c.task.model,
                    .placement = placement,
                    .max_seq_length = c.task.max_seq_length,
                    .max_train_samples = c.max_train_samples,
                    .max_eval_samples = c.max_eval_samples,
                    .do_eval = c.do_eval,
                    .report = c.report,
                    .skim = c.skim ? std::optional(c.skim_settings) : std::nullopt,
                    .teacher = {.folders = paths_of(c.teacher.value_or("")), .by_default = c.skim},
                    .distill = distill_job(c),
                    .checkpoint = checkpoint_of(c),
                    .resets = resets_of(c.reset),
                    .settings = c.settings,
                    .command = invocation.text,
                    .flags = effective_flags(c)},
                   folder ? &*folder : nullptr);
  info("wrote {}", c.output_dir);
}

int run(TrainCommand& c, const Invocation& invocation) {
  if (c.dump_config) {
    print("{}\n", effective_flags(c).dump(2, ' ', true, nlohmann::json::error_handler_t::replace));
    return 0;
  }
  if (starts_ranks(c.ranks)) return start_ranks(c.ranks, c.runtime, invocation.argv);
  if (!c.do_train) return run_without_training(c, invocation);
  train(c, invocation);
  return predict_alone(c, invocation, c.output_dir);
}

}  // namespace

Command add_train(CLI::App& program, const Invocation& invocation) {
  auto command = std::make_shared<TrainCommand>(program);
  command->flags.contradictions([c = command.get()] {
    if (c->hf_defaults) take_hf_defaults(*c);
    take_own_defaults(*c);
    return contradictions(*c);
  });
  return {&command->flags, [command, invocation] { return run(*command, invocation); }};
}

}  // namespace tk
