#include "transkimmer/cli/run/speedup_flag.h"

#include "tensor/error.h"
#include "transkimmer/cli/run/log.h"

namespace tk {

void add_speedup_flag(Flags& flags, std::optional<double>& speedup) {
  flags
      .add(
          "--speedup", speedup,
          "of a model that was skimmed for several: how many times fewer multiply-accumulates than dense (default: the "
          "one that it was left at)")
      .range(1, 100);
}

void set_speedup(BertClassifier& model, const std::optional<double>& speedup) {
  if (!speedup) return;
  try {
    model.set_skim_threshold(skim_threshold_for(model.config(), *speedup));
  } catch (const Error& error) {
    throw Error(concat("--speedup: ", error.what()));
  }
  info("skim threshold {:.3f}", model.config().skim_threshold);
}

}  // namespace tk
