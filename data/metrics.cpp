#include "data/metrics.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <numeric>

#include "data/entities.h"
#include "tensor/error.h"

namespace tk {
namespace {

using Values = std::span<const double>;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

void check_equal_number(const char* metric, Values predictions, Values labels) {
  TK_CHECK(predictions.size() == labels.size(), metric, ": expected as many predictions as labels, got ",
           predictions.size(), " and ", labels.size());
}

double ratio_or_zero(double numerator, double denominator) { return denominator == 0 ? 0 : numerator / denominator; }

bool is_constant(std::span<const double> x) {
  return std::all_of(x.begin(), x.end(), [&](double value) { return value == x[0]; });
}

// Deviations from the mean, each side scaled to length 1: SciPy's order of operations.
double correlation(std::vector<double> x, std::vector<double> y) {
  if (is_constant(x) || is_constant(y)) return kNaN;
  const auto normalize = [](std::vector<double>& v) {
    const double mean = std::accumulate(v.begin(), v.end(), 0.0) / static_cast<double>(v.size());
    for (double& value : v) value -= mean;
    const double norm = std::sqrt(std::inner_product(v.begin(), v.end(), v.begin(), 0.0));
    for (double& value : v) value /= norm;
  };
  normalize(x);
  normalize(y);
  return std::clamp(std::inner_product(x.begin(), x.end(), y.begin(), 0.0), -1.0, 1.0);
}

std::vector<double> average_ranks(Values values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (std::size_t first = 0, end = 0; first < order.size(); first = end) {
    while (end < order.size() && values[order[end]] == values[order[first]]) ++end;
    // Places first + 1 .. end, counted from 1, share their mean.
    for (std::size_t i = first; i < end; ++i) ranks[order[i]] = 0.5 * static_cast<double>(first + 1 + end);
  }
  return ranks;
}

bool all_finite(Values values) {
  return std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); });
}

bool has_nan(Values values) {
  return std::any_of(values.begin(), values.end(), [](double value) { return std::isnan(value); });
}

std::int64_t argmax(Values row) {
  std::size_t best = 0;
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (std::isnan(row[i])) return static_cast<std::int64_t>(i);
    if (row[i] > row[best]) best = i;
  }
  return static_cast<std::int64_t>(best);
}

// By Hugging Face's keys.
using MetricFunction = double (*)(Values predictions, Values labels);
const std::map<std::string, MetricFunction>& metric_functions() {
  static const std::map<std::string, MetricFunction> functions = {{"accuracy", &accuracy},
                                                                  {"f1", &f1},
                                                                  {"matthews_correlation", &matthews_correlation},
                                                                  {"pearson", &pearson},
                                                                  {"spearmanr", &spearman}};
  return functions;
}

// The labelled words of each sentence, as class ids.
struct LabelledWords {
  std::vector<std::vector<double>> predictions;
  std::vector<std::vector<double>> labels;
};

LabelledWords labelled_words(Values predictions, Values labels, std::span<const std::int64_t> starts) {
  TK_CHECK(starts.size() > 0 && starts.back() == std::ssize(labels),
           "compute_metrics: expected where the labels of each sentence begin, and that they end at ", labels.size());
  LabelledWords words;
  for (std::size_t sentence = 0; sentence + 1 < starts.size(); ++sentence) {
    auto& predicted = words.predictions.emplace_back();
    auto& actual = words.labels.emplace_back();
    for (auto i = static_cast<std::size_t>(starts[sentence]); i < static_cast<std::size_t>(starts[sentence + 1]); ++i) {
      if (labels[i] == -1) continue;
      predicted.push_back(predictions[i]);
      actual.push_back(labels[i]);
    }
  }
  return words;
}

std::vector<std::string> names_of(const Task& task, Values classes) {
  std::vector<std::string> names;
  for (const double id : classes) names.push_back(task.labels.at(static_cast<std::size_t>(id)));
  return names;
}

// What the metrics of words are made of.
struct WordCounts {
  EntityCounts entities;
  std::int64_t words = 0;
  std::int64_t right = 0;
};

WordCounts count_words(const Task& task, const LabelledWords& words) {
  WordCounts counts;
  for (std::size_t i = 0; i < words.labels.size(); ++i) {
    const std::vector<std::string> predicted = names_of(task, words.predictions[i]);
    const std::vector<std::string> actual = names_of(task, words.labels[i]);
    counts.entities += count_entities(predicted, actual);
    counts.words += std::ssize(actual);
    for (std::size_t word = 0; word < actual.size(); ++word) counts.right += predicted[word] == actual[word];
  }
  return counts;
}

