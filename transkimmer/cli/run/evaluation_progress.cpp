#include "transkimmer/cli/run/evaluation_progress.h"

#include <memory>

#include "transkimmer/cli/run/signals.h"

namespace tk {

std::function<void(std::int64_t, std::int64_t)> evaluation_progress(ProgressMode mode, bool stops) {
  return [mode, stops, bar = std::shared_ptr<Progress>()](std::int64_t done, std::int64_t total) mutable {
    if (stops) throw_if_stopped();
    if (!bar) bar = std::make_shared<Progress>("evaluate", total, mode);
    bar->update(done);
    if (done == total) bar.reset();  // the next pass has a bar of its own
  };
}

}  // namespace tk
