#include "transkimmer/training/teacher.h"

#include <chrono>
#include <iterator>
#include <utility>

#include "tensor/error.h"
#include "tensor/io/fingerprint.h"
#include "tensor/io/safetensors.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/join.h"

namespace tk {
namespace fs = std::filesystem;
namespace {

constexpr const char* kLogits = "logits";
constexpr const char* kQuestion = "rows_and_teachers";  // the file's keys: what was asked,
constexpr const char* kAnswer = "logits_checksum";      // and what was answered

// A dense model, with what it is asked in its own tokens.
struct Teacher {
  std::unique_ptr<BertClassifier> model = {};
  std::vector<TokenizedExample> rows = {};        // the training set's
  std::span<const TokenizedExample> others = {};  // those that no split has
  std::vector<Split> dev = {};
};

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

Teacher in_folder(const fs::path& folder, const TaskModel& start, const Split& train, const std::vector<Split>& dev,
                  std::int64_t max_length, std::span<const TokenizedExample> others, std::vector<Note>& notes) {
  TaskModel model = load_for_scoring(folder, start.task, true);
  model.model->place(start.model->device(), start.model->compute_dtype());
  const std::int64_t length = fitting_length(model, max_length);
  TK_CHECK(others.empty() ||
               (length == max_length && model.tokenizer.vocabulary().tokens() == start.tokenizer.vocabulary().tokens()),
           model.folder.string(), ": its vocabulary or number of positions is not that of ", start.folder.string(),
           ": it cannot teach on rows without labels");
  std::move(model.notes.begin(), model.notes.end(), std::back_inserter(notes));
  Teacher teacher{.rows = retokenized(train, model, length).tokenized, .others = others};
  for (const Split& split : dev) teacher.dev.push_back(retokenized(split, model, length));
  teacher.model = std::move(model.model);
  return teacher;
}

Teacher starting_model(const TaskModel& start, const Split& train, const std::vector<Split>& dev,
                       std::span<const TokenizedExample> others) {
  return {.model = dense_twin(*start.model), .rows = train.tokenized, .others = others, .dev = dev};
}

// What is asked of whom.
std::string question_of(std::span<const Teacher> teachers) {
  Fingerprint question;
  for (const Teacher& teacher : teachers) {
    const BertClassifier& model = *teacher.model;
    question.add(concat(to_json(model.config()), name(model.device()), name(model.compute_dtype())));
    for (const NamedTensor& weight : named_values(model.parameters())) question.add(weight.tensor);
    for (const std::span<const TokenizedExample> rows :
         {std::span<const TokenizedExample>(teacher.rows), teacher.others}) {
      for (const TokenizedExample& row : rows) {
        question.add(std::as_bytes(std::span(row.ids)));
        question.add(std::as_bytes(std::span(row.token_types)));
      }
    }
  }
  return question.text();
}

std::string checksum(const Tensor& logits) {
  Fingerprint answer;
  answer.add(logits);
  return answer.text();
}

// The answer in the file, if it is one to this question. A file that cannot be read is as good as none.
Tensor cached_logits(const fs::path& file, const std::string& question, std::vector<Note>& notes) {
  if (!fs::exists(file)) return {};
  try {
    const SafetensorsFile cache = SafetensorsFile::open(file);
    const auto says = [&](const char* key, const std::string& text) {
      const auto entry = cache.metadata().find(key);
      return entry != cache.metadata().end() && entry->second == text;
    };
    if (!says(kQuestion, question)) return {};
    Tensor logits = cache.tensor(kLogits);
    TK_CHECK(says(kAnswer, checksum(logits)), file.string(), ": its checksum is not that of its logits");
    return logits;
  } catch (const Error& error) {
    notes.push_back({.is_warning = true, .text = concat(error.what(), "; the teacher is asked again")});
    return {};
  }
}

// mean = sum_i part_i / n, in the order of the teachers; of one it is that one's.
void add_part(Tensor& sum, Tensor part) { sum.defined() ? add_to(sum, part) : void(sum = std::move(part)); }
Tensor mean_of(const Tensor& sum, std::size_t teachers) {
  return teachers == 1 ? sum : affine(sum, 1 / static_cast<double>(teachers));
}

Tensor logits_of(std::span<const Teacher> teachers, const Task& task, const EvaluationOptions& options) {
  Tensor sum;
  for (const Teacher& teacher : teachers) {
    Tensor logits = evaluate(*teacher.model, task, teacher.rows, options).logits;
    if (!teacher.others.empty()) {
      logits = join(std::vector<Tensor>{logits, evaluate(*teacher.model, task, teacher.others, options).logits});
    }
    add_part(sum, std::move(logits));
  }
  return mean_of(sum, teachers.size());
}

// The scores of the mean, and its cost: that of one dense model.
SplitScore score_of(std::span<const Teacher> teachers, std::size_t split, const Task& task,
                    const EvaluationOptions& options) {
  SplitScore result;
  Tensor sum;
  for (const Teacher& teacher : teachers) {
    SplitScore own = score(*teacher.model, task, teacher.dev[split], options);
    add_part(sum, own.evaluation.logits);
    if (&teacher == &teachers.front()) result = std::move(own);
  }
  if (teachers.size() == 1) return result;
  result.evaluation.logits = mean_of(sum, teachers.size());
  result.metrics = metrics_of(task, result.evaluation.logits, teachers.front().dev[split]);
  return result;
}

}  // namespace

bool has_teacher(const TeacherChoice& choice, const TaskModel& start) {
  return !choice.folders.empty() || (choice.by_default && start.was_dense && start.fine_tuned);
}

Teaching teach(const TeacherChoice& choice, const TaskModel& start, const Split& train, const std::vector<Split>& dev,
               const EvaluationOptions& options, std::int64_t max_length, std::span<const TokenizedExample> others) {
  if (!has_teacher(choice, start)) {
    if (!choice.by_default) return {};
    return {.notes = {{.text = concat("no teacher: ", start.folder.string(), " is not a dense model fine-tuned for ",
                                      start.task.name, "; scores are better when it is, or with another teacher")}}};
  }
  Teaching teaching{.who = choice.folders.empty() ? "the starting model" : ""};
  std::vector<Teacher> teachers;
  if (choice.folders.empty()) teachers.push_back(starting_model(start, train, dev, others));
  for (const fs::path& folder : choice.folders) {
    teachers.push_back(in_folder(folder, start, train, dev, max_length, others, teaching.notes));
    teaching.who += (teachers.size() > 1 ? ", " : "") + folder.string();
  }
  const auto start_time = std::chrono::steady_clock::now();
  const std::string question = choice.cache ? question_of(teachers) : "";
  if (choice.cache) teaching.logits = cached_logits(*choice.cache, question, teaching.notes);
  teaching.from_cache = teaching.logits.defined();
  if (!teaching.from_cache) teaching.logits = logits_of(teachers, start.task, options);
  if (choice.cache && !teaching.from_cache) {
    save_safetensors(*choice.cache, std::vector<NamedTensor>{{kLogits, teaching.logits}},
                     {{kQuestion, question}, {kAnswer, checksum(teaching.logits)}});
  }
  for (std::size_t i = 0; i < dev.size(); ++i) teaching.scores.push_back(score_of(teachers, i, start.task, options));
  teaching.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_time).count();
  return teaching;
}

}  // namespace tk
