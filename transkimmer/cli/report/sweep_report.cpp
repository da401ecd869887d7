#include "transkimmer/cli/report/sweep_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "transkimmer/cli/report/html.h"
#include "transkimmer/cli/report/run_report.h"

namespace tk {
namespace {

// Scores against what `cost` says a row's model costs, as a percentage of the dense one, from the cheapest on.
template <class Cost>
Curve curve_of(const std::string& name, const SweepTable& table, const Cost& cost) {
  std::vector<SweepRow> rows = table.rows;
  std::erase_if(rows, [&](const SweepRow& row) { return !std::isfinite(cost(row)); });
  std::ranges::sort(rows, {}, cost);
  Curve curve{.name = name, .points = {}};
  for (const SweepRow& row : rows) {
    curve.points.push_back({100 * cost(row), 100 * row.score.mean});
    curve.ranges.push_back({100 * row.score.least, 100 * row.score.most});
  }
  return curve;
}

LineChart chart_of(const SweepTable& table) {
  LineChart chart{.title = table.task.shown_name(),
                  .unit = table.task.headline,
                  .curves = {},
                  .step_name = "cost, % of dense",
                  .is_history = false};
  chart.curves.push_back(
      curve_of("multiply-accumulates", table, [](const SweepRow& row) { return row.mac_share.mean; }));
  chart.curves.push_back(
      curve_of("measured time", table, [](const SweepRow& row) { return 1 / row.time_unpadded.mean; }));
  std::erase_if(chart.curves,
                [&](const Curve& curve) { return curve.points.size() < std::min<std::size_t>(2, table.rows.size()); });
  const SweepRow& first = table.rows.front();
  if (first.speedup || chart.curves.empty()) return chart;
  Curve dense{.name = "dense", .points = {}, .style = LineStyle::kDashed};
  double least = 100, most = 100;
  for (const Curve& curve : chart.curves) {
    for (const CurvePoint& point : curve.points) {
      least = std::min(least, point.step);
      most = std::max(most, point.step);
    }
  }
  for (const double cost : {least, most}) dense.points.push_back({cost, 100 * first.score.mean});
  chart.curves.push_back(std::move(dense));
  return chart;
}

std::string score_text(const Spread& score) {
  const std::string mean = format_score(score.mean);
  return score.count > 1 ? fmt::format("{} ({} to {})", mean, format_score(score.least), format_score(score.most))
                         : mean;
}

std::string percent_change(double share) {
  return fmt::format("{}{}", std::isfinite(share) && share > 0 ? "+" : "", format_percent(share));
}

ReportTable table_of(const SweepTable& table) {
  ReportTable shown{.title = fmt::format("{}, {}", table.task.shown_name(), table.task.headline),
                    .header = {"Model", "Score", "Change", "MACs", "Speed-up", "Against budget", "Measured speed-up"},
                    .rows = {}};
  if (table.has_test()) shown.header.insert(shown.header.begin() + 3, "On test rows");
  for (const SweepRow& row : table.rows) {
    std::vector<std::string> cells = {row_name(row.speedup),
                                      score_text(row.score),
                                      row.speedup ? format_score_change(row.change.mean, 0) : "",
                                      format_percent(row.mac_share.mean),
                                      format_factor(1 / row.mac_share.mean),
                                      row.speedup ? percent_change(row.budget_excess.mean) : "",
                                      format_factor(row.time_unpadded.mean)};
    if (table.has_test()) cells.insert(cells.begin() + 3, score_text(row.test_score));
    shown.rows.push_back(std::move(cells));
  }
  return shown;
}

ReportTable table_of(const std::vector<SweepMean>& means) {
  ReportTable shown{.title = "Mean over tasks, without WNLI",
                    .header = {"Model", "Score", "Tasks", "Change", "MACs", "Speed-up", "Measured speed-up"},
                    .rows = {}};
  for (const SweepMean& mean : means) {
    shown.rows.push_back({row_name(mean.speedup), format_score(mean.score), std::to_string(mean.tasks),
                          mean.speedup ? format_score_change(mean.change, 0) : "", format_percent(mean.mac_share),
                          format_factor(1 / mean.mac_share), format_factor(mean.time_unpadded)});
  }
  return shown;
}

}  // namespace

Report make_sweep_report(const std::vector<SweepTable>& tables, const nlohmann::json& manifest) {
  Report report;
  report.title = "Score against cost";
  report.command = manifest.value("command", "");
  report.summary = {
      "Dev scores of dense models and of models that are skimmed from them: the mean over the seeds, and the range "
      "between the least and the greatest. The cost is that of the dense model with the same weights on the same "
      "sentences, without padding: multiply-accumulates counted, and time measured beside it."};
  report.charts_title = "Pictures";
  for (const SweepTable& table : tables) {
    report.charts.push_back(chart_of(table));
    report.tables.push_back(table_of(table));
  }
  if (tables.size() > 1) report.tables.insert(report.tables.begin(), table_of(sweep_means(tables)));
  report.facts = manifest_facts(manifest);
  return report;
}

}  // namespace tk
