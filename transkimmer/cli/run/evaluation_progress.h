#pragma once

#include <cstdint>
#include <functional>

#include "transkimmer/cli/run/progress.h"

namespace tk {

/// What EvaluationOptions::progress takes: a bar for each pass, and Interrupted when a signal asks to stop.
std::function<void(std::int64_t done, std::int64_t total)> evaluation_progress(ProgressMode mode);

}  // namespace tk
