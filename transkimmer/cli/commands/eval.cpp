#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "data/reader.h"
#include "tensor/error.h"
#include "transkimmer/cli/commands/commands.h"
#include "transkimmer/cli/run/batch_flags.h"
#include "transkimmer/cli/run/evaluation_progress.h"
#include "transkimmer/cli/run/log.h"
#include "transkimmer/cli/run/print.h"
#include "transkimmer/cli/run/ranks.h"
#include "transkimmer/cli/run/results.h"
#include "transkimmer/cli/run/runtime.h"
#include "transkimmer/cli/run/speed.h"
#include "transkimmer/cli/run/speedup_flag.h"
#include "transkimmer/cli/run/task_flags.h"
#include "transkimmer/cli/run/task_splits.h"

namespace tk {
namespace {

struct EvalCommand {
  explicit EvalCommand(CLI::App& program) : flags(program, "eval", "score a model on the dev set, and count its cost") {
    add_task_flags(flags, task);
    flags.group("Evaluation");
    add_batch_flags(flags, batch, "--per_device_eval_batch_size", "--per_device_eval_batch_tokens");
    add_exact_transforms_flag(flags, exact_transforms);
    flags.add("--max_eval_samples", max_eval_samples, "score the first N examples; -1: all").at_least(-1);
    flags
        .add("--speed_samples", speed_samples,
             "sentences on which the model is timed beside the dense one with its weights; 0: not")
        .at_least(0);
    add_speedup_flag(flags, speedup);
    flags
        .add("--skim_cost", skim_cost,
             "first move the gates' threshold so that the dev set costs this share of the dense model's MACs")
        .range(0.01, 1);
    flags.add("--json", json, "one JSON object on standard output instead of tables");
    add_runtime_flags(flags, runtime);
    add_rank_flags(flags, ranks);
  }

  Flags flags;
  TaskFlags task;
  RuntimeFlags runtime;
  RankFlags ranks;
  BatchFlags batch;
  bool exact_transforms = true;
  std::int64_t max_eval_samples = -1;
  std::int64_t speed_samples = 256;
  std::optional<double> speedup;
  std::optional<double> skim_cost;
  bool json = false;
};

int run(EvalCommand& c, const Invocation& invocation) {
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
  const std::vector<Split> dev =
      load_labelled(*reader, scored_part(c.task), model,
                    {.max_length = told_length(model, c.task.max_seq_length), .limit = c.max_eval_samples});
  const BatchBounds batch = batch_bounds(c.batch, placement.device);
  const EvaluationOptions options{.batch_size = batch.sentences,
                                  .max_tokens = batch.tokens,
                                  .queues = placement.queues,
                                  .exact_transforms = c.exact_transforms,
                                  .ranks = ranks.get(),
                                  .progress = evaluation_progress(c.runtime.progress, ranks->size() == 1)};
  if (c.skim_cost) {
    TK_CHECK(model.model->config().skim_gate != SkimGate::kNone, "--skim_cost: ", c.task.model,
             " has no skim predictors");
    fit_skim_threshold(*model.model, task, dev.front(), *c.skim_cost, options);
    info("skim threshold {:.3f}", model.model->config().skim_threshold);
  }
  const std::vector<SplitScore> scores = score_all(*model.model, task, dev, options);
  if (!ranks->is_first()) return 0;
  warn_of_undefined(scores);
  nlohmann::json results = eval_results(scores);
  const Evaluation& evaluation = scores.front().evaluation;
  std::optional<SpeedComparison> speed;
  if (c.speed_samples > 0) {
    speed = compare_speed(*model.model, task, dev.front(), model.tokenizer.vocabulary().pad().value_or(0),
                          {.batch = batch,
                           .queues = placement.queues,
                           .exact_transforms = c.exact_transforms,
                           .most_sentences = c.speed_samples,
                           .progress = c.runtime.progress});
    results.update(speed_results(*speed));
  }
  if (c.json) {
    results["eval_layers"] = layers_json(evaluation);
    print("{}\n", results.dump());
    return 0;
  }
  const bool staged = model.model->config().skim_gate == SkimGate::kStaged;
  print("{}\n{}", metrics_text("eval metrics", results), layers_text(evaluation, staged));
  if (speed) print("\n{}", speed_text(evaluation, *speed));
  return 0;
}

}  // namespace

Command add_eval(CLI::App& program, const Invocation& invocation) {
  auto command = std::make_shared<EvalCommand>(program);
  command->flags.contradictions([c = command.get()] {
    std::vector<std::string> problems = task_problems(c->task, Part::kDev);
    if (c->speedup && c->skim_cost) problems.emplace_back("--skim_cost: moves the threshold that --speedup chooses");
    return problems;
  });
  return {&command->flags, [command, invocation] { return run(*command, invocation); }};
}

}  // namespace tk
