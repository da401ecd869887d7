#pragma once

#include <filesystem>

#include "tensor/io/safetensors.h"

namespace tk {

/// Writes the model folder `in` again as `out`, with its floating-point weights in `storage` and every weight under its
/// published name. `in` may also name the weights' file inside the folder. `out` must not exist or be an empty folder.
/// Throws tk::Error.
void convert(const std::filesystem::path& in, const std::filesystem::path& out, FloatStorage storage);

}  // namespace tk
