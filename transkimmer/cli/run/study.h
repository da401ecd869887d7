#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "autograd/estimators/estimators.h"
#include "nn/parameter.h"

// What experiments on gradient estimators have in common: the study commands.
namespace tk {

/// A number that an experiment measured: a point of a chart.
struct StudyValue {
  std::string chart;  ///< StudyChart::key
  double x = 0;
  double value = 0;
};
using StudyValues = std::vector<StudyValue>;

struct StudyChart {
  std::string key;    ///< in files: "bias"
  std::string title;  ///< "Bias of the gradient"
  std::string unit;
  std::string x_name;
  bool is_history = false;  ///< x are steps
};

/// An experiment, which measures one estimator with one seed at a time.
struct Study {
  std::string name;
  std::vector<std::string> summary;  ///< what was done, in sentences
  std::vector<StudyChart> charts;
  std::function<StudyValues(const std::string& estimator, std::uint64_t seed)> measure;
};

/// All values that one estimator gave with one seed.
struct StudyUnit {
  std::string estimator;
  std::uint64_t seed = 0;
  StudyValues values = {};
};

/// Values of all seeds at one x.
struct StudyPoint {
  double x = 0;
  double mean = 0;
  double error = 0;  ///< standard error of the mean; 0 of one seed
  std::int64_t seeds = 0;
};
struct StudyCurve {
  std::string chart, estimator;
  std::vector<StudyPoint> points;
};
/// A curve for each chart and estimator, in the order of the charts and in which the estimators came.
std::vector<StudyCurve> study_curves(const Study& study, const std::vector<StudyUnit>& units);

/// Calls an estimator that learns (Estimator::learns) before what it gives is measured; others not at all. Their steps
/// are below 0.
void warm_up(const ChosenEstimator& chosen, const std::function<void(std::int64_t step)>& call);

/// How Adam goes down an expected cost.
struct StudyDescent {
  std::int64_t steps = 0;
  double learning_rate = 0;
  double temperature = 1;   ///< of the step state
  std::int64_t points = 0;  ///< values that are noted, about, and the one before the first step
};
/// Adam on z by estimates of the cost: `loss` gives one for a step's state. Notes what `expected` says of z.
StudyValues descend(Parameter& z, const StudyDescent& descent, std::uint64_t seed, const std::string& chart,
                    const std::function<double()>& expected, const std::function<Variable(const Tensor& state)>& loss);

nlohmann::json unit_json(const StudyUnit& unit);
/// Throws tk::Error with `source` if it is none.
StudyUnit unit_of(const nlohmann::json& json, const std::string& source);

/// A line for each value: study, chart, estimator, seed, x, value.
std::string study_csv(const Study& study, const std::vector<StudyUnit>& units);
nlohmann::json study_json(const Study& study, const std::vector<StudyCurve>& curves);
/// A table for the terminal: estimators down, the last point of each chart across.
std::string study_text(const Study& study, const std::vector<StudyCurve>& curves);

}  // namespace tk
