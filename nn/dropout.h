#pragma once

#include "autograd/ops/dropout.h"
#include "nn/context.h"

namespace tk {

/// Dropout of x [rows, cols] at rate p in training; the identity in evaluation.
struct Dropout {
  double p = 0;
  Stream stream;

  Variable operator()(const Variable& x, const Packed& rows, const Context& context) const {
    return dropout(x, context.dropout(p, rows, stream));
  }
};

}  // namespace tk
