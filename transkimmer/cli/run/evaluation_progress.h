#pragma once

#include <cstdint>
#include <functional>

#include "transkimmer/cli/run/progress.h"

namespace tk {

/// What EvaluationOptions::progress takes: a bar for each pass, and with `stops` Interrupted when a signal asks to
/// stop, which others who evaluate with this process would not know.
std::function<void(std::int64_t done, std::int64_t total)> evaluation_progress(ProgressMode mode, bool stops = true);

}  // namespace tk
