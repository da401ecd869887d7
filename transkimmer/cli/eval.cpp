#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>

#include "transkimmer/cli/commands.h"
#include "transkimmer/cli/runtime.h"
#include "transkimmer/cli/scoring.h"
#include "transkimmer/cli/task_flags.h"
#include "transkimmer/cli/task_model.h"

namespace tk {
namespace {

struct EvalCommand {
  explicit EvalCommand(CLI::App& program) : flags(program, "eval", "score a model on the dev set, and count its cost") {
    add_task_flags(flags, task);
    flags.group("Evaluation");
    flags.add("--per_device_eval_batch_size", batch_size, "sentences of a batch").at_least(1);
    flags.add("--max_eval_samples", max_eval_samples, "score the first N examples; -1: all");
    flags.add("--json", json, "one JSON object on standard output instead of tables");
    add_runtime_flags(flags, runtime);
  }

  Flags flags;
  TaskFlags task;
  RuntimeFlags runtime;
  std::int64_t batch_size = 32;
  std::int64_t max_eval_samples = -1;
  bool json = false;
};

int run(const EvalCommand& c, const Invocation& invocation) {
  start_runtime(c.runtime, invocation.argv);
  const GlueTask& task = find_task(c.task.task_name);
  const TaskModel model = load_for_scoring(c.task.model, task);
  check_fits(model, c.task.max_seq_length);
  const std::vector<TaskSplit> dev =
      load_dev(task, c.task.data_dir, model.tokenizer, c.task.max_seq_length, c.max_eval_samples);
  const std::vector<SplitScore> scores =
      score_all(*model.model, task, dev, {.batch_size = c.batch_size, .progress = c.runtime.progress_mode()});
  const nlohmann::json results = eval_results(scores);
  if (c.json) {
    fmt::print("{}\n", results.dump());
    return 0;
  }
  fmt::print("{}\n{}", metrics_text("eval metrics", results),
             layers_text(scores.front().evaluation, model.model->config().skim_gate == SkimGate::kStaged));
  return 0;
}

}  // namespace

Command add_eval(CLI::App& program, const Invocation& invocation) {
  auto command = std::make_shared<EvalCommand>(program);
  return {&command->flags.command(), [command, invocation] { return run(*command, invocation); }};
}

}  // namespace tk
