#pragma once

#include <optional>

#include "tensor/activation.h"
#include "tensor/kernel_arguments.h"

// Work on the rows at the front of a buffer of which only the device knows the number: `count`, one int32 that lies
// there, at most as many as the buffer has. What lies behind them is not read, and outputs have nothing there. So what
// is recorded once fits any number of rows. bfloat16; parameters are float32, but for weights of products.
namespace tk {

/// Whether there are such kernels for rows [hidden] and predictors of `width` columns: on a CUDA device of compute 9.0,
/// where gate_scores is. Elsewhere ask for a number of rows that is known (with_count).
bool has_counted_rows(Device device, DType dtype, std::int64_t hidden, std::int64_t width);
/// Batches of more rows have none: places of a row in three sets share a word.
inline constexpr std::int64_t kMostCountedRows = (std::int64_t{1} << 20) - 1;

/// x w^T + bias, w [columns, inner] and bias [columns], through the activation if one is given. Columns are a
/// multiple of 32, the inner dimension is one of 8.
Tensor counted_linear(const Tensor& x, const Tensor& count, const Tensor& w, const Tensor& bias,
                      std::optional<Activation> activation = {});

/// Of one matrix w: `first` rows of it, a multiple of 32, for the rows of `x`, the others for those of `more_x`. One
/// kernel.
struct TwoProducts {
  Tensor y;
  Tensor more_y;
};
TwoProducts counted_linear(const Tensor& x, const Tensor& count, std::int64_t first, const Tensor& more_x,
                           const Tensor& more_count, const Tensor& w, const Tensor& bias);

/// LN(residual + (branch + bias)).
Tensor counted_residual_norm(const Tensor& residual, const Tensor& branch, const ResidualNorm& norm,
                             const Tensor& count);
/// The same into rows that exist: of row i to row place[i] of y, and from there to row copy_place[place[i]] of `copy`,
/// if that is not -1. Of `place`, `copy` and `copy_place` the first or all may be undefined: no other place, no copy.
void counted_residual_norm_into(const Tensor& y, const Tensor& copy, const Tensor& residual, const Tensor& branch,
                                const ResidualNorm& norm, const Tensor& count, const Tensor& place,
                                const Tensor& copy_place);

/// A layer's choice of rows, by a predictor with one gate or three. With s the state that decides, which is x, or
/// LN(x + branch) where x's row has one, and gates g that pass first rows of sentences (where these are free the first
/// gate alone does), z above the state's threshold, or evenly spread rows of the forced shares:
///   keys   = g0
///   asking = keys and g1, or the first rows where it has no offsets
///   fed    = keys and updated and g2, the updated rows being those that have a branch
/// Each set's rows are written to its room in order, with their offsets and original positions: s of fed rows to fed.x
/// alone, else s, or LN(s) of updated rows that are not fed where there are such, to keys.x, and to asking.x too.
void choose_rows(const ChosenRows& to, const RowChoice& from);
/// The numbers that ChosenRows::scan holds, for that many rows.
std::int64_t choice_scan_size(std::int64_t rows);

}  // namespace tk
