#include <algorithm>
#include <cmath>

#include "tensor/adamw_step.h"
#include "tensor/budget.h"
#include "tensor/cpu/parallel.h"
#include "tensor/cpu/simd.h"
#include "tensor/kernels.h"
#include "tensor/moving_average.h"
#include "tensor/step_state.h"

namespace tk::cpu {
namespace {

template <class T>
TK_SIMD double squared_norm_chunk(const T* x, std::int64_t n) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return sum;
}

// Before the first update the bias correction would divide by zero.
void check_step(const char* op, const StepState& state) {
  TK_CHECK(state.updates() >= 1, op, ": expected a step of at least ", state.optimizer_start + 1, ", got ", state.step);
}

// m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2, with g = clip * gradient;
// value = decay * value - rate * m / (sqrt(v) * v_correction + epsilon).
TK_SIMD void adamw_chunk(float* value, const float* grad, float* m, float* v, const AdamWStep& s, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float g = s.clip * grad[i];
    m[i] = s.beta1 * m[i] + (1.0f - s.beta1) * g;
    v[i] = s.beta2 * v[i] + (1.0f - s.beta2) * g * g;
    value[i] = s.decay * value[i] - s.rate * m[i] / (std::sqrt(v[i]) * s.v_correction + s.epsilon);
  }
}

// The same for a row without a gradient in this step.
TK_SIMD void adamw_chunk_without_gradient(float* value, float* m, float* v, const AdamWStep& s, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    m[i] = s.beta1 * m[i];
    v[i] = s.beta2 * v[i];
    value[i] = s.decay * value[i] - s.rate * m[i] / (std::sqrt(v[i]) * s.v_correction + s.epsilon);
  }
}

TK_SIMD void sgd_chunk(float* value, const float* grad, float* momentum, float clip, float rate, float decay, float mu,
                       std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    const float g = clip * grad[i] + decay * value[i];
    momentum[i] = mu * momentum[i] + g;
    value[i] -= rate * momentum[i];
  }
}

TK_SIMD void moving_average_chunk(float* average, const float* value, float share, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) average[i] += share * (value[i] - average[i]);
}

// Calls f(begin, end, group) for chunks of the flat buffers; segments: [n, 4] int64 rows (begin, end, group, decays).
template <class F>
void over_segments(const Tensor& segments, F&& f) {
  const auto* rows = segments.data<std::int64_t>();
  for (std::int64_t i = 0; i < segments.shape()[0]; ++i) {
    const std::int64_t* segment = rows + 4 * i;
    const StepGroup group = {.index = segment[2], .decays = segment[3] != 0};
    parallel_chunks(segment[1] - segment[0], kNormChunk,
                    [&](std::int64_t begin, std::int64_t end) { f(segment[0] + begin, segment[0] + end, group); });
  }
}

}  // namespace

void squared_norm(Tensor& partial, const Tensor& x) {
  dispatch_floating(x.dtype(), "squared_norm", [&]<class T>() {
    parallel_chunks(x.numel(), kNormChunk, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t at = begin; at < end; at += kNormChunk) {
        partial.data<double>()[at / kNormChunk] = squared_norm_chunk(x.data<T>() + at, std::min(kNormChunk, end - at));
      }
    });
  });
}

void grad_norm(Tensor& state, const Tensor& partial) {
  double sum = 0;
  for (std::int64_t i = 0; i < partial.numel(); ++i) sum += partial.data<double>()[i];
  step_state(state).grad_norm = std::sqrt(sum);
}

void adamw(Tensor& value, Tensor& m, Tensor& v, Tensor& copy, const Tensor& grad, const Tensor& segments,
           const Tensor& state, const AdamWConstants& constants) {
  check_step("adamw", step_state(state));
  over_segments(segments, [&](std::int64_t begin, std::int64_t end, const StepGroup& group) {
    const AdamWStep step(step_state(state), group, constants);
    adamw_chunk(value.data<float>() + begin, grad.data<float>() + begin, m.data<float>() + begin,
                v.data<float>() + begin, step, end - begin);
    if (!copy.defined()) return;
    std::transform(value.data<float>() + begin, value.data<float>() + end, copy.data<BFloat16>() + begin,
                   [](float x) { return BFloat16(x); });
  });
}

