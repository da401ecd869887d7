#include "transkimmer/cli/report/run_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "data/metrics.h"
#include "transkimmer/cli/run/batch_flags.h"
#include "transkimmer/cli/run/word_tags.h"
#include "transkimmer/config.h"

namespace tk {
namespace {

constexpr std::int64_t kExamples = 10;

bool skims(const RunReportInputs& in) { return in.model.model->config().skim_gate != SkimGate::kNone; }

const Evaluation& evaluation(const RunReportInputs& in) { return in.result.scores.front().evaluation; }

// The mean of a window that trails by about a fiftieth of the run.
std::vector<CurvePoint> smoothed(const std::vector<CurvePoint>& points) {
  const double keep = 1 - 1 / std::max(2.0, static_cast<double>(points.size()) / 50);
  std::vector<CurvePoint> result;
  double sum = 0;
  double weight = 0;
  for (const CurvePoint& point : points) {
    sum = keep * sum + point.value;
    weight = keep * weight + 1;
    result.push_back({point.step, sum / weight});
  }
  return result;
}

std::vector<ReportScore> scores(const RunReportInputs& in) {
  std::vector<ReportScore> result;
  for (std::size_t s = 0; s < in.result.scores.size(); ++s) {
    const SplitScore& score = in.result.scores[s];
    for (std::size_t m = 0; m < score.metrics.size(); ++m) {
      ReportScore row{.metric = score.metrics[m].name + score.suffix, .value = score.metrics[m].value};
      if (s < in.teaching.scores.size()) row.dense = in.teaching.scores[s].metrics[m].value;
      result.push_back(row);
    }
  }
  const auto is_headline = [&](const ReportScore& score) { return score.metric == in.model.task.headline; };
  std::stable_partition(result.begin(), result.end(), is_headline);
  return result;
}

ReportSpeedUps speed_ups(const RunReportInputs& in) {
  const Evaluation& e = evaluation(in);
  ReportSpeedUps s{.macs_padded = e.padded_macs / e.counted_macs};
  s.padded_length = in.model.task.padded_length;
  if (in.speed) {
    s.padded_length = in.speed->padded_length;
    s.batch = text_of(in.speed->batch);
    s.time_padded = in.speed->time_padded();
  }
  if (!skims(in)) return s;  // the dense model is its own measure
  s.macs_unpadded = e.dense_macs / e.counted_macs;
  if (in.speed) s.time_unpadded = in.speed->time_unpadded();
  return s;
}

std::vector<LineChart> charts(const RunReportInputs& in) {
  const TrainingCurves& c = in.result.curves;
  std::vector<LineChart> result;
  result.push_back({.title = "Training loss",
                    .unit = "all terms",
                    .curves = {{.name = "each step", .points = c.loss, .style = LineStyle::kFaint},
                               {.name = "smoothed", .points = smoothed(c.loss)}}});
  if (c.dev_score.size() > 1) {
    result.push_back(
        {.title = "Dev score", .unit = in.model.task.headline, .curves = {{in.model.task.headline, c.dev_score}}});
  }
  if (!c.mac_share.empty()) {
    LineChart chart;
    chart.title = "Computation in training";
    chart.unit = "share of the dense MACs";
    chart.curves = {{.name = "each step", .points = c.mac_share, .style = LineStyle::kFaint},
                    {.name = "smoothed", .points = smoothed(c.mac_share)}};
    if (!c.budget.empty()) chart.curves.push_back({"budget", c.budget, LineStyle::kDashed});
    chart.is_percent = true;
    chart.starts_at_zero = true;
    result.push_back(chart);
  }
  return result;
}

std::vector<ReportLayer> layers(const RunReportInputs& in) {
  std::vector<ReportLayer> result;
  if (!skims(in)) return result;
  for (const LayerShares& layer : evaluation(in).layers) result.push_back({layer.keys, layer.updated, layer.fed});
  return result;
}

// "Oslo/B-location, ..." of the words that are part of an entity. `values`: the class of each token, -1 where none is
// asked for.
std::string tags_text(const RunReportInputs& in, const std::vector<double>& values, std::size_t at) {
  const std::int64_t first = label_starts(in.dev.tokenized, TaskKind::kTokens)[at];
  const auto own = std::span(values).subspan(static_cast<std::size_t>(first));
  std::vector<std::string> tagged;
  for (const auto& [word, tag] : word_tags(in.model, in.dev.examples[at], std::ssize(in.dev.tokenized[at].ids), own)) {
    if (tag != nullptr && *tag != "O") tagged.push_back(fmt::format("{}/{}", word, *tag));
  }
  return tagged.empty() ? "no entity" : fmt::format("{}", fmt::join(tagged, ", "));
}

// What a dev example's label is, or what a model says of it, by the labels or predictions of all.
std::string answer_text(const RunReportInputs& in, const std::vector<double>& values, std::size_t at) {
  const Task& task = in.model.task;
  switch (task.kind) {
    case TaskKind::kRegression:
      return fmt::format("{:.2f}", values[at]);
    case TaskKind::kTokens:
      return tags_text(in, values, at);
    case TaskKind::kMultiLabel: {
      const std::size_t several = task.labels.size();
      const auto names = applying_labels(task, std::span(values).subspan(at * several, several));
      return names.empty() ? "no label" : fmt::format("{}", fmt::join(names, ", "));
    }
    case TaskKind::kClassification:
      break;
  }
  return task.labels[static_cast<std::size_t>(values[at])];
}

std::vector<ReportExample> examples(const RunReportInputs& in) {
  if (!skims(in)) return {};
  const std::vector<double> gold = labels_of(in.dev.tokenized, in.model.task.kind);
  const std::vector<double> predictions = predictions_from_logits(in.model.task, evaluation(in).logits);
  std::vector<double> dense;
  if (!in.teaching.scores.empty()) {
    dense = predictions_from_logits(in.model.task, in.teaching.scores.front().evaluation.logits);
  }
  std::vector<ReportExample> result;
  for (const Trace& trace :
       trace_words(*in.model.model, in.model.tokenizer, in.dev, readable_examples(in.dev, kExamples))) {
    const auto at = static_cast<std::size_t>(trace.index);
    result.push_back({.words = trace.words,
                      .gold = answer_text(in, gold, at),
                      .prediction = answer_text(in, predictions, at),
                      .dense_prediction = dense.empty() ? "" : answer_text(in, dense, at),
                      .cost_share = trace.cost_share});
  }
  return result;
}

std::vector<std::string> summary_of(const RunReportInputs& in, const std::vector<ReportScore>& scores) {
  const Evaluation& e = evaluation(in);
  const ReportScore& score = scores.front();
  if (!skims(in)) {
    return {fmt::format("A dense model, fine-tuned on {} examples: {} {:.1f} on the dev set.", in.result.train_examples,
                        score.metric, 100 * score.value)};
  }
  std::string text = fmt::format("The skimmed model scores {} {:.1f} on the dev set", score.metric, 100 * score.value);
  if (std::isfinite(score.dense)) text += fmt::format(", its dense teacher {:.1f}", 100 * score.dense);
  text += fmt::format(". It spends {:.1f} % of the multiply-accumulates of a dense model on the same sentences.",
                      100 * e.mac_share());
  if (in.speed) {
    text += fmt::format(" Measured with its own weights and nothing skimmed, it is {:.2f} times as fast.",
                        in.speed->time_unpadded());
  }
  return {text};
}

std::string fact_text(const nlohmann::json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace

std::vector<std::pair<std::string, std::string>> manifest_facts(const nlohmann::json& manifest) {
  std::vector<std::pair<std::string, std::string>> result;
  for (const char* key : {"started", "seed", "processor", "threads"})
    result.emplace_back(key, fact_text(manifest[key]));
  for (const auto& [key, value] : manifest["build"].items()) result.emplace_back(key, fact_text(value));
  for (const auto& [key, value] : manifest["seconds"].items()) result.emplace_back("seconds: " + key, fact_text(value));
  for (const auto& file : manifest["files"]) {
    result.emplace_back(file["path"].get<std::string>(), fact_text(file["bytes"]) + " bytes");
  }
  return result;
}

Report make_run_report(const RunReportInputs& in) {
  Report report;
  report.title = in.title;
  report.task = in.model.task.shown_name();
  report.model = summary(in.model.model->config());
  report.command = in.manifest.json()["command"].get<std::string>();
  report.scores = scores(in);
  report.summary = summary_of(in, report.scores);
  report.speed_ups = speed_ups(in);
  report.charts = charts(in);
  report.layers = layers(in);
  report.is_staged = in.model.model->config().skim_gate == SkimGate::kStaged;
  report.is_regression = in.model.task.regression();
  report.examples = examples(in);
  report.facts = manifest_facts(in.manifest.json());
  return report;
}

}  // namespace tk
