#include "transkimmer/training/task_model.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "data/own_reader.h"
#include "tensor/error.h"
#include "tensor/io/in_quotes.h"
#include "tensor/ops/index.h"
#include "transkimmer/checkpoint.h"
#include "transkimmer/families/family.h"
#include "transkimmer/training/option_error.h"

namespace tk {
namespace fs = std::filesystem;
namespace {

constexpr const char* kMultiLabel = "multi_label_classification";

enum class LabelMatch {
  kSame,      // the task's, in its order
  kPermuted,  // the task's, in another order
  kUnnamed,   // LABEL_0 ...: as many as the task has
  kOther
};

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::vector<std::string> lower(std::vector<std::string> texts) {
  for (std::string& text : texts) text = lower(text);
  return texts;
}

std::vector<std::string> unnamed_labels(std::int64_t count) {
  std::vector<std::string> labels;
  for (std::int64_t i = 0; i < count; ++i) labels.push_back(concat("LABEL_", i));
  return labels;
}

std::vector<std::string> task_labels(const Task& task) { return task.regression() ? unnamed_labels(1) : task.labels; }

HeadKind head_of(const Task& task) { return task.kind == TaskKind::kTokens ? HeadKind::kToken : HeadKind::kSequence; }

LabelMatch match_labels(const Config& config, const Task& task) {
  if (config.head() != head_of(task)) return LabelMatch::kOther;
  if (config.num_labels() != task.outputs()) return LabelMatch::kOther;
  const std::vector<std::string> have = lower(config.labels);
  const std::vector<std::string> want = lower(task_labels(task));
  if (have == want) return LabelMatch::kSame;
  if (std::ranges::is_permutation(have, want)) return LabelMatch::kPermuted;
  const bool is_unnamed = config.labels == unnamed_labels(config.num_labels());
  return is_unnamed || task.regression() ? LabelMatch::kUnnamed : LabelMatch::kOther;
}

Config task_config(Config config, const Task& task) {
  config.labels = task_labels(task);
  config.problem_type.reset();
  if (task.kind == TaskKind::kRegression) config.problem_type = "regression";
  if (task.kind == TaskKind::kClassification) config.problem_type = "single_label_classification";
  if (task.kind == TaskKind::kMultiLabel) config.problem_type = kMultiLabel;
  config.finetuning_task = task.name.empty() ? std::nullopt : std::optional(task.name);
  config.set_head(head_of(task));
  return config;
}

// Whether a name is of the family's classifier.
auto of_classifier(const Family& family) {
  return [&family](const std::string& name) { return is_classifier(name, family); };
}

bool has_classifier(const LoadReport& report, const Family& family) {
  return std::ranges::none_of(report.missing, of_classifier(family)) &&
         std::ranges::none_of(report.mismatched, of_classifier(family));
}

// Puts the classifier's rows, which are in the order of the checkpoint's labels, into the task's.
void permute_classifier(const BertClassifier& model, const std::vector<std::string>& from, const Task& task) {
  std::vector<std::int64_t> rows;
  const std::vector<std::string> have = lower(from);
  for (const std::string& label : lower(task.labels)) rows.push_back(std::ranges::find(have, label) - have.begin());
  for (const NamedTensor& weight : named_values(model.parameters())) {
    if (!is_classifier(weight.name, model.config().family())) continue;
    weight.tensor.copy_from(index_select(weight.tensor, from_values(rows)));
    weight.tensor.bump_version();
  }
}

std::vector<NamedTensor> without_classifier(std::vector<NamedTensor> weights, const Family& family) {
  std::erase_if(weights, [&](const NamedTensor& weight) { return is_classifier(weight.name, family); });
  return weights;
}

void add_predictors(Config& config, const SkimSettings& skim) {
  config.skim_gate = skim.gate.value_or(SkimGate::kStaged);
  config.skim_attention = skim.attention.value_or(SkimAttention::kExact);
  config.skim_width = skim.width > 0 ? skim.width : std::max<std::int64_t>(1, config.hidden_size / 4);
  config.skim_cls = skim.cls.value_or(SkimCls::kKept);
  check_option(config.skim_cls == SkimCls::kKept || traits(config.skim_gate).can_free_cls, "skim_cls", "gate ",
               name(config.skim_gate), " has no ", name(config.skim_cls), ", only ", name(SkimCls::kKept));
}

Config without_predictors(Config config) {
  config.skim_gate = SkimGate::kNone;
  config.skim_cls = SkimCls::kKept;
  return config;
}

void warn(std::vector<Note>& notes, const std::string& text) { notes.push_back({.is_warning = true, .text = text}); }

void inform(std::vector<Note>& notes, const std::string& text) { notes.push_back({.is_warning = false, .text = text}); }

// A checkpoint's predictors have a gate already: settings may name it, not change it.
void check_own_predictors(const Config& config, const std::optional<SkimSettings>& skim, const fs::path& folder,
                          std::vector<Note>& notes) {
  if (!skim) {
    warn(notes, concat(folder.string(), ": has skim predictors, and nothing binds them to a budget"));
    return;
  }
  const auto check = [&](const char* option, const auto& asked, const auto& found) {
    check_option(asked == found, option, folder.string(), " has skim predictors with ", found, ", which cannot become ",
                 asked);
  };
  using Name = std::string_view;
  check("skim_gate", Name(name(skim->gate.value_or(config.skim_gate))), Name(name(config.skim_gate)));
  check("skim_attention", Name(name(skim->attention.value_or(config.skim_attention))),
        Name(name(config.skim_attention)));
  check("skim_cls", Name(name(skim->cls.value_or(config.skim_cls))), Name(name(config.skim_cls)));
  check("skim_width", skim->width > 0 ? skim->width : config.skim_width, config.skim_width);
}

// What is new in the model to train, without a list of each new predictor's weights.
void tell_new_weights(LoadReport report, const Config& config, const fs::path& folder, std::vector<Note>& notes) {
  const auto of_predictor = [&](const std::string& name) { return is_predictor(name, config.family()); };
  if (std::erase_if(report.missing, of_predictor) > 0) {
    inform(notes, concat(config.num_predictors(), " new skim predictors of width ", config.skim_width, " (gate ",
                         name(config.skim_gate), ", attention ", name(config.skim_attention),
                         config.skim_cls == SkimCls::kFree ? ", [CLS] free" : "", ")"));
  }
  for (const std::string& line : messages(report, folder)) inform(notes, line);
}

// Whose models answer a task: AX has no training set.
std::string trained_task(const Task& task) { return task.name == "ax" ? "mnli" : task.name; }

void check_same_task(const Config& config, const Task& task, const fs::path& folder, std::vector<Note>& notes) {
  if (config.finetuning_task && *config.finetuning_task != trained_task(task)) {
    warn(notes, concat(folder.string(), ": was fine-tuned for ", printable(*config.finetuning_task), ", not for ",
                       trained_task(task)));
  }
}

void tell_permuted(const Config& found, const Task& task, const fs::path& folder, std::vector<Note>& notes) {
  warn(notes, concat(folder.string(), ": its labels are in the order ", listed(found.labels),
                     "; put into the task's order ", listed(task.labels)));
}

// The model is still missing. Notes on what the folder's files contradict each other in come first.
TaskModel with_tokenizer(const fs::path& folder, const Task& task, const Config& found) {
  FolderTexts files = read_tokenizer_files(folder, found.family());
  Tokenizer tokenizer = make_tokenizer(files, found.family());
  std::vector<Note> notes;
  for (const std::string& text : found.notes) warn(notes, text);
  for (const std::string& text : tokenizer.notes()) warn(notes, text);
  return {.folder = folder,
          .task = task,
          .model = nullptr,
          .tokenizer = std::move(tokenizer),
          .tokenizer_files = std::move(files),
          .notes = std::move(notes)};
}

}  // namespace

Tokenizer make_tokenizer(const FolderTexts& files, const Family& family) {
  TK_CHECK(std::string_view(family.tokenizer_class) == "BertTokenizer", files.folder.string(),
           ": the tokenizer of a model of ", family.title, "'s is ", family.tokenizer_class,
           ", only BertTokenizer is read");
  return Tokenizer::from_texts(files);
}

TaskModel load_for_training(const fs::path& folder, const Task& task, const std::optional<SkimSettings>& skim,
                            std::uint64_t seed) {
  const Config found = load_config(folder);
  const LabelMatch match = match_labels(found, task);
  Config config = task_config(found, task);
  const Family& family = config.family();
  TaskModel result = with_tokenizer(folder, task, found);
  result.was_dense = found.skim_gate == SkimGate::kNone;
  if (!result.was_dense) {
    check_own_predictors(config, skim, folder, result.notes);
  } else if (skim) {
    add_predictors(config, *skim);
  }
  result.model = std::make_unique<BertClassifier>(config);
  result.model->quantize(int8_weights(folder, family));

  std::vector<NamedTensor> weights = named_values(result.model->parameters());
  if (match == LabelMatch::kOther) weights = without_classifier(weights, family);
  LoadReport report = load_weights(folder, weights, family);
  std::vector<std::string> anew = report.missing;
  if (match == LabelMatch::kOther) anew.push_back(concat(family.weights.classifier, ".weight"));
  result.model->initialize(seed, anew);
  result.fine_tuned = match != LabelMatch::kOther && has_classifier(report, family);
  if (match == LabelMatch::kOther) std::erase_if(report.unexpected, of_classifier(family));
  tell_new_weights(report, config, folder, result.notes);
  if (match == LabelMatch::kOther && found.labels != unnamed_labels(found.num_labels())) {
    warn(result.notes, concat(folder.string(), ": its labels (", listed(found.labels), ") are not those of ", task.name,
                              " (", listed(task_labels(task)), "): the classifier starts anew"));
  }
  if (result.fine_tuned && match == LabelMatch::kPermuted) {
    permute_classifier(*result.model, found.labels, task);
    tell_permuted(found, task, folder, result.notes);
  }
  // An untrained classifier under default names belongs to no task.
  if (match == LabelMatch::kUnnamed && found.finetuning_task != task.name) result.fine_tuned = false;
  return result;
}

TaskModel load_for_scoring(const fs::path& folder, const Task& task, bool dense) {
  const Config found = load_config(folder);
  const LabelMatch match = match_labels(found, task);
  TK_CHECK(found.head() == head_of(task), folder.string(), ": answers for ",
           found.head() == HeadKind::kToken ? "tokens" : "sentences", ", and ", task.name, " is about ",
           task.kind == TaskKind::kTokens ? "tokens" : "sentences");
  TK_CHECK(match != LabelMatch::kOther, folder.string(), ": its ", found.num_labels(), " labels (",
           listed(found.labels), ") are not the ", task.outputs(), " of ", task.name, " (", listed(task_labels(task)),
           "); a score would mean nothing");
  Config config = task_config(found, task);
  const Family& family = config.family();
  TaskModel result = with_tokenizer(folder, task, found);
  result.was_dense = found.skim_gate == SkimGate::kNone;
  if (dense) config = without_predictors(config);
  result.model = std::make_unique<BertClassifier>(config);
  result.model->quantize(int8_weights(folder, family));
  const LoadReport report = load_weights(folder, named_values(result.model->parameters()), family);
  TK_CHECK(has_classifier(report, family), folder.string(), ": has no classifier; fine-tune it first");
  TK_CHECK(report.missing.empty(), folder.string(), ": lacks weights of the model, such as ",
           in_quotes(report.missing.front()));
  result.fine_tuned = true;
  check_same_task(found, task, folder, result.notes);
  if (match == LabelMatch::kPermuted) {
    permute_classifier(*result.model, found.labels, task);
    tell_permuted(found, task, folder, result.notes);
  } else if (match == LabelMatch::kUnnamed && !task.regression() && found.finetuning_task != trained_task(task)) {
    warn(result.notes, concat(folder.string(), ": its labels have no names; they are taken in the task's order ",
                              listed(task.labels)));
  }
  return result;
}

Task task_of_model(const fs::path& folder) {
  const Config config = load_config(folder);
  const bool is_regression = config.problem_type == "regression" || config.num_labels() == 1;
  const TaskKind kind = config.head() == HeadKind::kToken    ? TaskKind::kTokens
                        : config.problem_type == kMultiLabel ? TaskKind::kMultiLabel
                        : is_regression                      ? TaskKind::kRegression
                                                             : TaskKind::kClassification;
  return own_task(kind, config.labels, config.finetuning_task.value_or(""));
}

TaskModel load_model(const fs::path& folder) { return load_for_scoring(folder, task_of_model(folder)); }

void save_model(const TaskModel& model, const fs::path& folder) {
  save_model_folder(folder, model.model->config(), named_values(model.model->parameters()), model.tokenizer_files);
}

std::unique_ptr<BertClassifier> dense_twin(const BertClassifier& model) {
  auto twin = std::make_unique<BertClassifier>(without_predictors(model.config()));
  twin->quantize(model.int8_weights());
  std::map<std::string, Tensor> weights;
  for (const NamedTensor& weight : named_values(model.parameters())) weights[weight.name] = weight.tensor;
  for (const NamedTensor& weight : named_values(twin->parameters())) weight.tensor.copy_from(weights.at(weight.name));
  twin->place(model.device(), model.compute_dtype());
  return twin;
}

std::int64_t fitting_length(const TaskModel& model, std::int64_t asked) {
  const Config& config = model.model->config();
  TK_CHECK(model.tokenizer.vocabulary().size() <= config.vocab_size, model.folder.string(), ": the vocabulary has ",
           model.tokenizer.vocabulary().size(), " tokens, the model embeds ", config.vocab_size);
  return std::min(asked, config.max_position_embeddings);
}

}  // namespace tk
