#pragma once

#include <optional>

#include "transkimmer/classifier.h"
#include "transkimmer/cli/run/options.h"

namespace tk {

/// --speedup, of commands that ask a model which was skimmed for several (skim --speedup 2-5).
void add_speedup_flag(Flags& flags, std::optional<double>& speedup);

/// Moves the model's threshold to that speed-up, where one is given; throws where it was not skimmed for that.
void set_speedup(BertClassifier& model, const std::optional<double>& speedup);

}  // namespace tk
