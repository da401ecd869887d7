#include "transkimmer/cli/run/study.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "nn/optim/adamw.h"
#include "tensor/error.h"
#include "tensor/step_state.h"
#include "transkimmer/cli/run/signals.h"

namespace tk {
namespace {

StudyPoint point_of(double x, const std::vector<double>& values) {
  const auto n = static_cast<double>(values.size());
  double sum = 0, squares = 0;
  for (const double value : values) sum += value;
  for (const double value : values) squares += (value - sum / n) * (value - sum / n);
  return {.x = x,
          .mean = sum / n,
          .error = n > 1 ? std::sqrt(squares / (n - 1) / n) : 0,
          .seeds = static_cast<std::int64_t>(values.size())};
}

std::vector<std::string> estimators_in(const std::vector<StudyUnit>& units) {
  std::vector<std::string> names;
  for (const StudyUnit& unit : units) {
    if (std::ranges::find(names, unit.estimator) == names.end()) names.push_back(unit.estimator);
  }
  return names;
}

}  // namespace

std::vector<StudyCurve> study_curves(const Study& study, const std::vector<StudyUnit>& units) {
  std::vector<StudyCurve> curves;
  for (const StudyChart& chart : study.charts) {
    for (const std::string& estimator : estimators_in(units)) {
      std::map<double, std::vector<double>> values;
      for (const StudyUnit& unit : units) {
        if (unit.estimator != estimator) continue;
        for (const StudyValue& v : unit.values) {
          if (v.chart == chart.key) values[v.x].push_back(v.value);
        }
      }
      if (values.empty()) continue;
      StudyCurve curve{.chart = chart.key, .estimator = estimator, .points = {}};
      for (const auto& [x, of_seeds] : values) curve.points.push_back(point_of(x, of_seeds));
      curves.push_back(std::move(curve));
    }
  }
  return curves;
}

void warm_up(const ChosenEstimator& chosen, const std::function<void(std::int64_t step)>& call) {
  constexpr std::int64_t kCalls = 200;
  if (!chosen.estimator->learns) return;
  for (std::int64_t step = -kCalls; step < 0; ++step) call(step);
}

StudyValues descend(Parameter& z, const StudyDescent& descent, std::uint64_t seed, const std::string& chart,
                    const std::function<double()>& expected, const std::function<Variable(const Tensor&)>& loss) {
  AdamW adam({{{"z"}, &z}});
  StudyValues values;
  const std::int64_t every = std::max<std::int64_t>(1, descent.steps / descent.points);
  for (std::int64_t step = 0; step <= descent.steps; ++step) {
    if (step % every == 0) {
      throw_if_stopped();
      values.push_back({chart, static_cast<double>(step), expected()});
    }
    const Tensor state = make_step_state({.seed = seed,
                                          .step = step + 1,
                                          .learning_rate = {descent.learning_rate, descent.learning_rate},
                                          .temperature = descent.temperature});
    loss(state).backward();
    adam.step(state);
  }
  return values;
}

nlohmann::json unit_json(const StudyUnit& unit) {
  nlohmann::json values = nlohmann::json::array();
  for (const StudyValue& v : unit.values) values.push_back({v.chart, v.x, v.value});
  return {{"estimator", unit.estimator}, {"seed", unit.seed}, {"values", std::move(values)}};
}

StudyUnit unit_of(const nlohmann::json& json, const std::string& source) {
  try {
    StudyUnit unit{.estimator = json.at("estimator"), .seed = json.at("seed")};
    for (const nlohmann::json& v : json.at("values")) {
      // What is no number is null in JSON.
      const double value = v.at(2).is_null() ? std::nan("") : v.at(2).get<double>();
      unit.values.push_back({.chart = v.at(0), .x = v.at(1), .value = value});
    }
    return unit;
  } catch (const nlohmann::json::exception& error) {
    throw Error(concat(source, ": expected a study's values, ", error.what()));
  }
}

std::string study_csv(const Study& study, const std::vector<StudyUnit>& units) {
  std::string text = "study,chart,estimator,seed,x,value\n";
  for (const StudyUnit& unit : units) {
    for (const StudyValue& v : unit.values) {
      text += fmt::format("{},{},{},{},{:.9g},{:.9g}\n", study.name, v.chart, unit.estimator, unit.seed, v.x, v.value);
    }
  }
  return text;
}

nlohmann::json study_json(const Study& study, const std::vector<StudyCurve>& curves) {
  nlohmann::json all = nlohmann::json::array();
  for (const StudyCurve& curve : curves) {
    nlohmann::json points = nlohmann::json::array();
    for (const StudyPoint& p : curve.points) {
      points.push_back({{"x", p.x}, {"mean", p.mean}, {"standard_error", p.error}, {"seeds", p.seeds}});
    }
    all.push_back({{"chart", curve.chart}, {"estimator", curve.estimator}, {"points", std::move(points)}});
  }
  return {{"study", study.name}, {"curves", std::move(all)}};
}

std::string study_text(const Study& study, const std::vector<StudyCurve>& curves) {
  std::string text;
  for (const StudyChart& chart : study.charts) {
    text +=
        fmt::format("\n{}{}, by {}\n", chart.title, chart.unit.empty() ? "" : " (" + chart.unit + ")", chart.x_name);
    for (const StudyCurve& curve : curves) {
      if (curve.chart != chart.key) continue;
      text += fmt::format("  {:<14}", curve.estimator);
      // Of a history its end, else all points.
      const std::size_t first = chart.is_history ? curve.points.size() - 1 : 0;
      for (std::size_t i = first; i < curve.points.size(); ++i) {
        const StudyPoint& p = curve.points[i];
        text += fmt::format("  {:g}: {:.4g} ({:.1g})", p.x, p.mean, p.error);
      }
      text += '\n';
    }
  }
  return text;
}

}  // namespace tk
