#pragma once

#include "autograd/variable.h"

namespace tk {

/// z of a skim predictor from its first product, u [rows, width]: see tensor/ops/predictor_head.h. The parameters have
/// u's row_dtype.
Variable predictor_head(const Variable& u, const Variable& gamma, const Variable& beta, const Variable& output_w,
                        const Variable& output_b, double epsilon);

/// The same from single ops: the fused one's oracle.
Variable predictor_head_composed(const Variable& u, const Variable& gamma, const Variable& beta,
                                 const Variable& output_w, const Variable& output_b, double epsilon);

}  // namespace tk
