#pragma once

#include <span>

#include "tensor/kernel_arguments.h"
#include "tensor/ops/index.h"

namespace tk {

/// Writes the Euclidean norm of all elements of `parts` to the state's grad_norm, in double with a tree fixed by the
/// sizes.
void grad_norm(const Tensor& state, std::span<const Tensor> parts);

// The two halves of it, for parts that lie with several ranks.

/// How many partial sums the squares of n elements have.
constexpr std::int64_t norm_chunks(std::int64_t n) { return (n + kNormChunk - 1) / kNormChunk; }
/// Writes those of x to `partial`, float64 [norm_chunks(x.numel())].
void squared_norms(const Tensor& partial, const Tensor& x);
/// Writes the root of their sum to the state's grad_norm.
void set_grad_norm(const Tensor& state, const Tensor& partial);

/// One AdamW step over flat float32 buffers [n]: the gradient is clipped by the state's factor. `copy` [n]
/// bfloat16 receives the new value, and may be undefined. `segments` [k, 4] int64 has rows (begin, end, group,
/// 1 where it decays or 0); learning rate, weight decay and step come from the state.
void adamw(const Tensor& value, const Tensor& grad, const Tensor& m, const Tensor& v, const Tensor& copy,
           const Tensor& segments, const Tensor& state, const AdamWConstants& constants);

/// The same for an embedding [rows, cols] with a coalesced sparse gradient. Rows that no batch has `touched` (bool
/// [rows]) have zero moments and no update without weight decay, so they are left alone, exactly.
void adamw_rows(const Tensor& value, const Tensor& m, const Tensor& v, const Tensor& touched, const SparseRows& grad,
                const StepGroup& group, const Tensor& state, const AdamWConstants& constants);

/// momentum = factor * momentum + grad + weight decay * value; value -= learning rate * momentum.
void sgd(const Tensor& value, const Tensor& grad, const Tensor& momentum, const Tensor& segments, const Tensor& state,
         double momentum_factor);

/// The same for an embedding [rows, cols] with a coalesced sparse gradient: its rows move by the clipped gradient
/// alone, without momentum and decay.
void sgd_rows(const Tensor& value, const SparseRows& grad, std::int64_t group, const Tensor& state);

/// average += (1 - d) (value - average) for contiguous float32 tensors of one shape; d is `decay` and less in the first
/// updates: see tensor/moving_average.h. Elements that are equal stay so.
void moving_average(const Tensor& average, const Tensor& value, const Tensor& state, double decay);

struct BudgetOutput {
  Tensor loss;   ///< rank 0
  Tensor dcost;  ///< its derivative in the cost
};
/// a (C - t) + 5 relu(C - t)^2, with the multiplier a and the budget t of the step state; cost C is rank 0. See
/// tensor/budget.h.
BudgetOutput budget_loss(const Tensor& cost, const Tensor& state);

/// Dual ascent once a step: the state's multiplier a <- clamp(a + 0.02 (C - t), 0, 10). Where budgets vary: see
/// tensor/budget.h.
void budget_controller(const Tensor& state, const Tensor& cost);

}  // namespace tk
