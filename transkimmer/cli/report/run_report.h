#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "transkimmer/cli/report/report.h"
#include "transkimmer/cli/report/traces.h"
#include "transkimmer/cli/run/speed.h"
#include "transkimmer/cli/run/training_run.h"
#include "transkimmer/training/teacher.h"

namespace tk {

/// What a finished training run's report is made from.
struct RunReportInputs {
  const TaskModel& model;
  const Split& dev;  ///< the first dev set
  const TrainingResult& result;
  const Teaching& teaching;
  const std::optional<SpeedComparison>& speed;
  const Manifest& manifest;
  std::string title;
};

Report make_run_report(const RunReportInputs& inputs);

/// What a run's manifest says of machine, build, time and inputs, each with its name.
std::vector<std::pair<std::string, std::string>> manifest_facts(const nlohmann::json& manifest);

}  // namespace tk
