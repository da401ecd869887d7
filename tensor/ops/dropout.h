#pragma once

#include "tensor/kernel_arguments.h"

namespace tk {

/// x with each element of row r zeroed with probability p, else scaled by 1 / (1 - p). The mask follows from `key`
/// alone, so applying it to dy is the backward. x [rows, cols].
Tensor dropout(const Tensor& x, const DropoutKey& key);

/// Throws "<op>: ..." unless p is in [0, 1) and the key names as many rows as asked.
void check_dropout(const char* op, const DropoutKey& key, std::int64_t rows);

}  // namespace tk
