#pragma once

#include "tensor/kernel_arguments.h"

namespace tk {

/// Throws "<op>: ..." unless a wanted sum is contiguous and of the shape and dtype of `like`.
inline void check_target(const char* op, const SumTarget& sum, const Tensor& like) {
  TK_CHECK(!sum || (sum.out.shape() == like.shape() && sum.out.dtype() == like.dtype() && sum.out.is_contiguous()), op,
           ": expected a contiguous sum of ", like.dtype(), ' ', like.shape(), ", got ", sum.out.dtype(), ' ',
           sum.out.shape());
}

}  // namespace tk