using TokenMetricFunction = double (*)(const WordCounts& counts);
const std::map<std::string, TokenMetricFunction>& token_metric_functions() {
  static const std::map<std::string, TokenMetricFunction> functions = {
      {"accuracy",
       [](const WordCounts& counts) {
         return counts.words == 0 ? kNaN : static_cast<double>(counts.right) / static_cast<double>(counts.words);
       }},
      {"precision", [](const WordCounts& counts) { return counts.entities.precision(); }},
      {"recall", [](const WordCounts& counts) { return counts.entities.recall(); }},
      {"f1", [](const WordCounts& counts) { return counts.entities.f1(); }}};
  return functions;
}

// What is predicted of labels, and what is so: of one label, or of all.
struct LabelCounts {
  double both = 0;
  double predicted = 0;
  double actual = 0;

  void operator+=(const LabelCounts& other) {
    both += other.both;
    predicted += other.predicted;
    actual += other.actual;
  }
  double precision() const { return ratio_or_zero(both, predicted); }
  double recall() const { return ratio_or_zero(both, actual); }
  double f1() const { return ratio_or_zero(2 * both, predicted + actual); }
};

struct SeveralLabels {
  std::vector<LabelCounts> by_label;
  std::int64_t examples = 0;
  std::int64_t right = 0;  // examples all of whose labels are

  LabelCounts all() const {
    LabelCounts sum;
    for (const LabelCounts& counts : by_label) sum += counts;
    return sum;
  }
};

SeveralLabels count_labels(const Task& task, Values predictions, Values labels) {
  const std::size_t several = task.labels.size();
  TK_CHECK(several > 0 && labels.size() % several == 0, "compute_metrics: expected ", several,
           " labels of each example, got ", labels.size(), " in all");
  SeveralLabels counts{.by_label = std::vector<LabelCounts>(several)};
  for (std::size_t example = 0; example < labels.size(); example += several) {
    bool is_known = false, is_right = true;
    for (std::size_t i = 0; i < several; ++i) {
      const double predicted = predictions[example + i], actual = labels[example + i];
      if (actual == -1) continue;
      is_known = true;
      is_right = is_right && predicted == actual;
      counts.by_label[i] += {.both = predicted * actual, .predicted = predicted, .actual = actual};
    }
    counts.examples += is_known;
    counts.right += is_known && is_right;
  }
  return counts;
}

using SeveralMetricFunction = double (*)(const SeveralLabels& counts);
const std::map<std::string, SeveralMetricFunction>& several_metric_functions() {
  static const std::map<std::string, SeveralMetricFunction> functions = {
      {"accuracy",
       [](const SeveralLabels& c) {
         return c.examples == 0 ? kNaN : static_cast<double>(c.right) / static_cast<double>(c.examples);
       }},
      {"precision", [](const SeveralLabels& c) { return c.all().precision(); }},
      {"recall", [](const SeveralLabels& c) { return c.all().recall(); }},
      {"f1", [](const SeveralLabels& c) { return c.all().f1(); }},
      {"f1_macro", [](const SeveralLabels& c) {
         double sum = 0;
         for (const LabelCounts& label : c.by_label) sum += label.f1();
         return sum / static_cast<double>(c.by_label.size());
       }}};
  return functions;
}

// The task's metrics of what was counted, by their functions.
template <class Functions, class Counts>
std::vector<Metric> metrics_of(const Task& task, const Functions& functions, const Counts& counts) {
  std::vector<Metric> metrics;
  for (const std::string& name : task.metrics) metrics.push_back({name, functions.at(name)(counts)});
  return metrics;
}

}  // namespace

double accuracy(Values predictions, Values labels) {
  check_equal_number("accuracy", predictions, labels);
  if (labels.empty()) return kNaN;
  const double equal =
      std::inner_product(predictions.begin(), predictions.end(), labels.begin(), 0.0, std::plus<>(),
                         [](double prediction, double label) { return prediction == label ? 1.0 : 0.0; });
  return equal / static_cast<double>(labels.size());
}

double f1(Values predictions, Values labels) {
  check_equal_number("f1", predictions, labels);
  double true_positives = 0;
  double predicted = 0;
  double actual = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    for (const double value : {predictions[i], labels[i]}) {
      TK_CHECK(value == 0 || value == 1, "f1: expected classes 0 and 1, got ", value);
    }
    true_positives += predictions[i] * labels[i];
    predicted += predictions[i];
    actual += labels[i];
  }
  const double precision = ratio_or_zero(true_positives, predicted);
  const double recall = ratio_or_zero(true_positives, actual);
  return ratio_or_zero(2 * precision * recall, precision + recall);
}

