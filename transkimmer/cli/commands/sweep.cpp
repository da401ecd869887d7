#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <memory>
#include <set>
#include <utility>

#include "data/glue_task.h"
#include "tensor/error.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/in_quotes.h"
#include "tensor/threads.h"
#include "transkimmer/checkpoint.h"
#include "transkimmer/cli/commands/commands.h"
#include "transkimmer/cli/commands/skim_flags.h"
#include "transkimmer/cli/report/sweep_report.h"
#include "transkimmer/cli/run/batch_flags.h"
#include "transkimmer/cli/run/event_log.h"
#include "transkimmer/cli/run/job_pool.h"
#include "transkimmer/cli/run/job_runner.h"
#include "transkimmer/cli/run/log.h"
#include "transkimmer/cli/run/manifest.h"
#include "transkimmer/cli/run/output_folder.h"
#include "transkimmer/cli/run/print.h"
#include "transkimmer/cli/run/ranks.h"
#include "transkimmer/cli/run/run_files.h"
#include "transkimmer/cli/run/runtime.h"
#include "transkimmer/cli/run/signals.h"
#include "transkimmer/cli/run/sweep_jobs.h"
#include "transkimmer/cli/run/sweep_results.h"
#include "transkimmer/cli/run/task_flags.h"
#include "transkimmer/cli/run/time_limit.h"

namespace tk {
namespace fs = std::filesystem;
namespace {

using Arguments = std::vector<std::string>;
using Clock = std::chrono::steady_clock;

struct SweepCommand {
  explicit SweepCommand(CLI::App& program);

