#include "data/metrics.h"

#include "data/glue_task.h"

#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "tensor/error.h"
#include "tests/support/catch.h"

namespace tk {
namespace {

using Values = std::vector<double>;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

auto near(double value) { return Approx(value).epsilon(0).margin(1e-12); }

void check_value(double value, const nlohmann::json& expected) {
  if (expected.is_null()) {
    CHECK(std::isnan(value));
  } else {
    CHECK(value == near(expected.get<double>()));
  }
}

}  // namespace

TEST_CASE("metrics: equal scikit-learn's and SciPy's to 1e-12") {
  std::ifstream file(TK_SOURCE_DIR "/tests/golden/metrics.json");
  REQUIRE(file);
  const auto golden = nlohmann::json::parse(file);
  REQUIRE(golden["cases"].size() >= 20);
  for (const auto& item : golden["cases"]) {
    CAPTURE(item["name"].get<std::string>());
    const auto predictions = item["predictions"].get<Values>();
    const auto labels = item["labels"].get<Values>();
    if (item.contains("accuracy")) check_value(accuracy(predictions, labels), item["accuracy"]);
    if (item.contains("f1")) check_value(f1(predictions, labels), item["f1"]);
    if (item.contains("matthews_correlation")) {
      check_value(matthews_correlation(predictions, labels), item["matthews_correlation"]);
    }
    if (item.contains("pearson")) check_value(pearson(predictions, labels), item["pearson"]);
    if (item.contains("spearmanr")) check_value(spearman(predictions, labels), item["spearmanr"]);
  }
}

TEST_CASE("metrics: those of several labels equal scikit-learn's, and unknown labels do not count") {
  std::ifstream file(TK_SOURCE_DIR "/tests/golden/several_labels.json");
  REQUIRE(file);
  const auto golden = nlohmann::json::parse(file);
  REQUIRE(golden["cases"].size() == 205);
  for (const auto& item : golden["cases"]) {
    CAPTURE(item["name"].get<std::string>());
    Task task{.name = "several",
              .kind = TaskKind::kMultiLabel,
              .labels = {},
              .metrics = {"precision", "recall", "f1", "f1_macro", "accuracy"},
              .headline = "f1"};
    Values predictions, labels;
    for (const auto& row : item["predicted"]) {
      task.labels.assign(row.size(), "label");
      for (const double value : row) predictions.push_back(value);
    }
    for (const auto& row : item["actual"]) {
      for (const double value : row) labels.push_back(value);
    }
    // One more example of which nothing is known.
    predictions.resize(predictions.size() + task.labels.size(), 1);
    labels.resize(labels.size() + task.labels.size(), -1);
    const std::vector<Metric> metrics = compute_metrics(task, predictions, labels);
    REQUIRE(metrics.size() == 5);
    for (const Metric& metric : metrics) check_value(metric.value, item[metric.name]);
  }
}

TEST_CASE("predictions_from_logits: of several labels each whose logit is above 0 applies") {
  const Task task{.name = "several", .kind = TaskKind::kMultiLabel, .labels = {"a", "b"}};
  const Values applies = predictions_from_logits(task, from_values<float>({0.1f, -2, 0, 3}, {2, 2}));
  CHECK(applies == Values{1, 0, 0, 1});
  CHECK(applying_labels(task, std::span(applies).subspan(2)) == std::vector<std::string>{"b"});
}

TEST_CASE("metrics: the published reference values") {
  const Values predictions = {1, 1, 1, 0, 0, 0, 1, 0};
  const Values labels = {1, 0, 1, 0, 1, 0, 1, 1};
  CHECK(matthews_correlation(predictions, labels) == near(0.2581988897471611));
  CHECK(f1(predictions, labels) == near(0.6666666666666665));
  CHECK(pearson(Values{0.5, 1.2, 3.3, 4.9, 2.0}, Values{0, 1.5, 3, 5, 2.5}) == near(0.974989428288274));
}

TEST_CASE("matthews_correlation: 0 without variation, 1 and -1 at the ends") {
  CHECK(matthews_correlation({}, {}) == 0);
  CHECK(matthews_correlation(Values{1, 1, 1}, Values{0, 1, 1}) == 0);
  CHECK(matthews_correlation(Values{0, 1, 1}, Values{0, 0, 0}) == 0);
  CHECK(matthews_correlation(Values{0, 1, 1}, Values{0, 1, 1}) == 1);
  CHECK(matthews_correlation(Values{1, 0, 0}, Values{0, 1, 1}) == -1);
  CHECK(matthews_correlation(Values{0, 1, 2, 2}, Values{0, 1, 2, 2}) == 1);
}

TEST_CASE("f1: 0 without a true positive, and binary only") {
  CHECK(f1({}, {}) == 0);
  CHECK(f1(Values{0, 0}, Values{1, 0}) == 0);
  CHECK(f1(Values{1, 1}, Values{0, 0}) == 0);
  CHECK(f1(Values{0, 0}, Values{0, 0}) == 0);
  CHECK(f1(Values{1, 0}, Values{1, 0}) == 1);
  CHECK_THROWS_AS(f1(Values{2}, Values{1}), Error);
}

TEST_CASE("accuracy: NaN without examples") {
  CHECK(std::isnan(accuracy({}, {})));
  CHECK(accuracy(Values{0, 1, 2, 2}, Values{0, 1, 1, 2}) == 0.75);
}

TEST_CASE("pearson: degenerate sides") {
  CHECK(std::isnan(pearson(Values{2, 2, 2}, Values{1, 2, 3})));
  CHECK(std::isnan(pearson(Values{1, 2, 3}, Values{2, 2, 2})));
  CHECK(pearson(Values{1, 7}, Values{0.1, 0.3}) == 1);
  CHECK(pearson(Values{1, 7}, Values{0.3, 0.1}) == -1);
  CHECK(std::isnan(pearson(Values{1, 1}, Values{0.3, 0.1})));
  CHECK(std::isnan(pearson(Values{1}, Values{1})));
  CHECK(std::isnan(pearson(Values{}, Values{})));
  CHECK(std::isnan(pearson(Values{1, kNaN, 2}, Values{1, 2, 3})));
  CHECK(std::isnan(pearson(Values{1, 3, 2}, Values{1, HUGE_VAL, 3})));
}

TEST_CASE("spearman: ties have average ranks, and what is undefined is NaN") {
  // Ranks 1.5 1.5 3 4 against 1 2.5 2.5 4; Pearson of these is 3.75 / 4.5.
  CHECK(spearman(Values{1, 1, 2, 3}, Values{10, 20, 20, 30}) == near(3.75 / 4.5));
  CHECK(spearman(Values{1, 2, 3}, Values{1, 8, 27}) == near(1));
  CHECK(spearman(Values{1, 2}, Values{2, 1}) == near(-1));
  CHECK(std::isnan(spearman(Values{2, 2, 2}, Values{1, 2, 3})));
  CHECK(std::isnan(spearman(Values{1}, Values{1})));
  CHECK(std::isnan(spearman({}, {})));
  CHECK(std::isnan(spearman(Values{1, kNaN, 2}, Values{1, 2, 3})));
}

TEST_CASE("metrics: two sides of different length are refused") {
  CHECK_THROWS_WITH(accuracy(Values{1}, Values{1, 0}), ContainsSubstring("got 1 and 2"));
  CHECK_THROWS_AS(spearman(Values{1}, Values{1, 0}), Error);
}

TEST_CASE("compute_metrics: Hugging Face's keys, and their mean when there are several") {
  const Values predictions = {1, 1, 0, 0};
  const Values labels = {1, 0, 0, 0};
  const auto mrpc = compute_metrics(find_glue_task("mrpc").task, predictions, labels);
  REQUIRE(mrpc.size() == 3);
  CHECK(mrpc[0].name == "accuracy");
  CHECK(mrpc[1].name == "f1");
  CHECK(mrpc[2].name == "combined_score");
  CHECK(mrpc[2].value == near((0.75 + 2.0 / 3) / 2));
  CHECK(headline(find_glue_task("mrpc").task, mrpc) == mrpc[2].value);

  const auto rte = compute_metrics(find_glue_task("rte").task, predictions, labels);
  REQUIRE(rte.size() == 1);
  CHECK(headline(find_glue_task("rte").task, rte) == 0.75);
  CHECK(compute_metrics(find_glue_task("cola").task, predictions, labels)[0].name == "matthews_correlation");
  CHECK(compute_metrics(find_glue_task("stsb").task, predictions, labels)[1].name == "spearmanr");
}

TEST_CASE("predictions_from_logits: argmax takes the first of equals, and a NaN wins") {
  const auto nan = std::numeric_limits<float>::quiet_NaN();
  const Tensor logits = from_values<float>({0, 1, 2, 3, 3, 1, 5, nan, 9, -2, -1, -1}, {4, 3});
  CHECK(predictions_from_logits(find_glue_task("mnli").task, logits) == Values{2, 0, 1, 1});
  CHECK(predictions_from_logits(find_glue_task("stsb").task, from_values<float>({1.5f, -2}, {2, 1})) ==
        Values{1.5, -2});
  CHECK_THROWS_AS(predictions_from_logits(find_glue_task("rte").task, logits), Error);
}

TEST_CASE("compute_metrics: in tasks of tokens those without a label do not count") {
  const Task task{.name = "tags", .kind = TaskKind::kTokens, .labels = {"O", "B"}};
  const Values predictions = {0, 1, 1, 0}, labels = {-1, 1, 0, -1};
  const std::vector<std::int64_t> starts = {0, 4};
  CHECK(compute_metrics(task, predictions, labels, starts)[0].value == 0.5);
  CHECK_THROWS_AS(compute_metrics(task, Values{1}, labels, starts), Error);
  CHECK_THROWS_WITH(compute_metrics(task, predictions, labels), ContainsSubstring("begin"));
}

TEST_CASE("check_metrics: a task names metrics there are, and f1 two labels") {
  Task task;
  task.name = "fruits";
  task.labels = {"apple", "pear", "plum"};
  task.metrics = {"accuracy", "matthews_correlation"};
  CHECK_NOTHROW(check_metrics(task));
  task.metrics = {"accuracy", "bleu"};
  CHECK_THROWS_WITH(check_metrics(task), ContainsSubstring("fruits") && ContainsSubstring("\"bleu\""));
  task.metrics = {"f1"};
  CHECK_THROWS_WITH(check_metrics(task), ContainsSubstring("two labels, got 3"));
  task.kind = TaskKind::kTokens;  // there it is that of entities
  CHECK_NOTHROW(check_metrics(task));
  task.metrics = {"pearson"};
  CHECK_THROWS_WITH(check_metrics(task), ContainsSubstring("\"pearson\""));
}

}  // namespace tk