void adamw_rows(Tensor& value, Tensor& m, Tensor& v, Tensor& touched, const Tensor& ids, const Tensor& rows,
                const StepGroup& group, const Tensor& state, const AdamWConstants& constants) {
  check_step("adamw_rows", step_state(state));
  const AdamWStep step(step_state(state), group, constants);
  const std::int64_t cols = value.shape()[1];
  const bool every_row = weight_decay(step_state(state), group) != 0;
  const std::int64_t table = value.shape()[0];
  Scratch<std::int32_t> place(table);  // where in `rows` the gradient of a table row is, -1 for none
  std::fill(place.data(), place.data() + table, -1);
  const auto* named = ids.data<std::int32_t>();
  for (std::int64_t i = 0; i < ids.numel(); ++i) {
    if (named[i] == -1) continue;
    TK_CHECK(named[i] >= 0 && named[i] < table, "adamw_rows: index ", named[i], " is out of range for ", table,
             " rows");
    TK_CHECK(place[named[i]] < 0, "adamw_rows: index ", named[i], " comes twice; coalesce the gradient first");
    place[named[i]] = static_cast<std::int32_t>(i);
    touched.data<bool>()[named[i]] = true;
  }
  parallel_rows(table, cols, [&](std::int64_t row) {
    if (!touched.data<bool>()[row] && !every_row) return;
    const std::int64_t at = row * cols;
    if (place[row] >= 0) {
      adamw_chunk(value.data<float>() + at, rows.data<float>() + place[row] * cols, m.data<float>() + at,
                  v.data<float>() + at, step, cols);
    } else {
      adamw_chunk_without_gradient(value.data<float>() + at, m.data<float>() + at, v.data<float>() + at, step, cols);
    }
  });
}

void sgd(Tensor& value, Tensor& momentum, const Tensor& grad, const Tensor& segments, const Tensor& state,
         double momentum_factor) {
  const StepState& now = step_state(state);
  over_segments(segments, [&](std::int64_t begin, std::int64_t end, const StepGroup& group) {
    sgd_chunk(value.data<float>() + begin, grad.data<float>() + begin, momentum.data<float>() + begin,
              static_cast<float>(now.clip_factor()), static_cast<float>(now.learning_rate[group.index]),
              static_cast<float>(weight_decay(now, group)), static_cast<float>(momentum_factor), end - begin);
  });
}

void sgd_rows(Tensor& value, const Tensor& ids, const Tensor& rows, std::int64_t group, const Tensor& state) {
  const StepState& now = step_state(state);
  const auto rate = static_cast<float>(now.clip_factor() * now.learning_rate[group]);
  const std::int64_t cols = value.shape()[1];
  const auto* named = ids.data<std::int32_t>();
  for (std::int64_t i = 0; i < ids.numel(); ++i) {
    if (named[i] == -1) continue;
    TK_CHECK(named[i] >= 0 && named[i] < value.shape()[0], "sgd_rows: index ", named[i], " is out of range for ",
             value.shape()[0], " rows");
    float* row = value.data<float>() + named[i] * cols;
    for (std::int64_t c = 0; c < cols; ++c) row[c] -= rate * rows.data<float>()[i * cols + c];
  }
}

void moving_average(Tensor& average, const Tensor& value, const Tensor& state, double decay) {
  check_step("moving_average", step_state(state));
  const float share = share_of_newest(step_state(state), decay);
  parallel_chunks(value.numel(), kNormChunk, [&](std::int64_t begin, std::int64_t end) {
    moving_average_chunk(average.data<float>() + begin, value.data<float>() + begin, share, end - begin);
  });
}

void budget_loss(Tensor& loss, Tensor& dcost, const Tensor& cost, const Tensor& state) {
  dispatch_floating(cost.dtype(), "budget_loss", [&]<class T>() {
    const Budget budget(step_state(state), static_cast<double>(cost.data<T>()[0]));
    loss.data<T>()[0] = static_cast<T>(budget.loss());
    dcost.data<T>()[0] = static_cast<T>(budget.slope());
  });
}

void budget_controller(Tensor& state, const Tensor& cost) {
  StepState& now = step_state(state);
  Budget(now, cost.to(DType::kFloat64).data<double>()[0]).move_multipliers(now);
}

}  // namespace tk::cpu
