#pragma once

#include "autograd/variable.h"
#include "tensor/kernel_arguments.h"

namespace tk {

/// Packed attention (tensor/ops/attention.h) on q [q rows, d] and kv [kv rows, 2d], keys in the left half of the
/// columns and values in the right. key_weight [kv rows] may be undefined; it is differentiable, also where it is 0.
Variable packed_attention(const Variable& q, const Variable& kv, const Variable& key_weight, const AttentionKey& key);

/// The same where every row asks: qkv [rows, 3d].
Variable packed_attention(const Variable& qkv, const Variable& key_weight, const AttentionKey& key);

/// The same from single ops, sentence by sentence: the fused one's oracle. Needs positive weight on the largest score
/// for a derivative that agrees (it takes the maximum over all keys), and no dropout.
Variable packed_attention_composed(const Variable& q, const Variable& k, const Variable& v, const Variable& key_weight,
                                   const AttentionKey& key);

}  // namespace tk
