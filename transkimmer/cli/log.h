#pragma once

namespace tk {

/// Sends spdlog's lines to standard error as they are, warnings with "warning: " in front (in colour on a terminal).
void start_log();

}  // namespace tk
