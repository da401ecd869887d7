#pragma once

#include "nn/context.h"
#include "nn/dropout.h"
#include "nn/embedding.h"
#include "nn/layer_norm.h"
#include "tensor/ops/layer_norm.h"
#include "transkimmer/config.h"

namespace tk {

struct WeightNames;

/// dropout(LN(word + position + token type)); a row's position is its place in the original sentence.
class BertEmbeddings {
 public:
  BertEmbeddings() = default;
  explicit BertEmbeddings(const Config& config);

  /// [tokens, hidden] of a dtype that the device computes in; in evaluation one kernel where has_embedding_norm. Throws
  /// on an id, type or position that the tables do not have; one of -1, a dummy's, adds nothing.
  Variable operator()(const PackedTokens& inputs, const Context& context, DType dtype = DType::kFloat32) const;
  /// The same in evaluation on the CPU, in float32, and what the layer norm divided by.
  LayerNormOutput normalized(const PackedTokens& inputs) const;
  void collect(ParameterList& list, const WeightNames& names);

  const Tensor& word() const { return word_.weight.value(); }
  const Tensor& position() const { return position_.weight.value(); }
  const Tensor& token_type() const { return token_type_.weight.value(); }
  const LayerNorm& norm() const { return norm_; }

 private:
  // Throws unless there are ids and types of all rows.
  static void check(const PackedTokens& inputs);
  Variable sum(const PackedTokens& inputs) const;

  Embedding word_, position_, token_type_;
  LayerNorm norm_;
  Dropout dropout_;
};

}  // namespace tk
