// A task of tokens from examples to scores: which words of an invented review decide its class?
#include "data/metrics.h"
#include "data/tokenizer.h"
#include "data/toy_corpus.h"
#include "tests/support/catch.h"
#include "tests/support/golden.h"
#include "tests/transkimmer/training/loss_left.h"
#include "tests/transkimmer/training/toy_task.h"
#include "transkimmer/training/scoring.h"
#include "transkimmer/training/trainer.h"

using namespace tk;
using namespace tk::test;

namespace {

struct TokenTask {
  TokenTask() {
    const ToyCorpus corpus = make_toy_corpus({.seed = 3, .train = 512, .dev = 64});
    const Tokenizer tokenizer(Vocabulary(corpus.vocabulary));
    for (auto [split, source] : {std::pair(&train, &corpus.train), std::pair(&dev, &corpus.dev)}) {
      split->examples = source->examples;
      for (std::size_t i = 0; i < split->examples.size(); ++i) {
        Example& example = split->examples[i];
        example.word_labels.assign(static_cast<std::size_t>(std::ranges::count(example.text_a, ' ')) + 1, 0);
        for (const std::int64_t word : source->deciding_words[i])
          example.word_labels[static_cast<std::size_t>(word)] = 1;
      }
      tokenize(*split, tokenizer, 64);
    }
  }

  Config config(SkimGate gate) const {
    Config config = ToyTask().config(gate);
    config.set_head(HeadKind::kToken);
    return config;
  }

  Task task{.name = "deciding", .kind = TaskKind::kTokens, .labels = {"filler", "deciding"}};
  Split train, dev;
};

// F1 of the deciding words.
double deciding_f1(const TokenTask& tokens, const Evaluation& evaluation) {
  const std::vector<double> predictions = predictions_from_logits(tokens.task, evaluation.logits);
  const std::vector<double> labels = labels_of(tokens.dev.tokenized, TaskKind::kTokens);
  std::vector<double> kept_predictions, kept_labels;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] == -1) continue;
    kept_predictions.push_back(predictions[i]);
    kept_labels.push_back(labels[i]);
  }
  return f1(kept_predictions, kept_labels);
}

}  // namespace

TEST_CASE("token task: a model learns which words decide, dense and skimmed to a budget") {
  const TokenTask tokens;
  for (const SkimGate gate : {SkimGate::kNone, SkimGate::kStaged}) {
    INFO(name(gate));
    BertClassifier model(tokens.config(gate));
    CHECK(loss_left(model, tokens.task, tokens.train.tokenized) < 0.3);
    const SplitScore score = tk::score(model, tokens.task, tokens.dev);
    CHECK(score.metrics[0].name == "accuracy");
    CHECK(score.metrics[0].value > 0.97);
    CHECK(deciding_f1(tokens, score.evaluation) > 0.8);
    if (gate != SkimGate::kNone) CHECK(score.evaluation.mac_share() < 0.85);
  }
}

TEST_CASE("token task: an evaluation has a row of logits for each token, in the order of the examples") {
  const TokenTask tokens;
  BertClassifier model(tokens.config(SkimGate::kStaged));
  model.initialize(2);
  const Evaluation whole = evaluate(model, tokens.task, tokens.dev.tokenized);
  const std::vector<std::int64_t> starts = label_starts(tokens.dev.tokenized, TaskKind::kTokens);
  CHECK(whole.logits.shape() == Shape({starts.back(), 2}));
  for (const std::int64_t i : {0, 5, 63}) {
    const Evaluation one = evaluate(model, tokens.task, std::span(tokens.dev.tokenized).subspan(i, 1));
    CHECK(largest_difference(one.logits, whole.logits.narrow(0, starts[i], starts[i + 1] - starts[i])) < 1e-5);
  }
  CHECK(whole.loss > 0);
}

TEST_CASE("token task: a teacher has a row for each token") {
  const TokenTask tokens;
  BertClassifier model(tokens.config(SkimGate::kNone));
  model.initialize(3);
  const std::int64_t rows = label_starts(tokens.train.tokenized, TaskKind::kTokens).back();
  const Tensor teacher = zeros({rows, 2});
  for (std::int64_t i = 0; i < rows; ++i) teacher.data<float>()[2 * i + 1] = 4;  // says 1 of every token
  Trainer trainer(model, tokens.task, tokens.train.tokenized,
                  {.max_steps = 40, .learning_rate = 5e-3, .distill_weight = 1}, teacher);
  while (!trainer.finished()) trainer.step();
  const Evaluation evaluation = evaluate(model, tokens.task, tokens.dev.tokenized);
  for (const double prediction : predictions_from_logits(tokens.task, evaluation.logits)) CHECK(prediction == 1);
  CHECK_THROWS_WITH((Trainer(model, tokens.task, tokens.train.tokenized, {}, zeros({3, 2}))),
                    ContainsSubstring("expected a teacher's logits ["));
}
