#pragma once

#include "tensor/kernel_arguments.h"

namespace tk {

/// packed_attention of q [q rows, d] over the keys x w_key^T + any bias and the values x w_value^T + b_value of x
/// [kv rows, d], none of which is made. A head's scores are
///
///     q_h . (W_key,h x_j + b_key,h) = (W_key,h^T q_h) . x_j + a number that the softmax cancels,
///
/// and since its probabilities p_j add up to one, its output is W_value,h sum_j p_j x_j + b_value,h. So heads ask the
/// rows themselves: 2 d^2 (q rows) + 2 heads d (q rows) (keys) MACs in place of 2 d^2 (kv rows) + 2 d (q rows) (keys),
/// which pays where few rows ask. w_key and w_value [d, d], b_value [d]. Exact weighting without dropout, on the CPU;
/// every sentence that asks has keys. For evaluation: there is no backward.
Tensor unprojected_attention(const Tensor& q, const Tensor& x, const Tensor& w_key, const Tensor& w_value,
                             const Tensor& b_value, const AttentionKey& key);

}  // namespace tk
