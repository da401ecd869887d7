#pragma once

#include <vector>

#include "tensor/activation.h"
#include "tensor/precision.h"
#include "tensor/random.h"
#include "tensor/step_state.h"
#include "tensor/tensor.h"

// What kernels take beside tensors and numbers. A struct that holds tensors names them by for_each_tensor(f), which
// calls f(tensor) for each: so the kernel table's checks reach them.
namespace tk {

/// The elements of a tensor that may not be given; null if it is not.
template <class T>
T* data_or_null(const Tensor& x) {
  return x.defined() ? x.data<T>() : nullptr;
}

/// Dropout of one op: the rate p in [0, 1) and the random stream's identity. p = 0 reads nothing else.
struct DropoutKey {
  double p = 0;
  Tensor state;     ///< step_state: seed and step
  Tensor example;   ///< [rows] int32
  Tensor position;  ///< [rows] int32
  Stream stream = {};

  /// A random word below it is dropped.
  std::uint32_t threshold() const { return static_cast<std::uint32_t>(p * 4294967296.0); }
  /// What is kept is multiplied by it.
  float keep_scale() const { return static_cast<float>(1.0 / (1.0 - p)); }

  template <class F>
  void for_each_tensor(F&& f) const {
    for (const Tensor* tensor : {&state, &example, &position}) f(*tensor);
  }
};

/// Where a kernel puts a sum that it makes beside its output: it writes `out`, or adds to it. Not wanted if undefined.
/// Of several sums that go to the same place each is added to those before it.
struct SumTarget {
  Tensor out;
  bool add = false;
  bool beside = false;  ///< work beside alone writes to it before join_beside() (tensor/beside.h): run_beside() the sum

  explicit operator bool() const { return out.defined(); }

  template <class F>
  void for_each_tensor(F&& f) const {
    f(out);
  }
};

/// How a key's weight w enters attention, with e = exp(score - max).
enum class KeyWeighting : std::uint8_t {
  kExact,  ///< P = w e / sum(w e): weight 0 is a key that is not there
  kPaper   ///< P = w e / sum(e): the published training graph, which does not renormalise
};

/// What packed attention reads beside q, k and v; see tensor/ops/attention.h.
struct AttentionKey {
  /// Caps the exponent of a key that is out of reach of the row's maximum, in the derivative of its weight alone.
  static constexpr double kMostExponent = 30;
  /// Of four random words: a query's word (head << 16 | original key position) decides whether dropout keeps the key.
  static constexpr std::uint32_t kBlocksPerHead = Stream::kPositions / 4;

  std::int64_t heads = 1;
  Tensor q_offsets;    ///< [sentences + 1] int32
  Tensor kv_offsets;   ///< [sentences + 1] int32
  Tensor kv_position;  ///< [kv rows] int32 original positions; read when dropout.p > 0
  KeyWeighting weighting = KeyWeighting::kExact;
  DropoutKey dropout = {};    ///< of the probabilities; example and position are those of the query rows
  bool fills_dummies = true;  ///< query rows behind the last sentence get zeros; else they may get nothing

  template <class F>
  void for_each_tensor(F&& f) const {
    for (const Tensor* tensor : {&q_offsets, &kv_offsets, &kv_position}) f(*tensor);
    dropout.for_each_tensor(f);
  }
};

/// The parameters of a skim predictor, see tensor/ops/gate_scores.h. All but w have the row_dtype of its input.
struct PredictorWeights {
  Tensor input_gamma, input_beta;    ///< [hidden]
  Tensor w;                          ///< [width, hidden], of the input's dtype
  Tensor b;                          ///< [width]
  Tensor hidden_gamma, hidden_beta;  ///< [width]
  Tensor output_w, output_b;         ///< [outputs, width], [outputs]
  double epsilon = 1e-5;             ///< of both layer norms

  template <class F>
  void for_each_tensor(F&& f) const {
    for (const Tensor* tensor :
         {&input_gamma, &input_beta, &w, &b, &hidden_gamma, &hidden_beta, &output_w, &output_b}) {
      f(*tensor);
    }
  }
};

/// A residual's layer norm, LN(residual + (branch + bias)): its parameters, [hidden] of row_dtype.
struct ResidualNorm {
  Tensor bias, gamma, beta;
  double epsilon = 1e-12;

  template <class F>
  void for_each_tensor(F&& f) const {
    for (const Tensor* tensor : {&bias, &gamma, &beta}) f(*tensor);
  }
};

/// A weight [out, in] as products of the CPU read it (tensor/packed_weight.h), and the product's bias.
struct PackedMatrix {
  Tensor panels;        ///< undefined: there is none
  Tensor start, scale;  ///< of an int8 weight
  Tensor bias;          ///< [out], or undefined
  std::int64_t out = 0, in = 0;

  bool defined() const { return panels.defined(); }
  bool is_int8() const { return scale.defined(); }
  DType dtype() const { return is_int8() ? DType::kInt8 : factor_dtype(); }  ///< that of the product's factors

  template <class F>
  void for_each_tensor(F&& f) const {
    for (const Tensor* tensor : {&panels, &start, &scale, &bias}) f(*tensor);
  }
};

/// What a residual gets: last(x), or last(f(inner(x))); see tensor/ops/residual_branch.h.
struct ResidualBranch {
  PackedMatrix inner;  ///< undefined: there is one product alone
  Activation activation = Activation::kGelu;
  PackedMatrix last;  ///< its bias is the norm's
  ResidualNorm norm;

