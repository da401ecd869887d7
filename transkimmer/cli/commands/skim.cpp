#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <memory>
#include <utility>

#include "data/glue_reader.h"
#include "tensor/error.h"
#include "transkimmer/checkpoint.h"
#include "transkimmer/cli/commands/commands.h"
#include "transkimmer/cli/commands/skim_flags.h"
#include "transkimmer/cli/commands/training_job.h"
#include "transkimmer/cli/run/batch_flags.h"
#include "transkimmer/cli/run/distill_flags.h"
#include "transkimmer/cli/run/event_log.h"
#include "transkimmer/cli/run/log.h"
#include "transkimmer/cli/run/print.h"
#include "transkimmer/cli/run/ranks.h"
#include "transkimmer/cli/run/run_files.h"
#include "transkimmer/cli/run/runtime.h"
#include "transkimmer/cli/run/speedups.h"
#include "transkimmer/cli/run/task_flags.h"
#include "transkimmer/cli/run/time_limit.h"
#include "transkimmer/training/recipe.h"

namespace tk {
namespace fs = std::filesystem;
namespace {

constexpr const char* kStart = "start";  // parts of the run's folder: the model that the dense ones start from,
constexpr const char* kDense = "dense";  // these: dense, dense-2 ...
constexpr const char* kStartSkimmed = "start-skimmed";  // and the one that gives the gates
constexpr const char* kNone = "none";
constexpr std::int64_t kStepsFromSkimmed = 3000;

struct SkimCommand {
  explicit SkimCommand(CLI::App& program);

  Flags flags;
  TaskFlags task;
  RuntimeFlags runtime;
  std::string output_dir;
  bool overwrite_output_dir = false;
  std::string speedup = "4";
  std::uint64_t seed = 42;
  bool report = true;
  std::int64_t max_train_samples = -1;
  std::int64_t max_eval_samples = -1;
  BatchFlags eval_batch;
  EventFlags events;
  std::optional<std::string> time_limit;
  std::optional<std::string> dense;
  std::optional<std::string> skimmed;
  std::int64_t teachers = 1;
  std::optional<std::string> start_task;
  std::optional<double> dense_epochs;
  std::int64_t dense_steps = -1;
  SkimFlags skim;
  DistillFlags distill;

