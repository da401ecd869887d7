// A task of several labels from examples to scores: which of three words are in an invented review?
#include "data/metrics.h"
#include "data/tokenizer.h"
#include "data/toy_corpus.h"
#include "tests/support/catch.h"
#include "tests/support/golden.h"
#include "tests/transkimmer/training/loss_left.h"
#include "tests/transkimmer/training/saved_toy_model.h"
#include "tests/transkimmer/training/toy_task.h"
#include "transkimmer/training/predict.h"
#include "transkimmer/training/scoring.h"
#include "transkimmer/training/trainer.h"

using namespace tk;
using namespace tk::test;

namespace {

struct SeveralLabelsTask {
  SeveralLabelsTask() {
    const ToyCorpus corpus = make_toy_corpus({.seed = 3, .train = 512, .dev = 64});
    const Tokenizer tokenizer(Vocabulary(corpus.vocabulary));
    for (auto [split, source] : {std::pair(&train, &corpus.train), std::pair(&dev, &corpus.dev)}) {
      split->examples = source->examples;
      for (Example& example : split->examples) {
        example.label = -1;
        for (const std::string& word : task.labels) {
          example.applies.push_back((" " + example.text_a + " ").find(" " + word + " ") != std::string::npos ? 1 : 0);
        }
      }
      tokenize(*split, tokenizer, 64);
    }
  }

  Config config(SkimGate gate) const {
    Config config = ToyTask().config(gate);
    config.labels = task.labels;
    config.problem_type = "multi_label_classification";
    return config;
  }

  Task task{.name = "words",
            .kind = TaskKind::kMultiLabel,
            .labels = {"the", "was", "not"},
            .metrics = {"precision", "recall", "f1", "f1_macro", "accuracy"},
            .headline = "f1"};
  Split train, dev;
};

}  // namespace

TEST_CASE("several labels: a model learns which apply, dense and skimmed to a budget") {
  const SeveralLabelsTask words;
  for (const SkimGate gate : {SkimGate::kNone, SkimGate::kStaged}) {
    INFO(name(gate));
    BertClassifier model(words.config(gate));
    CHECK(loss_left(model, words.task, words.train.tokenized) < 0.3);
    const SplitScore score = tk::score(model, words.task, words.dev);
    REQUIRE(score.metrics.size() == 5);
    CHECK(score.metrics[2].name == "f1");
    CHECK(score.metrics[2].value > 0.95);
    CHECK(score.evaluation.loss < 0.3);
    if (gate != SkimGate::kNone) CHECK(score.evaluation.mac_share() < 0.85);
  }
}

TEST_CASE("several labels: rows of which nothing is known learn from the teacher") {
  SeveralLabelsTask words;
  for (TokenizedExample& example : words.train.tokenized) example.applies = {-1, -1, -1};
  BertClassifier model(words.config(SkimGate::kNone));
  model.initialize(3);
  CHECK_THROWS_WITH((Trainer(model, words.task, words.train.tokenized, {})), ContainsSubstring("has no label"));
  const Tensor teacher = full({words.train.size(), 3}, -4);
  for (std::int64_t i = 0; i < words.train.size(); ++i) teacher.data<float>()[3 * i + 1] = 4;  // "was" alone applies
  Trainer trainer(model, words.task, words.train.tokenized,
                  {.max_steps = 40, .learning_rate = 5e-3, .distill_weight = 1}, teacher);
  while (!trainer.finished()) trainer.step();
  const Evaluation evaluation = evaluate(model, words.task, words.dev.tokenized);
  const std::vector<double> applies = predictions_from_logits(words.task, evaluation.logits);
  for (std::size_t i = 0; i < applies.size(); ++i) CHECK(applies[i] == (i % 3 == 1 ? 1 : 0));
}

TEST_CASE("several labels: a saved model tells its task, and predictions are the labels that apply") {
  const SavedToyModel saved(SeveralLabelsTask().config(SkimGate::kStaged));
  const TaskModel model = load_model(saved.folder());
  CHECK(model.task.kind == TaskKind::kMultiLabel);
  CHECK(model.task.labels == std::vector<std::string>{"the", "was", "not"});
  const std::vector<Prediction> predictions = predict(model, {"the plot was dull ."});
  REQUIRE(predictions.size() == 1);
  REQUIRE(predictions[0].probabilities.size() == 3);
  CHECK(predictions[0].label.empty());
  std::size_t applying = 0;
  for (const double probability : predictions[0].probabilities) applying += probability > 0.5;
  CHECK(predictions[0].labels.size() == applying);
}
