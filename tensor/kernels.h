#pragma once

#include "tensor/binary_ops.h"
#include "tensor/profile.h"
#include "tensor/random.h"
#include "tensor/step_state.h"
#include "tensor/tensor.h"
#include "tensor/unary_ops.h"

// The backend contract: one line a kernel, outputs first, already allocated. Kernels compute; tensor/ops/ checks,
// allocates and dispatches; the dtype is dispatched inside a backend. Unless a line says otherwise tensors are
// contiguous, floats are float32 or float64 (all of one type), and an undefined tensor means "not given".
//
// TK_KERNEL_CPU(name, signature) declares tk::cpu::name and the table entry name_kernel(device, arguments...). A kernel
// that a second backend has gets its column here; symbols are strong, so a missing or drifted one is a link error.

namespace tk {

template <class Signature>
struct Kernel;

/// One row of the table: the kernel's name and its function for each backend (null where a backend has none).
template <class... Args>
struct Kernel<void(Args...)> {
  const char* name;
  void (*cpu)(Args...);

  void operator()(Device device, Args... args) const {
    TK_CHECK(device == Device::kCpu, name, ": no kernel for device ", device);
    const KernelTimer timer(name);
    cpu(args...);
  }
};

#define TK_KERNEL_CPU(name, ...)  \
  namespace cpu {                 \
  void name(__VA_ARGS__);         \
  }                               \
  inline constexpr Kernel<void(__VA_ARGS__)> name##_kernel{#name, &cpu::name};

/// Dropout of one op: the rate p in [0, 1) and the random stream's identity. p = 0 reads nothing else.
struct DropoutKey {
  double p = 0;
  Tensor state;     ///< step_state: seed and step
  Tensor example;   ///< [rows] int32
  Tensor position;  ///< [rows] int32
  Stream stream;
};

/// How a key's weight w enters attention, with e = exp(score - max).
enum class KeyWeighting : std::uint8_t {
  kExact,  ///< P = w e / sum(w e): weight 0 is a key that is not there
  kPaper   ///< P = w e / sum(e): the published training graph, which does not renormalise
};

/// What packed attention reads beside q, k and v; see tensor/ops/attention.h.
struct AttentionKey {
  std::int64_t heads = 1;
  Tensor q_offsets;     ///< [sentences + 1] int32
  Tensor kv_offsets;    ///< [sentences + 1] int32
  Tensor kv_position;   ///< [kv rows] int32 original positions; read when dropout.p > 0
  KeyWeighting weighting = KeyWeighting::kExact;
  DropoutKey dropout;   ///< of the probabilities; example and position are those of the query rows
};

/// AdamW's constants (Loshchilov & Hutter, "Decoupled weight decay regularization", ICLR 2019).
struct AdamWConstants {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
};

// Memory. Any strides.
TK_KERNEL_CPU(copy, Tensor& y, const Tensor& x)  // equal shapes, any dtypes
TK_KERNEL_CPU(fill, Tensor& y, double value)     // any dtype
TK_KERNEL_CPU(arange, Tensor& y)

// Elementwise; y contiguous, inputs expanded to its shape with any strides.
TK_KERNEL_CPU(unary, Tensor& y, UnaryOp op, const Tensor& x)
TK_KERNEL_CPU(unary_backward, Tensor& dx, UnaryOp op, const Tensor& dy, const Tensor& x, const Tensor& y)
TK_KERNEL_CPU(binary, Tensor& y, BinaryOp op, const Tensor& a, const Tensor& b)
TK_KERNEL_CPU(binary_backward, Tensor& d, BinaryOp op, bool second, const Tensor& dy, const Tensor& a, const Tensor& b)
TK_KERNEL_CPU(affine, Tensor& y, const Tensor& x, double scale, double shift)   // y = scale x + shift
TK_KERNEL_CPU(add_to, Tensor& y, const Tensor& x)                               // y += x, equal shapes
TK_KERNEL_CPU(greater, Tensor& y, const Tensor& x, double threshold)            // y bool

// Reductions with a tree fixed by the shape.
TK_KERNEL_CPU(sum_rows, Tensor& y, const Tensor& x)                   // [rows] from [rows, n]
TK_KERNEL_CPU(max_rows, Tensor& y, const Tensor& x)                   // [rows] from [rows, n], n >= 1
TK_KERNEL_CPU(sum_columns, Tensor& y, const Tensor& x, bool add)      // [n] from [rows, n]; y += if add
TK_KERNEL_CPU(segment_sum, Tensor& y, const Tensor& x, const Tensor& offsets)        // [segments] from [n]
TK_KERNEL_CPU(segment_broadcast, Tensor& y, const Tensor& x, const Tensor& offsets)  // [n] from [segments]

// Products, row-major with a leading stride; a and b are as stored, transposed when the flag says so. y += if add.
TK_KERNEL_CPU(matmul, Tensor& y, const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b, bool add)
TK_KERNEL_CPU(batched_matmul, Tensor& y, const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b)
TK_KERNEL_CPU(linear, Tensor& y, const Tensor& x, const Tensor& w, const Tensor& bias)  // x w^T + bias (may be absent)

// Rows: the last dimension.
TK_KERNEL_CPU(softmax, Tensor& y, const Tensor& x)
TK_KERNEL_CPU(softmax_backward, Tensor& dx, const Tensor& dy, const Tensor& y)
TK_KERNEL_CPU(log_softmax, Tensor& y, const Tensor& x)
TK_KERNEL_CPU(log_softmax_backward, Tensor& dx, const Tensor& dy, const Tensor& y)
TK_KERNEL_CPU(layer_norm, Tensor& y, Tensor& mean, Tensor& rstd, const Tensor& x, const Tensor& gamma,
              const Tensor& beta, double epsilon)
TK_KERNEL_CPU(layer_norm_backward, Tensor& dx, Tensor& dgamma, Tensor& dbeta, const Tensor& dy, const Tensor& x,
              const Tensor& mean, const Tensor& rstd, const Tensor& gamma)
TK_KERNEL_CPU(bias_gelu, Tensor& y, const Tensor& x, const Tensor& bias)
TK_KERNEL_CPU(bias_gelu_backward, Tensor& dx, const Tensor& dy, const Tensor& x, const Tensor& bias)
TK_KERNEL_CPU(dropout, Tensor& y, const Tensor& x, const DropoutKey& key)
// z = residual + scale * dropout(x + bias), y = layer_norm(z); scale [rows] and bias may be absent.
TK_KERNEL_CPU(residual_dropout_layer_norm, Tensor& y, Tensor& z, Tensor& mean, Tensor& rstd, const Tensor& x,
              const Tensor& bias, const Tensor& residual, const Tensor& scale, const Tensor& gamma, const Tensor& beta,
              double epsilon, const DropoutKey& key)
// dz is the residual's gradient; dscale is absent when scale is.
TK_KERNEL_CPU(residual_dropout_layer_norm_backward, Tensor& dx, Tensor& dz, Tensor& dscale, Tensor& dgamma,
              Tensor& dbeta, const Tensor& dy, const Tensor& z, const Tensor& mean, const Tensor& rstd,
              const Tensor& x, const Tensor& bias, const Tensor& scale, const Tensor& gamma, const DropoutKey& key)

// Indices int32 or int64 into dimension 0; checked.
TK_KERNEL_CPU(index_select, Tensor& y, const Tensor& x, const Tensor& index)     // any dtype
TK_KERNEL_CPU(index_add, Tensor& y, const Tensor& x, const Tensor& index)        // y[index[i]] += x[i], in order of i
TK_KERNEL_CPU(index_copy, Tensor& y, const Tensor& x, const Tensor& index)       // y[index[i]] = x[i]; any dtype
// Ascending distinct indices and the sum of the rows of each; `count` of them are written.
TK_KERNEL_CPU(coalesce, Tensor& ids, Tensor& sums, std::int64_t& count, const Tensor& index, const Tensor& rows)
// Surviving rows, their offsets and number, from a bool mask [n] and offsets.
TK_KERNEL_CPU(compact, Tensor& rows, Tensor& kept_offsets, std::int64_t& kept, const Tensor& mask,
              const Tensor& offsets)

// Losses: one value a row.
TK_KERNEL_CPU(cross_entropy, Tensor& loss, Tensor& probabilities, const Tensor& logits, const Tensor& labels)
TK_KERNEL_CPU(cross_entropy_backward, Tensor& dlogits, const Tensor& dloss, const Tensor& probabilities,
              const Tensor& labels)

// q, k, v: [rows, heads * head size] with any row stride.
TK_KERNEL_CPU(packed_attention, Tensor& y, Tensor& row_max, Tensor& row_sum, const Tensor& q, const Tensor& k,
              const Tensor& v, const Tensor& key_weight, const AttentionKey& key)
TK_KERNEL_CPU(packed_attention_backward, Tensor& dq, Tensor& dk, Tensor& dv, Tensor& dweight, const Tensor& dy,
              const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& row_max, const Tensor& row_sum,
              const Tensor& key_weight, const AttentionKey& key)

// Gates and noise; see autograd/estimators/.
TK_KERNEL_CPU(logistic_noise, Tensor& y, const DropoutKey& key)                // [rows, n]
TK_KERNEL_CPU(gumbel_noise, Tensor& y, const DropoutKey& key)                  // [rows, n]
TK_KERNEL_CPU(hard_gate, Tensor& hard, Tensor& soft, const Tensor& z, const Tensor& noise, const Tensor& state)
TK_KERNEL_CPU(hard_gate_backward, Tensor& dz, const Tensor& dy, const Tensor& soft, const Tensor& state)

// The optimizer's two passes and the budget; see tensor/ops/optim.h.
TK_KERNEL_CPU(squared_norm, Tensor& partial, const Tensor& x)                  // one float64 a fixed chunk of 16384
TK_KERNEL_CPU(adamw, Tensor& value, Tensor& grad, Tensor& m, Tensor& v, const Tensor& segments, const Tensor& state,
              const AdamWConstants& constants)
TK_KERNEL_CPU(adamw_rows, Tensor& value, Tensor& m, Tensor& v, Tensor& touched, const Tensor& ids, const Tensor& rows,
              std::int64_t group, const Tensor& state, const AdamWConstants& constants)
TK_KERNEL_CPU(sgd, Tensor& value, Tensor& grad, Tensor& momentum, const Tensor& segments, const Tensor& state,
              double momentum_factor)
TK_KERNEL_CPU(budget_loss, Tensor& loss, Tensor& dcost, const Tensor& cost, const Tensor& state)
TK_KERNEL_CPU(budget_controller, Tensor& state, const Tensor& cost)  // a = clamp(a + 0.02 (C - t), 0, 10)

#undef TK_KERNEL_CPU

}  // namespace tk
