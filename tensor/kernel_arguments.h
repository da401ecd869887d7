#pragma once

#include "tensor/random.h"
#include "tensor/tensor.h"

// What kernels take beside tensors and numbers.
namespace tk {

/// Dropout of one op: the rate p in [0, 1) and the random stream's identity. p = 0 reads nothing else.
struct DropoutKey {
  double p = 0;
  Tensor state;     ///< step_state: seed and step
  Tensor example;   ///< [rows] int32
  Tensor position;  ///< [rows] int32
  Stream stream = {};
};

/// Where a kernel puts a sum that it makes beside its output: it writes `out`, or adds to it. Not wanted if undefined.
/// Of several sums that go to the same place each is added to those before it.
struct SumTarget {
  Tensor out;
  bool add = false;

  explicit operator bool() const { return out.defined(); }
};

/// How a key's weight w enters attention, with e = exp(score - max).
enum class KeyWeighting : std::uint8_t {
  kExact,  ///< P = w e / sum(w e): weight 0 is a key that is not there
  kPaper   ///< P = w e / sum(e): the published training graph, which does not renormalise
};

/// What packed attention reads beside q, k and v; see tensor/ops/attention.h.
struct AttentionKey {
  std::int64_t heads = 1;
  Tensor q_offsets;    ///< [sentences + 1] int32
  Tensor kv_offsets;   ///< [sentences + 1] int32
  Tensor kv_position;  ///< [kv rows] int32 original positions; read when dropout.p > 0
  KeyWeighting weighting = KeyWeighting::kExact;
  DropoutKey dropout = {};  ///< of the probabilities; example and position are those of the query rows
};

/// The parameters of a skim predictor, see tensor/ops/gate_scores.h. All but w have the row_dtype of its input.
struct PredictorWeights {
  Tensor input_gamma, input_beta;    ///< [hidden]
  Tensor w;                          ///< [width, hidden], of the input's dtype
  Tensor b;                          ///< [width]
  Tensor hidden_gamma, hidden_beta;  ///< [width]
  Tensor output_w, output_b;         ///< [outputs, width], [outputs]
  double epsilon = 1e-5;             ///< of both layer norms
};

/// AdamW's constants (Loshchilov & Hutter, "Decoupled weight decay regularization", ICLR 2019).
struct AdamWConstants {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
};

}  // namespace tk
