#include "transkimmer/training/predict.h"

#include <cmath>

#include "tests/support/catch.h"
#include "tests/transkimmer/training/saved_toy_model.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("predict: a folder and two lines give labels and probabilities, as an evaluation has them") {
  const SavedToyModel saved(SkimGate::kStaged);
  const TaskModel model = load_model(saved.folder());
  const std::vector<Prediction> predictions =
      predict(model, {saved.toy.corpus.dev.examples[0].text_a, saved.toy.corpus.dev.examples[1].text_a});
  REQUIRE(predictions.size() == 2);
  const Tensor logits =
      evaluate(*saved.model, saved.toy.task, std::span(saved.toy.dev).first(2)).logits.to(DType::kFloat64);
  for (std::int64_t i = 0; i < 2; ++i) {
    const Prediction& p = predictions[static_cast<std::size_t>(i)];
    const double z = logits.select(0, i).select(0, 1).item() - logits.select(0, i).select(0, 0).item();
    CHECK(p.label == (z > 0 ? "positive" : "negative"));
    REQUIRE(p.probabilities.size() == 2);
    CHECK(p.probabilities[1] == Approx(1 / (1 + std::exp(-z))).epsilon(1e-6));
    CHECK(p.value == std::max(p.probabilities[0], p.probabilities[1]));
  }
}

TEST_CASE("predict: a regression gives the number itself, of pairs too") {
  Config config = ToyTask().config(SkimGate::kNone);
  config.labels = {"LABEL_0"};
  config.problem_type = "regression";
  const SavedToyModel saved(config);
  const TaskModel model = load_model(saved.folder());
  CHECK(model.task.regression());
  const Example pair{.id = 0, .text_a = "the plot", .text_b = "was dull", .has_b = true};
  const std::vector<Prediction> predictions = predict(model, std::span(&pair, 1));
  REQUIRE(predictions.size() == 1);
  CHECK(predictions[0].label.empty());
  CHECK(predictions[0].probabilities.empty());
  CHECK(std::isfinite(predictions[0].value));
}
