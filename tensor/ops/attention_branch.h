#pragma once

#include "tensor/kernel_arguments.h"

namespace tk {

/// Whether the first half of an encoder layer is faster in one kernel, by what lies on the CPU: where
/// products_outrun_memory in their dtype, without dropout, for sentences that are short and enough for all threads, and
/// no rows besides theirs, of `keys` and of those that ask.
bool attention_branch_pays(DType dtype, std::int64_t hidden, const AttentionKey& key, std::int64_t keys,
                           std::int64_t asking);

/// The first half of an encoder layer in evaluation, float32 on the CPU, by packed weights:
///
///     y = LN(x + (output attention(q, k, v) + bias)),   q, k, v = query_key_value x + its bias
///
/// of x [n, hidden], whose rows are all keys and ask, or where `rows` [asking] int32 is given those ask that it names.
/// y [asking, hidden] has them in their order; or y is x, and they are updated where they lie. The bits of the ops in
/// turn. Throws on a row out of range, and unless attention_branch_pays.
void attention_branch_into(const Tensor& y, const Tensor& x, const Tensor& rows, const AttentionKey& key,
                           const PackedMatrix& query_key_value, const ResidualBranch& output);

}  // namespace tk
