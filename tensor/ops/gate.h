#pragma once

#include "tensor/kernel_arguments.h"

namespace tk {

/// Logistic noise log u - log(1 - u): [rows, cols], a row for each one that the key names. p is not read.
Tensor logistic_noise(const DropoutKey& key, std::int64_t cols, DType dtype = DType::kFloat32);
/// Standard Gumbel noise -log(-log u): [rows, cols].
Tensor gumbel_noise(const DropoutKey& key, std::int64_t cols, DType dtype = DType::kFloat32);

/// In each row (the last dimension) 1 at the first largest element, 0 elsewhere. A NaN is the largest, and stays NaN.
Tensor one_hot_of_largest(const Tensor& x);

/// How far gates are above the step state's skim_threshold: z less that; any shape.
Tensor gate_margin(const Tensor& z, const Tensor& state);

/// Throws "<op>: ..." unless the key names rows that have the same number of gates z each.
void check_gates_of_rows(const char* op, const Tensor& z, const DropoutKey& key);

struct GateOutput {
  Tensor hard;  ///< 0 or 1: z + s noise > 0; NaN where that is
  Tensor soft;  ///< sigmoid((z + s noise) / temperature)
};
/// The two-class Gumbel-softmax sample of z = logit(keep) - logit(skim): one logistic number instead of two Gumbels.
/// The temperature and s, the factor of the noise (gate_noise), are the step state's.
GateOutput hard_gate(const Tensor& z, const Tensor& noise, const Tensor& state);
/// The same with the logistic noise that the key names, which the kernel draws by itself; the state is the key's. Its
/// rows have the same number of gates each.
GateOutput hard_gate(const Tensor& z, const DropoutKey& key);
/// Straight through the soft sample: dz = dy soft (1 - soft) / temperature.
Tensor hard_gate_backward(const Tensor& dy, const Tensor& soft, const Tensor& state);

// Which rows of packed sentences pass, [rows] bool. A dummy behind the last sentence does not.
/// z > the step state's skim_threshold; z [rows] may have any stride. First rows of sentences pass whatever their z,
/// unless first_pass is false.
Tensor passing_rows(const Tensor& z, const Tensor& state, const Tensor& offsets, bool first_pass = true);
/// As many rows of each sentence as `share` of its original length makes, evenly spread, its first row among them.
Tensor evenly_spread_rows(std::int64_t rows, const Tensor& offsets, const Tensor& original_offsets, double share);

}  // namespace tk
