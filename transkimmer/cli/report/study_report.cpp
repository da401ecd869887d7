#include "transkimmer/cli/report/study_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "autograd/estimators/estimators.h"
#include "transkimmer/cli/report/run_report.h"

namespace tk {
namespace {

Curve curve_of(const StudyCurve& measured) {
  Curve curve{.name = measured.estimator, .points = {}};
  for (const StudyPoint& p : measured.points) {
    curve.points.push_back({p.x, p.mean});
    curve.ranges.push_back({p.mean - 2 * p.error, p.mean + 2 * p.error});
  }
  return curve;
}

bool is_pathwise(const StudyCurve& curve) { return choose_estimator(curve.estimator).estimator->surrogate == nullptr; }

// The curves of one kind of estimators: all in one picture hide each other.
LineChart picture_of(const StudyChart& chart, const std::vector<StudyCurve>& curves, bool pathwise) {
  LineChart shown{.title = chart.title + (pathwise ? ", pathwise" : ", score functions"),
                  .unit = chart.unit,
                  .curves = {},
                  .step_name = chart.x_name,
                  .is_history = chart.is_history};
  for (const StudyCurve& curve : curves) {
    if (curve.chart == chart.key && is_pathwise(curve) == pathwise) shown.curves.push_back(curve_of(curve));
  }
  return shown;
}

// Of a history its end, else all points.
ReportTable table_of(const StudyChart& chart, const std::vector<StudyCurve>& curves) {
  ReportTable table{
      .title = chart.unit.empty() ? chart.title : chart.title + ", " + chart.unit, .header = {"Estimator"}, .rows = {}};
  std::vector<double> places;
  for (const StudyCurve& curve : curves) {
    if (curve.chart != chart.key) continue;
    for (const StudyPoint& p : curve.points) {
      if (std::ranges::find(places, p.x) == places.end()) places.push_back(p.x);
    }
  }
  std::ranges::sort(places);
  if (chart.is_history && !places.empty()) places = {places.back()};
  for (const double x : places) table.header.push_back(fmt::format("{} {:g}", chart.x_name, x));
  for (const StudyCurve& curve : curves) {
    if (curve.chart != chart.key) continue;
    std::vector<std::string> row = {curve.estimator};
    for (const double x : places) {
      const auto point = std::ranges::find(curve.points, x, &StudyPoint::x);
      row.push_back(point == curve.points.end() ? ""
                    : point->seeds > 1          ? fmt::format("{:.4g} ± {:.1g}", point->mean, point->error)
                                                : fmt::format("{:.4g}", point->mean));
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

}  // namespace

Report make_study_report(const Study& study, const std::vector<StudyCurve>& curves, const nlohmann::json& manifest) {
  Report report;
  report.title = "Gradient estimators: " + study.name;
  report.command = manifest.value("command", "");
  report.summary = study.summary;
  report.charts_title = "Pictures";
  for (const StudyChart& chart : study.charts) {
    for (const bool pathwise : {true, false}) {
      LineChart shown = picture_of(chart, curves, pathwise);
      if (!shown.curves.empty()) report.charts.push_back(std::move(shown));
    }
    report.tables.push_back(table_of(chart, curves));
  }
  report.facts = manifest_facts(manifest);
  return report;
}

}  // namespace tk
