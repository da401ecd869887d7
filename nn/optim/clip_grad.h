#pragma once

#include "nn/flat_parameters.h"

namespace tk {

/// Writes the Euclidean norm of all gradients, dense and sparse, to the step state, whose clip_factor() scales the
/// update: clipping costs no pass of its own.
void grad_norm(const Gradients& gradients, const Tensor& state);

}  // namespace tk
