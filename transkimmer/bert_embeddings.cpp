#include "transkimmer/bert_embeddings.h"

#include "autograd/grad_mode.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/to.h"
#include "tensor/ops/embedding_norm.h"
#include "transkimmer/families/family.h"

namespace tk {

BertEmbeddings::BertEmbeddings(const Config& config)
    : word_(config.vocab_size, config.hidden_size, true, weight_init(config)),
      position_(config.max_position_embeddings, config.hidden_size, false, Init::kZeros),
      token_type_(config.type_vocab_size, config.hidden_size, false, Init::kZeros),
      norm_(config.hidden_size, config.layer_norm_eps),
      dropout_{config.hidden_dropout_prob, {Purpose::kEmbeddingDropout}} {}

void BertEmbeddings::check(const PackedTokens& inputs) {
  TK_CHECK(
      inputs.input_ids.shape() == Shape{inputs.rows.tokens} && inputs.token_types.shape() == Shape{inputs.rows.tokens},
      "bert_embeddings: expected ids and token types of ", inputs.rows.tokens, " rows, got ", inputs.input_ids.shape(),
      " and ", inputs.token_types.shape());
}

Variable BertEmbeddings::sum(const PackedTokens& inputs) const {
  // In this order, so that a walk back comes to the words last: the others' gradients are summed up beside theirs.
  const Variable words = word_(inputs.input_ids), positions = position_(inputs.rows.position);
  return words + positions + token_type_(inputs.token_types);
}

Variable BertEmbeddings::operator()(const PackedTokens& inputs, const Context& context, DType dtype) const {
  check(inputs);
  if (!grad_enabled() && !context.training && has_embedding_norm(inputs.input_ids.device(), dtype)) {
    const QuantizedRows words = word_.weight.quantized();
    return Variable(embedding_norm(
        {words.values, inputs.input_ids, words.scale}, {position_.weight.value(), inputs.rows.position},
        {token_type_.weight.value(), inputs.token_types}, norm_.weight.value(), norm_.bias.value(), norm_.epsilon));
  }
  return to(dropout_(norm_(sum(inputs)), inputs.rows, context), dtype);
}

LayerNormOutput BertEmbeddings::normalized(const PackedTokens& inputs) const {
  check(inputs);
  return layer_norm(sum(inputs).value(), norm_.weight.value(), norm_.bias.value(), norm_.epsilon);
}

void BertEmbeddings::collect(ParameterList& list, const WeightNames& names) {
  word_.collect(list, names.word_embeddings);
  position_.collect(list, names.position_embeddings);
  token_type_.collect(list, names.token_type_embeddings);
  norm_.collect(list, names.embeddings_norm);
}

}  // namespace tk
