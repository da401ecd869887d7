#pragma once

#include <span>

#include "autograd/variable.h"

namespace tk {

/// Variables one after the other along dimension `dim`.
Variable join(std::span<const Variable> parts, std::int64_t dim = 0);

}  // namespace tk
