#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "transkimmer/cli/report/report.h"
#include "transkimmer/cli/run/study.h"

namespace tk {

/// A study's charts, with bands of two standard errors, and the numbers of their points.
Report make_study_report(const Study& study, const std::vector<StudyCurve>& curves, const nlohmann::json& manifest);

}  // namespace tk
