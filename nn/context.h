#pragma once

#include <optional>

#include "tensor/kernel_arguments.h"
#include "tensor/packed.h"

namespace tk {

/// How a forward pass runs: training draws dropout and gates from the step state's random streams; evaluation is
/// deterministic and needs no state.
struct Context {
  bool training = false;
  Tensor state;                             ///< step_state; read in training
  std::optional<double> dropout_rate = {};  ///< in place of what each module has

  /// The dropout of `rows` in one stream: in training of rate p, or dropout_rate where that is set, else 0.
  DropoutKey dropout(double p, const Packed& rows, const Stream& stream) const {
    const double rate = dropout_rate.value_or(p);
    if (!training || rate == 0) return {};
    return {.p = rate, .state = state, .example = rows.example, .position = rows.position, .stream = stream};
  }
};

}  // namespace tk