  template <class F>
  void for_each_tensor(F&& f) const {
    inner.for_each_tensor(f);
    last.for_each_tensor(f);
    norm.for_each_tensor(f);
  }
};

/// What choose_rows reads; see tensor/ops/counted_rows.h.
struct RowChoice {
  Tensor x;       ///< [rows, hidden]
  Tensor branch;  ///< with `norm` what makes the state that decides of x; undefined: x is that state
  Tensor place;   ///< [rows] int32 of a row in `branch`, -1: it has none and is frozen; undefined: its own
  ResidualNorm norm;
  PredictorWeights predictor;
  Tensor state;             ///< step_state: the threshold
  Tensor offsets;           ///< [sentences + 1] int32 of the rows
  Tensor position;          ///< [rows] int32 original positions, or undefined
  Tensor original_offsets;  ///< of the batch, where shares are forced
  double shares[3] = {1, 1, 1};
  bool forces_shares = false;
  bool frees_first = false;        ///< first rows pass the first gate alone by being first
  Tensor unfed_gamma, unfed_beta;  ///< of the layer norm of rows that are updated and not fed
  double unfed_epsilon = 1e-12;

  template <class F>
  void for_each_tensor(F&& f) const {
    for (const Tensor* tensor :
         {&x, &branch, &place, &state, &offsets, &position, &original_offsets, &unfed_gamma, &unfed_beta}) {
      f(*tensor);
    }
    norm.for_each_tensor(f);
    predictor.for_each_tensor(f);
  }
};

/// Room for the rows of a set; what is undefined is not wanted.
struct RowRoom {
  Tensor x;         ///< [rows, hidden]; where it is not given there is no such set
  Tensor offsets;   ///< [sentences + 1] int32
  Tensor position;  ///< [rows] int32 original positions
  Tensor place;     ///< int32: see ChosenRows

  template <class F>
  void for_each_tensor(F&& f) const {
    for (const Tensor* tensor : {&x, &offsets, &position, &place}) f(*tensor);
  }
};

/// What choose_rows writes.
struct ChosenRows {
  RowRoom keys;
  RowRoom asking;  ///< place [keys]: that of a key among them, or -1. Without offsets: the first rows
  RowRoom fed;     ///< place [fed]: theirs among the keys
  Tensor state;    ///< [rows, hidden]: the states that decided, where there is a branch
  Tensor scan;     ///< [choice_scan_size(rows)] int64 zeros

  template <class F>
  void for_each_tensor(F&& f) const {
    for (const RowRoom* room : {&keys, &asking, &fed}) room->for_each_tensor(f);
    f(state);
    f(scan);
  }
};

/// What first rows ([CLS]) do at gates.
struct FirstRowRule {
  bool asked = true;     ///< there is an answer for them, too; else answers are those of all other rows
  unsigned passing = 1;  ///< bit k: they pass gate k, whatever the answer

  TK_HOST_DEVICE bool pass(std::int64_t gate) const { return (passing >> gate & 1u) != 0; }
};

/// The masks [rows] of one layer; what is undefined has all that the set before has: keys all rows, then updated, fed.
struct MaskedLayer {
  enum class Predicted : std::uint8_t { kNone, kKeys, kKeysBefore };  ///< keys: of this layer, or of the one before it

  Tensor keys, updated, fed;
  Predicted predicted = Predicted::kNone;  ///< which rows enter a predictor
  bool updates_first = false;              ///< only first rows are updated, and fed

  template <class F>
  void for_each_tensor(F&& f) const {
    for (const Tensor* tensor : {&keys, &updated, &fed}) f(*tensor);
  }
};

struct MaskedLayers {
  std::vector<MaskedLayer> layers;

  template <class F>
  void for_each_tensor(F&& f) const {
    for (const MaskedLayer& layer : layers) layer.for_each_tensor(f);
  }
};

/// Where the gradients of a layer's masks go.
struct MaskedLayerTargets {
  SumTarget keys, updated, fed;
};

struct MaskTargets {
  std::vector<MaskedLayerTargets> layers;

  template <class F>
  void for_each_tensor(F&& f) const {
    for (const MaskedLayerTargets& layer : layers) {
      for (const SumTarget* sum : {&layer.keys, &layer.updated, &layer.fed}) sum->for_each_tensor(f);
    }
  }
};

/// A window that slides over the last two dimensions of [n, channels, height, width], with a border of `padding` on
/// every side; the same steps both ways.
struct Window {
  std::int64_t height = 1;
  std::int64_t width = 1;
  std::int64_t stride = 1;
  std::int64_t padding = 0;
  std::int64_t dilation = 1;  ///< between two of its elements

  /// How many places it has along an extent of `size`; below 1 where it does not fit.
  TK_HOST_DEVICE std::int64_t places(std::int64_t size, std::int64_t window) const {
    const std::int64_t free = size + 2 * padding - dilation * (window - 1) - 1;
    return free < 0 ? 0 : free / stride + 1;
  }
};

/// AdamW's constants (Loshchilov & Hutter, "Decoupled weight decay regularization", ICLR 2019).
struct AdamWConstants {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
};

/// Which of StepState's learning rates moves a parameter, and whether that group's weight decay does.
struct StepGroup {
  std::int64_t index = 0;
  bool decays = true;
};

/// Elements of one partial sum of a gradient's squares.
inline constexpr std::int64_t kNormChunk = 16384;

}  // namespace tk
