#pragma once

#include "tensor/kernel_arguments.h"

namespace tk {

/// The result and, as its backward reads them again, maximum and normaliser of each (head, query row), [heads, q rows]
/// of q's row_dtype, as key weights are.
struct AttentionOutput {
  Tensor y;
  Tensor row_max;
  Tensor row_sum;
};

/// Scaled dot-product attention of each sentence's queries over the same sentence's keys (Vaswani et al., 2017), for
/// all heads. q [q rows, heads * head size], k and v [kv rows, heads * head size] (rows may be apart: views of one
/// matrix); queries may be fewer than keys. key_weight [kv rows] >= 0 multiplies exp(score), or is undefined. In exact
/// mode the maximum is taken over keys of positive weight, and a sentence without any gives zeros. Dropout acts on
/// probabilities.
AttentionOutput packed_attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& key_weight,
                                 const AttentionKey& key);

/// dweight is undefined when key_weight is.
struct AttentionGradients {
  Tensor dq;
  Tensor dk;
  Tensor dv;
  SumTarget dweight;
};
/// Writes dq, dk and dv where `d` has them defined (they may be column ranges of one matrix), else allocates them;
/// writes or adds dweight likewise.
AttentionGradients packed_attention_backward(const Tensor& dy, const AttentionOutput& out, const Tensor& q,
                                             const Tensor& k, const Tensor& v, const Tensor& key_weight,
                                             const AttentionKey& key, AttentionGradients d = {});

}  // namespace tk
