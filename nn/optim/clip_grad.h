#pragma once

#include <span>

#include "nn/flat_parameters.h"

namespace tk {

/// The Euclidean norm of all gradients, dense and sparse, with a fixed tree. The optimizer writes it to the step state,
/// whose clip_factor() scales the update: clipping costs no pass of its own.
double grad_norm(const FlatParameters& parameters, std::span<const SparseRows> sparse);

}  // namespace tk
