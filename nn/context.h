#pragma once

#include "tensor/kernel_arguments.h"
#include "tensor/packed.h"

namespace tk {

/// How a forward pass runs: training draws dropout and gates from the step state's random streams; evaluation is
/// deterministic and needs no state.
struct Context {
  bool training = false;
  Tensor state;  ///< step_state; read in training

  /// The dropout of `rows` in one stream: rate p in training, else 0.
  DropoutKey dropout(double p, const Packed& rows, const Stream& stream) const {
    if (!training || p == 0) return {};
    return {.p = p, .state = state, .example = rows.example, .position = rows.position, .stream = stream};
  }
};

}  // namespace tk
