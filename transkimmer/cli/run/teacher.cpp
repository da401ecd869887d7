#include "transkimmer/cli/run/teacher.h"

#include <fmt/format.h>

#include <chrono>

#include "tensor/error.h"
#include "transkimmer/cli/run/log.h"

namespace tk {
namespace {

// The same examples as another model's tokenizer cuts them.
TaskSplit retokenized(const TaskSplit& split, const TaskModel& model, std::int64_t max_length) {
  TaskSplit result = split;
  result.tokenized = tokenize_examples(model.tokenizer, split.examples, max_length);
  return result;
}

Teaching listen(const BertClassifier& teacher, const GlueTask& task, const TaskSplit& train,
                const std::vector<TaskSplit>& dev, const ScoringOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  Teaching teaching;
  teaching.logits = evaluate_split(teacher, task, train, options).logits;
  teaching.scores = score_all(teacher, task, dev, options);
  teaching.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return teaching;
}

void introduce(const std::string& who, const GlueTask& task, Teaching& teaching) {
  teaching.who = who;
  const std::string score =
      teaching.scores.empty() ? "" : fmt::format(" (dev {} {:.4f})", task.headline, headline(task, teaching.scores));
  info("teacher: {}{}; its logits took {:.1f} s", who, score, teaching.seconds);
}

}  // namespace

Teaching teach(const TeacherChoice& choice, const GlueTask& task, const TaskModel& start, const TaskSplit& train,
               const std::vector<TaskSplit>& dev, const ScoringOptions& options, std::int64_t max_length) {
  if (choice.folder) {
    const TaskModel teacher = load_for_scoring(*choice.folder, task, true);
    teacher.model->place(start.model->device(), start.model->compute_dtype());
    const std::int64_t length = fitting_length(teacher, max_length);
    std::vector<TaskSplit> own_dev;
    for (const TaskSplit& split : dev) own_dev.push_back(retokenized(split, teacher, length));
    Teaching teaching = listen(*teacher.model, task, retokenized(train, teacher, length), own_dev, options);
    introduce(*choice.folder, task, teaching);
    return teaching;
  }
  if (!choice.by_default) return {};
  if (!start.was_dense || !start.fine_tuned) {
    info("no teacher: {} is not a dense model fine-tuned for {}; scores are better when it is, or with --teacher",
         start.folder.string(), task.name);
    return {};
  }
  Teaching teaching = listen(*dense_twin(*start.model), task, train, dev, options);
  introduce("the starting model", task, teaching);
  return teaching;
}

}  // namespace tk
