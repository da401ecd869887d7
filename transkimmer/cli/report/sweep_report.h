#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "transkimmer/cli/report/report.h"
#include "transkimmer/cli/run/sweep_results.h"

namespace tk {

/// A sweep's page: a picture a task, score against what the model costs, and the tables. `manifest`: the sweep's.
Report make_sweep_report(const std::vector<SweepTable>& tables, const nlohmann::json& manifest);

}  // namespace tk
