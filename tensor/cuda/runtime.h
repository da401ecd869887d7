#pragma once

#include "tensor/backend.h"

// What the rest of the library sees of the CUDA runtime.
namespace tk::cuda {

/// Why there is no CUDA device to use; empty if there is one.
std::string unavailable();

extern const Backend kBackend;

}  // namespace tk::cuda
