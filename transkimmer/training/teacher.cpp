#include "transkimmer/training/teacher.h"

#include <chrono>
#include <utility>

#include "tensor/error.h"
#include "tensor/ops/join.h"

namespace tk {
namespace {

// The same examples as another model's tokenizer cuts them. In a task of tokens it must cut them alike: a teacher's
// logits are those of its own tokens.
Split retokenized(const Split& split, const TaskModel& model, std::int64_t max_length) {
  Split own = split;
  tokenize(own, model.tokenizer, max_length);
  if (model.task.kind != TaskKind::kTokens) return own;
  for (std::size_t i = 0; i < own.tokenized.size(); ++i) {
    TK_CHECK(own.tokenized[i].ids == split.tokenized[i].ids, model.folder.string(),
             ": its tokenizer cuts the texts otherwise, from row ", own.tokenized[i].id,
             " on: it cannot teach a task of tokens");
  }
  return own;
}

Teaching listen(std::string who, const BertClassifier& teacher, const Task& task, const Split& train,
                std::span<const TokenizedExample> others, const std::vector<Split>& dev,
                const EvaluationOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  Teaching teaching{.who = std::move(who)};
  teaching.logits = evaluate(teacher, task, train.tokenized, options).logits;
  if (!others.empty()) {
    teaching.logits = join(std::vector<Tensor>{teaching.logits, evaluate(teacher, task, others, options).logits});
  }
  teaching.scores = score_all(teacher, task, dev, options);
  teaching.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return teaching;
}

}  // namespace

bool has_teacher(const TeacherChoice& choice, const TaskModel& start) {
  return choice.folder || (choice.by_default && start.was_dense && start.fine_tuned);
}

Teaching teach(const TeacherChoice& choice, const TaskModel& start, const Split& train, const std::vector<Split>& dev,
               const EvaluationOptions& options, std::int64_t max_length, std::span<const TokenizedExample> others) {
  if (choice.folder) {
    TaskModel teacher = load_for_scoring(*choice.folder, start.task, true);
    teacher.model->place(start.model->device(), start.model->compute_dtype());
    const std::int64_t length = fitting_length(teacher, max_length);
    TK_CHECK(others.empty() || (length == max_length &&
                                teacher.tokenizer.vocabulary().tokens() == start.tokenizer.vocabulary().tokens()),
             teacher.folder.string(), ": its vocabulary or number of positions is not that of ", start.folder.string(),
             ": it cannot teach on rows without labels");
    std::vector<Split> own_dev;
    for (const Split& split : dev) own_dev.push_back(retokenized(split, teacher, length));
    Teaching teaching = listen(choice.folder->string(), *teacher.model, start.task, retokenized(train, teacher, length),
                               others, own_dev, options);
    teaching.notes = std::move(teacher.notes);
    return teaching;
  }
  if (!choice.by_default) return {};
  if (!has_teacher(choice, start)) {
    const std::string text = concat("no teacher: ", start.folder.string(), " is not a dense model fine-tuned for ",
                                    start.task.name, "; scores are better when it is, or with another teacher");
    return {.notes = {{.text = text}}};
  }
  return listen("the starting model", *dense_twin(*start.model), start.task, train, others, dev, options);
}

}  // namespace tk