  Flags flags;
  RuntimeFlags runtime;
  RankFlags ranks;
  TaskFlags task;
  std::string tasks;
  std::vector<double> speedups = {2, 3, 4, 5};
  std::string seeds = "42";
  std::string output_dir;
  std::int64_t jobs = 0;
  std::int64_t max_train_samples = -1;
  std::int64_t max_eval_samples = -1;
  BatchFlags eval_batch;
  EventFlags events;
  std::optional<std::string> time_limit;
  std::int64_t speed_samples = 256;
  std::int64_t dense_steps = -1;
  SkimFlags skim;
  DistillFlags distill;
};

// Flags of the sweep itself; `skim` has all others, and gets those that are given.
constexpr const char* kOwnFlags[] = {"task_name",    "tasks",        "speedups",    "seeds",       "model_name_or_path",
                                     "output_dir",   "jobs",         "progress",    "dense_steps", "speed_samples",
                                     "threads",      "report_to",    "logging_dir", "time_limit",  "ranks",
                                     "rank_timeout", "log_all_ranks"};
// Flags that `train` and `eval` have, too.
constexpr const char* kCommonFlags[] = {"data_dir",
                                        "train_file",
                                        "validation_file",
                                        "test_file",
                                        "text_columns",
                                        "label_column",
                                        "problem_type",
                                        "max_seq_length",
                                        "max_eval_samples",
                                        "per_device_eval_batch_size",
                                        "per_device_eval_batch_tokens",
                                        "device",
                                        "dtype",
                                        "queues",
                                        "cpu_isa",
                                        "blas_coretype"};

SweepCommand::SweepCommand(CLI::App& program)
    : flags(program, "sweep", "score against cost: skimmed models for tasks, budgets and seeds; tables and pictures") {
  add_task_flags(flags, task);
  flags.group("Sweep");
  flags.add("--tasks", tasks,
            "GLUE tasks, with commas between: cola,sst2,mrpc,stsb,qqp,mnli,qnli,rte,wnli; all: those in --data_dir",
            "TASKS");
  flags.add("--speedups", speedups,
            "budgets, with commas between: a dense model's multiply-accumulates over the skimmed one's, 1 to 100 "
            "(default: 2,3,4,5)");
  flags.add("--seeds", seeds, "of everything random, with commas between", "SEEDS");
  flags
      .add("--output_dir", output_dir,
           "folder to write to; new, empty, or with this sweep, which goes on there, with more tasks, speed-ups and "
           "seeds if you like",
           "DIR")
      .required();
  flags
      .add("--jobs", jobs,
           "processes side by side at most, of each rank where there are several, which share the cores unless "
           "--threads says how many each has; 0: 1 on the CPU, 4 on cuda")
      .range(0, 256);
  flags
      .add("--speed_samples", speed_samples,
           "dev sentences on which each model is timed beside the dense one, alone, when all are trained; 0: none")
      .at_least(0);
  flags.add("--max_train_samples", max_train_samples, "train on the first N examples; -1: all").at_least(-1);
  flags.add("--max_eval_samples", max_eval_samples, "score the first N dev examples; -1: all").at_least(-1);
  add_batch_flags(flags, eval_batch, "--per_device_eval_batch_size", "--per_device_eval_batch_tokens");
  add_time_limit_flag(flags, time_limit);
  add_event_flags(flags, events, "folder for that, in which each model gets one (default MODEL/runs/TIME_HOST)");
  flags.add("--dense_steps", dense_steps, "steps of each dense model, in place of the recipe's epochs; -1: not set")
      .at_least(-1);
  add_skim_flags(flags, skim);
  add_distill_flags(flags, distill, kRecipeDistillDefaults);
  add_runtime_flags(flags, runtime);
  add_rank_flags(flags, ranks);
  flags.footer(
      "Runs this program's own commands, each as a process of its own: `train` for a dense model of each task and\n"
      "seed, `skim --dense` for one that serves all speed-ups (with the layer gate one for each), and `eval` for the "
      "time of each. What a model starts "
      "from is trained once "
      "a\n"
      "seed, too: the recipe has RTE, MRPC, STS-B and WNLI start from MNLI, and RTE and MRPC skim from its skimmed\n"
      "model. --output_dir gets a folder for each model (rte-dense-42/, rte-2-4x-42/ ...), logs/ with what each "
      "process\n"
      "said, sweep_results.json and report.html; the tables go to standard output. Files of your own are one task;\n"
      "--test_file is scored, too. A sweep that was stopped, or of which something failed, goes on when the same "
      "command\n"
      "is given again: what is finished is not done again.\n"
      "  transkimmer sweep --tasks cola,rte --speedups 2,3,4,5 --seeds 42,1,2 --data_dir glue "
      "--model_name_or_path minilm \\\n"
      "    --output_dir sweep --jobs 4");
}

// What is asked for, and what is wrong with it.

std::optional<std::uint64_t> seed_in(const std::string& text) {
  std::uint64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (error != std::errc() || end != text.data() + text.size() || seed == 0) return std::nullopt;
  return seed;
}

std::string problem_of_task(const std::string& name, const fs::path& data_dir) {
  try {
    const GlueTask& task = find_glue_task(name);
    for (const Part part : {Part::kTrain, Part::kDev}) {
      if (!has_file(task, part, data_dir)) find_split_file(task, find_split(task, part), data_dir);
    }
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

template <class T>
void note_repeats(const std::string& flag, const std::vector<T>& values, std::vector<std::string>& problems) {
  std::set<T> seen, told;
  for (const T& value : values) {
    if (!seen.insert(value).second && told.insert(value).second) {
      problems.push_back(concat(flag, ": ", value, " is there more than once"));
    }
  }
}

// Those of GLUE that can be trained and scored with what is there.
std::vector<std::string> tasks_in(const fs::path& data_dir) {
  std::vector<std::string> names;
  for (const GlueTask& task : glue_tasks()) {
    if (problem_of_task(task.task.name, data_dir).empty()) names.push_back(task.task.name);
  }
  return names;
}

std::vector<std::string> glue_tasks_of(const SweepCommand& c, std::vector<std::string>& problems) {
  if (c.tasks == "all") {
    std::vector<std::string> names = tasks_in(c.task.data_dir);
    if (names.empty()) problems.push_back(concat("--tasks: ", c.task.data_dir, " has no task with train and dev rows"));
    return names;
  }
  std::vector<std::string> names;
  for (const std::string& name : comma_separated(c.tasks)) {
    const std::string problem = problem_of_task(name, c.task.data_dir);
    problem.empty() ? names.push_back(find_glue_task(name).task.name) : problems.push_back("--tasks: " + problem);
  }
  if (comma_separated(c.tasks).empty()) problems.emplace_back("--tasks: expected a task");
  return names;
}

// One for all speed-ups, or where the gate does not serve several one for each.
std::vector<std::vector<double>> models_of(const SweepCommand& c) {
  std::vector<double> speedups = c.speedups;
  std::ranges::sort(speedups);
  if (traits(gate_of(c.skim)).serves_speedups) return {speedups};
  std::vector<std::vector<double>> models;
  for (const double speedup : speedups) models.push_back({speedup});
  return models;
}

SweepGrid grid_of(const SweepCommand& c, std::vector<std::string>& problems) {
  SweepGrid grid{.tasks = {}, .models = models_of(c), .seeds = {}};
  grid.tasks = c.task.has_own_files() ? std::vector{own_name(c.task)} : glue_tasks_of(c, problems);
  std::vector<std::string> speedups;
  for (const double speedup : c.speedups) {
    speedups.push_back(fmt::format("{:g}", speedup));
    if (!(speedup >= 1 && speedup <= 100)) {
      problems.push_back(concat("--speedups: expected numbers from 1 to 100, got ", speedup));
    }
  }
  for (const std::string& text : comma_separated(c.seeds)) {
    const std::optional<std::uint64_t> seed = seed_in(text);
    if (seed) grid.seeds.push_back(*seed);
    if (!seed) problems.push_back(concat("--seeds: expected integers of at least 1, got ", in_quotes(text)));
  }
  note_repeats("--tasks", grid.tasks, problems);
  note_repeats("--speedups", speedups, problems);
  note_repeats("--seeds", grid.seeds, problems);
  if (comma_separated(c.seeds).empty()) problems.emplace_back("--seeds: expected a seed");
  return grid;
}

// The rows: tasks of GLUE by --tasks, or one of own files. Rows held out would be others with each seed.
std::vector<std::string> problems_of_rows(const SweepCommand& c) {
  if (c.task.has_own_files()) {
    std::vector<std::string> problems = task_problems(c.task, Part::kTrain);
    if (!c.tasks.empty()) problems.emplace_back("--tasks: these are of GLUE; files of your own are one task");
    if (!c.task.validation_file) problems.emplace_back("--validation_file: expected rows to score, the same for all");
    return problems;
  }
  std::vector<std::string> problems;
  if (!c.task.task_name.empty()) problems.emplace_back("--task_name: tasks of GLUE are named by --tasks");
  if (c.task.data_dir.empty()) problems.emplace_back("--data_dir: expected the folder that holds CoLA/, SST-2/ ...");
  return problems;
}

// What is asked for, and of own files what their labels say.
struct Plan {
  SweepGrid grid = {};
  std::optional<Task> own_task = {};
  const Task& task(const std::string& name) const { return own_task ? *own_task : find_glue_task(name).task; }
};

Plan checked_plan(const SweepCommand& c) {
  std::vector<std::string> problems = problems_of_rows(c);
  Plan plan{.grid = grid_of(c, problems)};
  try {
    load_config(c.task.model);
  } catch (const Error& error) {
    problems.push_back(concat("--model_name_or_path: ", error.what()));
  }
  for (std::string& problem : skim_problems(c.skim)) problems.push_back(std::move(problem));
  if (c.task.has_own_files()) {
    check_usage(problems);
    plan.own_task = training_reader(c.task, plan.grid.seeds.front())->task();
  }
  for (const std::string& task : plan.grid.tasks) {
    for (std::string& problem : distill_problems(distill_job(c.distill, c.task.data_dir, 1), plan.task(task))) {
      if (std::ranges::find(problems, problem) == problems.end()) problems.push_back(std::move(problem));
    }
  }
  check_usage(problems);
  return plan;
}

// The sweep's jobs, and how each is run.

Arguments operator+(Arguments a, const Arguments& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

std::string name_in(const std::string& argument) { return argument.substr(2, argument.find('=') - 2); }

using Speedup = std::optional<double>;  // none: dense

// What a model is asked at, one after another.
std::vector<Speedup> points_of(const SweepJob& job) {
  if (job.speedups.empty()) return {std::nullopt};
  return {job.speedups.begin(), job.speedups.end()};
}

// "rte-2-4x-42", or "rte-2-4x-42-at-4x" of one for several.
std::string measured_name(const SweepJob& job, Speedup at) {
  return job.speedups.size() < 2 ? job.name() : concat(job.name(), "-at-", speedup_text(*at));
}

class Sweep {
 public:
  // `threads`: of a process beside others.
  Sweep(const SweepCommand& command, const Plan& plan, fs::path folder, std::int64_t threads)
      : c_(command),
        plan_(plan),
        folder_(std::move(folder)),
        threads_(threads),
        jobs_(sweep_jobs(plan.grid, start_of(command))) {
    for (const std::string& argument : c_.flags.arguments()) {
      const std::string name = name_in(argument);
      if (std::ranges::find(kOwnFlags, name) == std::end(kOwnFlags)) skim_.push_back(argument);
      if (std::ranges::find(kCommonFlags, name) != std::end(kCommonFlags)) common_.push_back(argument);
    }
  }

  const std::vector<SweepJob>& jobs() const { return jobs_; }
  const SweepCommand& command() const { return c_; }
  const Task& task(const SweepJob& job) const { return plan_.task(job.task); }
  // Not what others start from and nobody asked for.
  bool shows(const SweepJob& job) const {
    return std::ranges::find(plan_.grid.tasks, job.task) != plan_.grid.tasks.end();
  }
  fs::path folder(const SweepJob& job) const { return folder_ / job.name(); }
  fs::path log(const SweepJob& job) const { return folder_ / kLogs / (job.name() + ".log"); }
  fs::path speed(const SweepJob& job, Speedup at) const { return folder_ / kLogs / (measured_name(job, at) + ".json"); }
  fs::path test(const SweepJob& job, Speedup at) const {
    return folder_ / kLogs / (measured_name(job, at) + "-test.json");
  }

  Arguments training(const SweepJob& job) const {
    return (job.speedups.empty() ? fine_tuning(job) : skimming(job)) + watched(job);
  }

  Arguments timing(const SweepJob& job, Speedup at) const {
    return began("eval", job, c_.runtime.threads) + common_ + chosen(job, at) +
           Arguments{"--model_name_or_path=" + folder(job).string(), "--json",
                     concat("--speed_samples=", c_.speed_samples)};
  }

  Arguments testing(const SweepJob& job, Speedup at) const {
    Arguments of_test = common_;
    std::erase_if(of_test, [](const std::string& argument) { return name_in(argument) == "validation_file"; });
    return began("eval", job, threads_) + of_test + chosen(job, at) +
           Arguments{"--model_name_or_path=" + folder(job).string(), "--json", "--speed_samples=0"};
  }

 private:
  static std::function<SweepStart(const std::string&)> start_of(const SweepCommand& c) {
    return [&c, tuned = load_config(c.task.model).finetuning_task](const std::string& task) -> SweepStart {
      if (c.task.has_own_files()) return {};
      const Recipe recipe = recipe_for(find_glue_task(task).task);
      const std::string start = start_task_with_rows(recipe, c.task.data_dir);
      return {.task = start, .is_there = start == tuned, .gates = recipe.start_gates && !start.empty()};
    };
  }

  Arguments began(const std::string& command, const SweepJob& job, std::int64_t threads) const {
    return {command, "--task_name=" + job.task, concat("--threads=", threads), "--progress=off"};
  }

  // Where training is watched.
  Arguments watched(const SweepJob& job) const {
    if (!c_.events.has_tensorboard()) return {};
    Arguments arguments = {"--report_to=tensorboard"};
    if (c_.events.logging_dir) {
      arguments.push_back("--logging_dir=" + (fs::path(*c_.events.logging_dir) / job.name()).string());
    }
    return arguments;
  }

  // Which of a model's speed-ups an evaluation is at.
  static Arguments chosen(const SweepJob& job, Speedup at) {
    if (job.speedups.size() < 2) return {};
    return {fmt::format("--speedup={}", *at)};
  }

  Arguments fine_tuning(const SweepJob& job) const {
    const TrainerOptions options = dense_options(recipe_for(task(job)), c_.dense_steps, job.seed);
    return began("train", job, threads_) + common_ +
           Arguments{"--model_name_or_path=" + start(job),
                     "--output_dir=" + folder(job).string(),
                     "--report=false",
                     "--save_strategy=no",
                     concat("--max_train_samples=", c_.max_train_samples),
                     concat("--per_device_train_batch_size=", options.batch_size),
                     fmt::format("--learning_rate={}", options.learning_rate),
                     fmt::format("--num_train_epochs={}", options.epochs),
                     concat("--max_steps=", options.max_steps),
                     concat("--min_steps=", options.least_steps),
                     fmt::format("--warmup_steps={}", options.warmup),
                     concat("--seed=", job.seed)};
  }

  // What a job starts from: the model that it needs, or the checkpoint.
  std::string start(const SweepJob& job) const {
    return job.needs.empty() ? c_.task.model : folder(jobs_[job.needs.front()]).string();
  }

  Arguments skimming(const SweepJob& job) const {
    Arguments gates;
    if (job.needs.size() > 1) gates = {"--skimmed=" + folder(jobs_[job.needs[1]]).string()};
    return began("skim", job, threads_) + skim_ + gates +
           Arguments{"--dense=" + start(job), "--output_dir=" + folder(job).string(), "--report=false",
                     fmt::format("--speedup={}", fmt::join(job.speedups, ",")), concat("--seed=", job.seed)};
  }

  const SweepCommand& c_;
  const Plan& plan_;
  fs::path folder_;
  std::int64_t threads_;
  std::vector<SweepJob> jobs_;
  Arguments skim_, common_;  // flags that are handed on
};

// The jobs that make the models, and `is_done` those that an earlier start finished.
std::vector<Job> training_jobs(const Sweep& sweep) {
  std::vector<Job> jobs;
  for (const SweepJob& job : sweep.jobs()) {
    jobs.push_back({.name = job.name(),
                    .kind = job.speedups.empty() ? job.task : "skimmed",
                    .arguments = sweep.training(job),
                    .log = sweep.log(job),
                    .needs = job.needs,
                    .is_done = holds_finished_run(sweep.folder(job)),
                    .stops_in_time = true});
  }
  return jobs;
}

JobsEnded train_models(const Sweep& sweep, JobPool& pool, std::optional<Clock::time_point> deadline) {
  const std::vector<Job> jobs = training_jobs(sweep);
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    if (jobs[i].is_done) continue;
    for (const Speedup at : points_of(sweep.jobs()[i])) {
      fs::remove(sweep.speed(sweep.jobs()[i], at));  // of a model that is there no more
      fs::remove(sweep.test(sweep.jobs()[i], at));
    }
  }
  const auto done = std::ranges::count_if(jobs, &Job::is_done);
  if (done > 0) info("{} of {} models are there from an earlier start", done, jobs.size());
  info("{} models to train, {} side by side", std::ssize(jobs) - done, pool.room());
  return run_jobs(jobs, pool, pool.room(), sweep.command().runtime.progress, deadline);
}

// Scores the models that are there on the test file of one's own data.
JobsEnded test_models(const Sweep& sweep, JobPool& pool, const std::vector<bool>& is_there) {
  if (!sweep.command().task.test_file) return {};
  std::vector<Job> jobs;
  for (std::size_t i = 0; i < sweep.jobs().size(); ++i) {
    const SweepJob& job = sweep.jobs()[i];
    if (!is_there[i]) continue;
    for (const Speedup at : points_of(job)) {
      if (fs::exists(sweep.test(job, at))) continue;
      jobs.push_back({.name = measured_name(job, at) + ", tested",
                      .arguments = sweep.testing(job, at),
                      .log = sweep.log(job),
                      .output = sweep.test(job, at)});
    }
  }
  if (jobs.empty()) return {};
  info("{} models to score on {}", jobs.size(), *sweep.command().task.test_file);
  return run_jobs(jobs, pool, pool.room(), sweep.command().runtime.progress);
}

// Times the skimmed models that are there, one after another: beside others time says nothing.
JobsEnded time_models(const Sweep& sweep, JobPool& pool, const std::vector<bool>& is_there) {
  std::vector<Job> jobs;
  for (std::size_t i = 0; i < sweep.jobs().size(); ++i) {
    const SweepJob& job = sweep.jobs()[i];
    if (!is_there[i] || !sweep.shows(job) || job.speedups.empty()) continue;
    for (const Speedup at : points_of(job)) {
      if (fs::exists(sweep.speed(job, at))) continue;
      jobs.push_back({.name = measured_name(job, at) + ", timed",
                      .arguments = sweep.timing(job, at),
                      .log = sweep.log(job),
                      .output = sweep.speed(job, at)});
    }
  }
  if (jobs.empty() || sweep.command().speed_samples == 0) return {};
  info("{} models to time, each alone", jobs.size());
  return run_jobs(jobs, pool, 1, sweep.command().runtime.progress);
}

// What came of the jobs that are done.
std::vector<SweepRun> read_runs(const Sweep& sweep, const SweepGrid& grid, const std::vector<bool>& is_there,
                                std::vector<JobFailure>& failures) {
  std::vector<SweepRun> runs;
  for (std::size_t i = 0; i < sweep.jobs().size(); ++i) {
    const SweepJob& job = sweep.jobs()[i];
    if (!is_there[i] || !sweep.shows(job)) continue;
    try {
      for (const Speedup at : points_of(job)) {
        runs.push_back(
            read_sweep_run(job, at, sweep.task(job),
                           {.run = sweep.folder(job), .speed = sweep.speed(job, at), .test = sweep.test(job, at)}));
      }
    } catch (const Error& error) {
      failures.push_back({job.name(), error.what()});
    }
  }
  std::ranges::stable_sort(runs, {}, [&](const SweepRun& run) { return std::ranges::find(grid.tasks, run.task.name); });
  set_dense_scores(runs);
  return runs;
}

// The models that this start and earlier ones finished, of a sweep that is stopped.
std::vector<bool> finished_models(const Sweep& sweep) {
  std::vector<bool> is_there;
  for (const SweepJob& job : sweep.jobs()) is_there.push_back(holds_finished_run(sweep.folder(job)));
  return is_there;
}

// Tables, JSON and page of the models that are there, if any.
void show_runs(const Sweep& sweep, const SweepGrid& grid, const std::vector<bool>& is_there, const fs::path& folder,
               const Manifest& manifest, std::vector<JobFailure>& failures) {
  const std::vector<SweepRun> runs = read_runs(sweep, grid, is_there, failures);
  if (runs.empty()) return;
  const std::vector<SweepTable> tables = sweep_tables(runs);
  write_file_atomically(folder / kSweepResults, sweep_json(runs).dump(2) + '\n');
  write_report((folder / "report.html").string(), make_sweep_report(tables, manifest.json()));
  print("{}", sweep_text(tables));
}

void say_failures(const std::vector<JobFailure>& failures, std::int64_t left_out) {
  if (failures.empty()) return;
  for (const JobFailure& failure : failures) warn("{}: {}", failure.name, failure.text);
  throw Error(concat(failures.size(), failures.size() == 1 ? " process" : " processes", " failed",
                     left_out > 0 ? concat(", and ", left_out, " models that need them were not begun") : "",
                     ", the first was ", failures.front().name, ": ", failures.front().text));
}

// Of the cores of this rank, what each of so many processes has unless --threads says it; 0: all.
std::int64_t threads_beside(const SweepCommand& c, const RuntimeFlags& share, std::int64_t processes) {
  if (c.runtime.threads > 0 || processes == 1) return share.threads;
  return std::max<std::int64_t>(1, (share.threads > 0 ? share.threads : num_threads()) / processes);
}

// Of several ranks the first, which alone writes, or a process alone.
int run_first(const SweepCommand& c, const Plan& plan, const Invocation& invocation, const RuntimeFlags& share,
              Communicator& ranks) {
  const SweepGrid& grid = plan.grid;
  const auto deadline = deadline_of(c.time_limit);
  const Device device = placement_of(c.runtime).device;
  const Arguments gpus = starts_ranks(c.ranks) ? gpus_of_ranks(c.ranks, device) : Arguments();
  const std::int64_t jobs = c.jobs > 0 ? c.jobs : device == Device::kCpu ? 1 : 4;
  JobPool pool(ranks, jobs, gpus);
  OutputFolder folder(c.output_dir, EarlierRun::kExtend);
  const Sweep sweep(c, plan, folder.work(),
                    threads_beside(c, share, jobs * std::max<std::int64_t>(1, std::ssize(gpus))));
  Manifest manifest(invocation.text, c.flags.values(), grid.seeds.front(), device);
  std::vector<std::string> parts = {kLogs};
  for (const SweepJob& job : sweep.jobs()) parts.push_back(job.name());
  folder.begin_run(manifest, parts, {c.task.model});
  fs::create_directories(folder.work() / kLogs);

  const auto seconds_since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  JobsEnded trained;
  std::vector<JobFailure> failures;
  try {
    Clock::time_point start = Clock::now();
    trained = train_models(sweep, pool, deadline);
    manifest.add_duration("models", seconds_since(start));
    start = Clock::now();
    const JobsEnded tested = test_models(sweep, pool, trained.is_good);
    const JobsEnded timed = time_models(sweep, pool, trained.is_good);
    manifest.add_duration("timing", seconds_since(start));
    for (const JobsEnded& ended : {trained, tested, timed}) {
      failures.insert(failures.end(), ended.failures.begin(), ended.failures.end());
    }
  } catch (const Interrupted&) {
    show_runs(sweep, grid, finished_models(sweep), folder.work(), manifest, failures);
    pool.finish();
    throw;
  }
  show_runs(sweep, grid, trained.is_good, folder.work(), manifest, failures);
  pool.finish();
  say_failures(failures, trained.left_out);
  folder.finish_run(manifest);
  info("wrote {}", folder.path().string());
  return 0;
}

int run(const SweepCommand& c, const Invocation& invocation) {
  const Plan plan = checked_plan(c);
  catch_stop_signals();
  note_unused(c.events);
  RuntimeFlags share = c.runtime;
  take_share_of_host(share);
  const std::unique_ptr<Communicator> ranks = meet_ranks(c.ranks, Device::kCpu);
  if (ranks->is_first()) return run_first(c, plan, invocation, share, *ranks);
  serve_jobs(*ranks);
  return 0;
}

}  // namespace

Command add_sweep(CLI::App& program, const Invocation& invocation) {
  auto command = std::make_shared<SweepCommand>(program);
  return {&command->flags, [command, invocation] { return run(*command, invocation); }};
}

}  // namespace tk