double matthews_correlation(Values predictions, Values labels) {
  check_equal_number("matthews_correlation", predictions, labels);
  struct Count {
    double predicted = 0;
    double actual = 0;
  };
  std::map<double, Count> counts;
  double correct = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    ++counts[predictions[i]].predicted;
    ++counts[labels[i]].actual;
    correct += predictions[i] == labels[i];
  }
  // Covariances times n^2: of predictions with labels, and of each with itself.
  const auto n = static_cast<double>(labels.size());
  double both = correct * n;
  double predicted = n * n;
  double actual = n * n;
  for (const auto& [value, count] : counts) {
    both -= count.predicted * count.actual;
    predicted -= count.predicted * count.predicted;
    actual -= count.actual * count.actual;
  }
  return ratio_or_zero(both, std::sqrt(predicted * actual));
}

double pearson(Values predictions, Values labels) {
  check_equal_number("pearson", predictions, labels);
  if (labels.size() < 2 || !all_finite(predictions) || !all_finite(labels)) return kNaN;
  if (labels.size() == 2 && predictions[0] != predictions[1] && labels[0] != labels[1]) {
    return (predictions[0] < predictions[1]) == (labels[0] < labels[1]) ? 1 : -1;  // exactly
  }
  return correlation({predictions.begin(), predictions.end()}, {labels.begin(), labels.end()});
}

double spearman(Values predictions, Values labels) {
  check_equal_number("spearman", predictions, labels);
  if (labels.size() < 2 || has_nan(predictions) || has_nan(labels)) return kNaN;
  return correlation(average_ranks(predictions), average_ranks(labels));
}

std::vector<Metric> compute_metrics(const Task& task, Values predictions, Values labels,
                                    std::span<const std::int64_t> starts) {
  check_metrics(task);
  check_equal_number("compute_metrics", predictions, labels);
  if (task.kind == TaskKind::kTokens) {
    const WordCounts counts = count_words(task, labelled_words(predictions, labels, starts));
    return metrics_of(task, token_metric_functions(), counts);
  }
  if (task.kind == TaskKind::kMultiLabel) {
    return metrics_of(task, several_metric_functions(), count_labels(task, predictions, labels));
  }
  std::vector<Metric> metrics;
  double sum = 0;
  for (const std::string& name : task.metrics) {
    metrics.push_back({name, metric_functions().at(name)(predictions, labels)});
    sum += metrics.back().value;
  }
  if (task.has_combined_score()) metrics.push_back({"combined_score", sum / static_cast<double>(metrics.size())});
  return metrics;
}

void check_metrics(const Task& task) {
  const bool of_tokens = task.kind == TaskKind::kTokens, of_several = task.kind == TaskKind::kMultiLabel;
  for (const std::string& name : task.metrics) {
    const bool is_known = of_tokens    ? token_metric_functions().contains(name)
                          : of_several ? several_metric_functions().contains(name)
                                       : metric_functions().contains(name);
    TK_CHECK(is_known, "task ", task.name, ": unknown metric \"", name, "\"");
    TK_CHECK(of_tokens || of_several || name != "f1" || task.labels.size() == 2, "task ", task.name,
             ": f1 expects two labels, got ", task.labels.size());
  }
}

double headline(const Task& task, const std::vector<Metric>& metrics) {
  const auto found =
      std::find_if(metrics.begin(), metrics.end(), [&](const Metric& metric) { return metric.name == task.headline; });
  TK_CHECK(found != metrics.end(), "headline: expected the metric ", task.headline, " of task ", task.name);
  return found->value;
}

std::vector<double> predictions_from_logits(const Task& task, const Tensor& logits) {
  TK_CHECK(logits.rank() == 2 && logits.size(1) == task.outputs(), "predictions_from_logits: expected [examples, ",
           task.outputs(), "] for task ", task.name, ", got ", logits.shape());
  const std::vector<double> values = logits.to(DType::kFloat64).to_vector<double>();
  if (task.regression()) return values;
  if (task.kind == TaskKind::kMultiLabel) {
    std::vector<double> applies;
    for (const double value : values) applies.push_back(value > 0 ? 1 : 0);
    return applies;
  }
  const auto classes = static_cast<std::size_t>(task.outputs());
  std::vector<double> predictions;
  for (std::size_t row = 0; row < values.size(); row += classes) {
    predictions.push_back(static_cast<double>(argmax(Values(values).subspan(row, classes))));
  }
  return predictions;
}

std::vector<std::string> applying_labels(const Task& task, std::span<const double> applies) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < task.labels.size(); ++i) {
    if (applies[i] == 1) names.push_back(task.labels[i]);
  }
  return names;
}

}  // namespace tk
