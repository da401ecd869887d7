#include "data/entities.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "data/metrics.h"
#include "tensor/error.h"
#include "tests/support/catch.h"

namespace tk {
namespace {

using Tags = std::vector<std::string>;

// Predicted and actual sentences as the values that a model gives and is compared with.
struct Flat {
  Task task{.name = "tags", .kind = TaskKind::kTokens, .metrics = {"precision", "recall", "f1", "accuracy"}};
  std::vector<double> predictions = {};
  std::vector<double> labels = {};
  std::vector<std::int64_t> starts = {0};

  double id(const std::string& tag) {
    const auto found = std::find(task.labels.begin(), task.labels.end(), tag);
    if (found == task.labels.end()) task.labels.push_back(tag);
    return static_cast<double>(std::find(task.labels.begin(), task.labels.end(), tag) - task.labels.begin());
  }

  // Between two tokens without a label, as [CLS] and [SEP] are.
  void add(const Tags& predicted, const Tags& actual) {
    const double ignored = id(predicted.front());
    predictions.push_back(ignored), labels.push_back(-1);
    for (std::size_t i = 0; i < actual.size(); ++i) {
      predictions.push_back(id(predicted[i])), labels.push_back(id(actual[i]));
    }
    predictions.push_back(ignored), labels.push_back(-1);
    starts.push_back(std::ssize(labels));
  }
};

}  // namespace

TEST_CASE("entities: spans, types and scores equal seqeval's") {
  std::ifstream file(TK_SOURCE_DIR "/tests/golden/entities.json");
  REQUIRE(file);
  const auto golden = nlohmann::json::parse(file);
  REQUIRE(golden["cases"].size() >= 400);
  for (const auto& item : golden["cases"]) {
    CAPTURE(item["name"].get<std::string>());
    const auto predicted = item["predicted"].get<std::vector<Tags>>();
    const auto actual = item["actual"].get<std::vector<Tags>>();
    Flat flat;
    for (std::size_t i = 0; i < actual.size(); ++i) {
      std::vector<Entity> expected;
      for (const auto& entity : item["entities"][i])
        expected.push_back({entity["type"], entity["begin"], entity["end"]});
      CHECK(entities_of(actual[i]) == expected);
      flat.add(predicted[i], actual[i]);
    }
    const auto metrics = compute_metrics(flat.task, flat.predictions, flat.labels, flat.starts);
    REQUIRE(metrics.size() == 4);
    for (const Metric& metric : metrics) {
      CAPTURE(metric.name);
      CHECK(metric.value == Approx(item[metric.name].get<double>()).epsilon(0).margin(1e-12));
    }
  }
}

TEST_CASE("entities: a sentence has a tag for each word, and no empty one") {
  CHECK_THROWS_WITH(count_entities(Tags{"O"}, Tags{"O", "O"}), ContainsSubstring("2 of the sentence, got 1"));
  CHECK_THROWS_WITH(entities_of(Tags{"O", ""}), ContainsSubstring("expected a tag"));
  CHECK(entities_of({}).empty());
}

}  // namespace tk