 private:
  void add_run_flags();
  void add_dense_flags();
};

SkimCommand::SkimCommand(CLI::App& program)
    : flags(program, "skim", "a skimmed model for a task by the whole recipe: dense model, text, skimming, threshold") {
  add_task_flags(flags, task, false);
  add_run_flags();
  add_dense_flags();
  add_skim_flags(flags, skim);
  add_distill_flags(flags, distill, kRecipeDistillDefaults);
  add_runtime_flags(flags, runtime);
  flags.footer(
      "Writes to --output_dir what `train` writes, and beside it a folder for each stage: start/ (where the task "
      "starts\n"
      "from another one's model), dense/ (dense-2/ ... with --teachers), teacher.safetensors (their answers).\n"
      "A run that was stopped goes on with its first unfinished stage when the same command is given again.\n"
      "  transkimmer skim --task_name rte --data_dir glue --model_name_or_path minilm --speedup 4 --output_dir rte-4x");
}

void SkimCommand::add_run_flags() {
  flags.group("Run");
  flags.add("--output_dir", output_dir, "folder to write to; new, empty, or with this run unfinished", "DIR")
      .required();
  flags.add("--overwrite_output_dir", overwrite_output_dir,
            "begin anew, and replace another run there, at the end of this one");
  flags
      .add(
          "--speedup", speedup,
          "budget: the dense model's multiply-accumulates over the skimmed model's, convention 2. One model serves all "
          "speed-ups from the least to the most of several (2,3.2,5, or 2-5 for 2,3,4,5), of one S those from S/2 to "
          "5S/4, and is left at the most (or S); `eval --speedup X` and others choose another",
          "X")
      .check(speedup_problem);
  flags.add("--seed", seed, "of everything random").at_least(1);
  flags.add("--report", report, "time the model beside the dense one, write report.html; on unless --report=false");
  flags.add("--max_train_samples", max_train_samples, "train on the first N examples; -1: all").at_least(-1);
  flags.add("--max_eval_samples", max_eval_samples, "score the first N dev examples; -1: all").at_least(-1);
  add_batch_flags(flags, eval_batch, "--per_device_eval_batch_size", "--per_device_eval_batch_tokens");
  add_time_limit_flag(flags, time_limit);
  add_event_flags(flags, events);
}

void SkimCommand::add_dense_flags() {
  flags.group("Dense model");
  flags.add(
      "--dense", dense,
      "dense models fine-tuned for the task, with commas between: skimming starts from the first, and the mean of "
      "all teaches; without any they are trained from --model_name_or_path",
      "DIRS");
  flags.add("--skimmed", skimmed,
            "skimmed model of another task to skim from, in place of the dense one, which still teaches: a small task "
            "gains from gates that a large one has taught; or none (default: for rte and mrpc mnli's, made on the way "
            "where --start_task is mnli)",
            "DIR");
  flags.add("--teachers", teachers, "how many dense models are trained, which differ in their seeds").range(1, 16);
  flags.add("--start_task", start_task,
            "task whose model the dense ones start from, or none (default: mnli for rte, mrpc, stsb and wnli where "
            "--data_dir has it)",
            "TASK");
  flags
      .add("--dense_epochs", dense_epochs,
           "passes over the training set (default: 3 to 10, by the task, and with files of your own as many as make "
           "150 steps)")
      .above(0);
  flags.add("--dense_steps", dense_steps, "steps of each dense model, in place of epochs; -1: not set").at_least(-1);
}

// The flags, the recipe where they are silent, and what follows from both.
struct Plan {
  const SkimCommand& command;
  const Invocation& invocation;
  const Reader& reader;
  Recipe recipe = {};
  DistillJob distill = {};
  std::string start_task = {};  // empty: none
  bool start_gates = false;     // the start task's model is skimmed, too
  Placement placement = {};
  std::optional<std::chrono::steady_clock::time_point> deadline = {};
};

// A task that only the recipe names is passed over where there are no rows of it.
std::string start_task_of(const SkimCommand& c, const Task& task, const Recipe& recipe) {
  if (c.dense || c.start_task == kNone) return "";
  if (c.start_task) return find_glue_task(*c.start_task).task.name;
  const std::string start = start_task_with_rows(recipe, c.task.data_dir);
  if (start == recipe.start_task) return start;
  info("{} has no rows of {}, from whose model {} gains; the dense model starts from {}", c.task.data_dir,
       recipe.start_task, task.name, c.task.model);
  return "";
}

// A skimmed model that another command made.
std::optional<fs::path> lent_gates(const SkimCommand& c) {
  return c.skimmed && *c.skimmed != kNone ? std::optional<fs::path>(*c.skimmed) : std::nullopt;
}

// Text as the recipe has it where the flags are silent.
DistillJob text_of(const SkimCommand& c, DistillFlags flags, const Task& task, const Recipe& recipe) {
  if (!flags.pairs) flags.pairs = recipe.pairs;
  if (!flags.corrupt) flags.corrupt = recipe.corrupt;
  if (!flags.own_share) flags.own_share = recipe.own_share;
  DistillJob job = distill_job(flags, c.task.data_dir, c.seed);
  if (!flags.tasks && recipe.reads_other_tasks && !c.task.data_dir.empty()) {
    job.sources.tasks = tasks_with_texts(task, c.task.data_dir);
  }
  return job;
}

Plan plan_of(const SkimCommand& c, const Invocation& invocation, const Reader& reader) {
  const Task& task = reader.task();
  Plan plan{.command = c, .invocation = invocation, .reader = reader, .recipe = recipe_for(task)};
  Recipe& recipe = plan.recipe;
  if (c.dense_epochs) {
    recipe.epochs = *c.dense_epochs;
    recipe.least_steps = 0;
  }
  plan.start_task = start_task_of(c, task, recipe);
  plan.start_gates = recipe.start_gates && plan.start_task == recipe.start_task && !c.skimmed;
  if (plan.start_gates || lent_gates(c)) recipe.steps = kStepsFromSkimmed;
  recipe.steps = c.skim.steps.value_or(recipe.steps);
  recipe.least_tokens = c.skim.least_tokens.value_or(recipe.least_tokens);
  plan.distill = text_of(c, c.distill, task, recipe);
  check_usage(distill_problems(plan.distill, task));
  return plan;
}

// How the start task's model is skimmed: by its own recipe, with as many steps as are asked for.
Plan start_plan_of(const Plan& plan, const Reader& reader) {
  const SkimCommand& c = plan.command;
  Plan start{.command = c, .invocation = plan.invocation, .reader = reader, .recipe = recipe_for(reader.task())};
  start.recipe.steps = c.skim.steps.value_or(start.recipe.steps);
  start.distill = text_of(c, {}, reader.task(), start.recipe);
  start.placement = plan.placement;
  start.deadline = plan.deadline;
  return start;
}

std::vector<std::string> contradictions(const SkimCommand& c) {
  std::vector<std::string> problems = task_problems(c.task, Part::kTrain);
  const GlueTask* const task = glue_task_of(c.task);  // of own data it is known when they are read
  if (task != nullptr) {
    for (std::string& problem : distill_problems(distill_job(c.distill, c.task.data_dir, c.seed), task->task)) {
      problems.push_back(std::move(problem));
    }
  }
  if (c.start_task && *c.start_task != kNone && c.task.data_dir.empty()) {
    problems.emplace_back("--start_task: expected the folder of its rows, --data_dir");
  }
  if (!c.dense && c.task.model.empty()) {
    problems.emplace_back("--model_name_or_path: expected a model to start from, or dense ones by --dense");
  }
  for (const char* flag : {"--model_name_or_path", "--teachers", "--start_task", "--dense_epochs", "--dense_steps"}) {
    if (c.dense && c.flags.given(flag))
      problems.push_back(concat(flag, ": --dense names models that are there already"));
  }
  for (std::string& problem : skim_problems(c.skim)) problems.push_back(std::move(problem));
  const auto speedups = parse_speedups(c.speedup);
  if (speedups && speedups->size() > 1 && !traits(gate_of(c.skim)).serves_speedups) {
    problems.push_back(concat("--speedup: gate ", name(gate_of(c.skim)), " takes a model for each, got ", c.speedup));
  }
  if (c.dense && comma_separated(*c.dense).empty()) problems.emplace_back("--dense: expected a model folder");
  if (c.start_task && *c.start_task != kNone) {
    try {
      find_split(find_glue_task(*c.start_task), Part::kTrain);
      if (task != nullptr && &find_glue_task(*c.start_task) == task) {
        problems.push_back(concat("--start_task: ", *c.start_task, " is the task itself"));
      }
    } catch (const Error& error) {
      problems.push_back(concat("--start_task: ", error.what()));
    }
  }
  return problems;
}

TrainingJob job_of(const Plan& plan, const Reader& reader, const fs::path& model) {
  const SkimCommand& c = plan.command;
  TrainingSettings settings;
  settings.save_strategy = SaveStrategy::kNo;
  settings.print_metrics = false;
  settings.progress = c.runtime.progress;
  settings.eval_batch = batch_bounds(c.eval_batch, plan.placement.device);
  settings.tensorboard = c.events.has_tensorboard();
  settings.event_folder = c.events.logging_dir;
  settings.deadline = plan.deadline;
  return {.reader = reader,
          .model_folder = model,
          .placement = plan.placement,
          .max_seq_length = c.task.max_seq_length,
          .max_train_samples = c.max_train_samples,
          .max_eval_samples = c.max_eval_samples,
          .report = false,
          .settings = settings,
          .command = plan.invocation.text,
          .flags = c.flags.values()};
}

// The model in a part of the run's folder, which `job_in` trains there unless an earlier start of the run finished it.
template <class JobIn>
fs::path part_model(const OutputFolder& folder, const std::string& part, const JobIn& job_in) {
  const fs::path path = folder.work() / part;
  if (holds_finished_run(path)) {
    info("{}: finished by an earlier start", path.string());
    return path;
  }
  TrainingJob job = job_in(path);
  if (job.settings.event_folder) job.settings.event_folder = *job.settings.event_folder / part;
  OutputFolder part_folder(folder, part);
  run_training_job(job, &part_folder);
  return path;
}

fs::path dense_stage(const Plan& plan, const OutputFolder& folder, const std::string& part, const Reader& reader,
                     const fs::path& model, const Recipe& recipe, std::uint64_t seed) {
  return part_model(folder, part, [&](const fs::path& path) {
    info("{}: a dense model for {} learns from {}", path.string(), reader.task().name, model.string());
    TrainingJob job = job_of(plan, reader, model);
    job.settings.trainer = dense_options(recipe, plan.command.dense_steps, seed);
    return job;
  });
}

bool is_tuned_for(const fs::path& model, const std::string& task) { return load_config(model).finetuning_task == task; }

std::string dense_part(std::int64_t i) { return i == 0 ? kDense : concat(kDense, '-', i + 1); }

std::vector<std::string> parts_of(const Plan& plan) {
  std::vector<std::string> parts;
  if (plan.command.dense) return parts;
  if (!plan.start_task.empty()) parts.emplace_back(kStart);
  if (plan.start_gates) parts.emplace_back(kStartSkimmed);
  for (std::int64_t i = 0; i < plan.command.teachers; ++i) parts.push_back(dense_part(i));
  return parts;
}

// What the dense models start from.
fs::path start_model(const Plan& plan, const OutputFolder& folder) {
  const SkimCommand& c = plan.command;
  const fs::path model = c.task.model;
  if (plan.start_task.empty() || is_tuned_for(model, plan.start_task)) return model;
  const GlueReader reader(plan.start_task, c.task.data_dir);
  return dense_stage(plan, folder, kStart, reader, model, recipe_for(reader.task()), c.seed);
}

std::vector<fs::path> dense_models(const Plan& plan, const OutputFolder& folder, const fs::path& start) {
  const SkimCommand& c = plan.command;
  if (c.dense) return paths_of(*c.dense);
  std::vector<fs::path> models;
  for (std::int64_t i = 0; i < c.teachers; ++i) {
    models.push_back(dense_stage(plan, folder, dense_part(i), plan.reader, start, plan.recipe,
                                 c.seed + static_cast<std::uint64_t>(i)));
  }
  return models;
}

// A stage of the run, for its manifest and the table at its end.
struct Stage {
  std::string name;
  double seconds = 0;
};

std::vector<Stage> finished_stages(const Plan& plan, const OutputFolder& folder) {
  std::vector<Stage> stages;
  for (const std::string& part : parts_of(plan)) {
    const fs::path path = folder.work() / part;
    if (holds_finished_run(path)) stages.push_back({part, run_manifest(path)["seconds"].value("all", 0.0)});
  }
  return stages;
}

nlohmann::json to_json(const std::vector<Stage>& stages) {
  nlohmann::json object = nlohmann::json::object();
  for (const Stage& stage : stages) object[stage.name] = {{"seconds", stage.seconds}};
  return object;
}

void print_outcome(const TrainingOutcome& outcome, const std::vector<double>& speedups, std::vector<Stage> stages,
                   double seconds) {
  const Task& task = outcome.model.task;
  const Evaluation& evaluation = outcome.result.scores.front().evaluation;
  stages.push_back({"skimmed", seconds});
  std::string table = fmt::format("\n{:<14}{:>10}\n", "stage", "seconds");
  for (const Stage& stage : stages) table += fmt::format("{:<14}{:>10.1f}\n", stage.name, stage.seconds);
  const std::size_t width = std::max<std::size_t>(8, task.headline.size()) + 2;
  table += fmt::format("\n{:<10}{:>{}}{:>10}{:>10}\n", "dev", task.headline, width, "MACs", "speed-up");
  const auto add_row = [&](const std::string& name, double score, double share) {
    table += fmt::format("{:<10}{:>{}.2f}{:>9.1f}%{:>9.2f}x\n", name, 100 * score, width, 100 * share, 1 / share);
  };
  add_row("dense", headline(task, outcome.teaching.scores), 1);
  for (std::size_t i = 0; i < speedups.size(); ++i) {
    const std::vector<SplitScore>& scores = outcome.result.at_speedups[i];
    add_row(speedup_text(speedups[i]), headline(task, scores), scores.front().evaluation.mac_share());
  }
  if (speedups.empty()) add_row("skimmed", headline(task, outcome.result.scores), evaluation.mac_share());
  print("{}", table);
  if (outcome.speed) print("\n{}", speed_text(evaluation, *outcome.speed));
}

// The recipe's predictors are narrow, since their own cost is part of the budget, and [CLS] may skip what others may.
SkimSettings predictors_of(const SkimCommand& c, const fs::path& dense) {
  SkimSettings skim = c.skim.settings;
  if (skim.width == 0) skim.width = std::max<std::int64_t>(1, load_config(dense).hidden_size / 12);
  if (!skim.cls && traits(gate_of(c.skim)).can_free_cls) skim.cls = SkimCls::kFree;
  return skim;
}

// From the first of the dense models, or a skimmed one; `work` keeps the teachers' answers.
TrainingJob skim_job(const Plan& plan, const fs::path& work, const std::vector<fs::path>& dense,
                     const std::optional<fs::path>& skimmed) {
  const SkimCommand& c = plan.command;
  TrainingJob job = job_of(plan, plan.reader, skimmed.value_or(dense.front()));
  job.skim = skimmed ? c.skim.settings : predictors_of(c, dense.front());
  job.teacher = {.folders = dense, .cache = work / kTeacherLogits};
  job.distill = plan.distill;
  job.least_tokens = plan.recipe.least_tokens;
  job.settings.trainer = c.skim.trainer;
  job.settings.trainer.dropout = c.skim.dropout;
  job.settings.trainer.max_steps = plan.recipe.steps;
  job.settings.trainer.seed = c.seed;
  const SpeedupRange speedups = trained_speedups(*parse_speedups(c.speedup), gate_of(c.skim));
  job.settings.speedups = speedups;
  job.settings.trainer.skim_target = 1 / (speedups.all.empty() ? speedups.chosen : speedups.all.back());
  if (!speedups.all.empty()) job.settings.trainer.skim_widest = 1 / speedups.all.front();
  if (skimmed) job.settings.trainer.skim_ramp = 0;  // it keeps a budget already
  return job;
}

// The model whose gates the task's own start with, if any.
std::optional<fs::path> gates_model(const Plan& plan, const OutputFolder& folder, const fs::path& start) {
  if (!plan.start_gates) return lent_gates(plan.command);
  const GlueReader reader(plan.start_task, plan.command.task.data_dir);
  return part_model(folder, kStartSkimmed, [&](const fs::path& path) {
    info("{}: a skimmed model for {} learns from {}", path.string(), plan.start_task, start.string());
    return skim_job(start_plan_of(plan, reader), path, {start}, std::nullopt);
  });
}

int run(const SkimCommand& c, const Invocation& invocation) {
  check_is_alone("skim");
  start_runtime(c.runtime, invocation.argv);
  note_unused(c.events);
  const auto deadline = deadline_of(c.time_limit);
  OutputFolder folder(c.output_dir, c.overwrite_output_dir ? EarlierRun::kReplace : EarlierRun::kContinue);
  const std::unique_ptr<Reader> reader = training_reader(c.task, c.seed);
  Plan plan = plan_of(c, invocation, *reader);
  plan.placement = placement_of(c.runtime);
  plan.deadline = deadline;
  Manifest manifest(invocation.text, c.flags.values(), c.seed, plan.placement.device);
  std::vector<std::string> parts = parts_of(plan);
  std::ranges::move(job_of(plan, *reader, c.task.model).settings.parts(), std::back_inserter(parts));
  folder.begin_run(manifest, parts, {c.task.model, lent_gates(c).value_or("")});
  const fs::path start = start_model(plan, folder);
  const std::vector<fs::path> dense = dense_models(plan, folder, start);
  const std::optional<fs::path> gates = gates_model(plan, folder, start);
  const std::vector<Stage> stages = finished_stages(plan, folder);
  info("{}: a skimmed model learns from {}{} to do with {} times fewer multiply-accumulates", folder.work().string(),
       dense.front().string(), gates ? ", with the gates of " + gates->string() + "," : "", c.speedup);
  TrainingJob job = skim_job(plan, folder.work(), dense, gates);
  job.report = c.report;
  job.stages = to_json(stages);
  const TrainingOutcome outcome = run_training_job(job, &folder);
  const SpeedupRange& speedups = job.settings.speedups;
  print_outcome(outcome, speedups.all, stages, run_manifest(folder.path())["seconds"].value("all", 0.0));
  info("wrote {}{}", folder.path().string(),
       speedups.all.empty()
           ? ""
           : fmt::format(", left at {}; --speedup of eval, predict and bench chooses another from {} to {}",
                         speedup_text(speedups.chosen), speedup_text(speedups.all.front()),
                         speedup_text(speedups.all.back())));
  return 0;
}

}  // namespace

Command add_skim(CLI::App& program, const Invocation& invocation) {
  auto command = std::make_shared<SkimCommand>(program);
  command->flags.contradictions([c = command.get()] { return contradictions(*c); });
  return {&command->flags, [command, invocation] { return run(*command, invocation); }};
}

}  // namespace tk
