#pragma once

#include <string>

#include "transkimmer/cli/report/report.h"

namespace tk {

/// The example sentences as HTML: every word shaded by the layers that read it, a stepper over the layers, and a table
/// of the words that each layer dropped; `layer_count` is at least 1.
std::string examples_html(const Report& report, std::int64_t layer_count);

}  // namespace tk
