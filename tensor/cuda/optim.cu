#include "tensor/adamw_step.h"
#include "tensor/budget.h"
#include "tensor/cuda/block_reduce.h"
#include "tensor/cuda/launch.h"
#include "tensor/cuda/pack.h"
#include "tensor/kernels.h"
#include "tensor/moving_average.h"
#include "tensor/step_state.h"

namespace tk::cuda {
namespace {

constexpr std::int64_t kChunk = 4096;  // elements of flat buffers that a block updates
constexpr int kFlat = 8;               // of them that a thread takes at once: 16 bytes of the bfloat16 copy
constexpr int kOfRow = 4;              // the same for rows of a table: 384 columns are three for every lane
constexpr int kRowsPerBlock = kThreads / kWarp;

StepState* state_of(const Tensor& state) {
  TK_CHECK(state.device() == Device::kCuda, "step_state: expected a state on cuda, got one on ", state.device());
  return static_cast<StepState*>(state.raw_data());
}

// The first N of which `count` exist, as floats.
template <int N>
__device__ void read(float (&x)[N], const float* from, std::int64_t count, bool wide) {
  const Pack<float, N> pack = load<N>(from, count, wide);
#pragma unroll
  for (int k = 0; k < N; ++k) x[k] = pack[k];
}

// partial[i] = sum of x^2 over chunk i, a block each.
template <class T>
__global__ void __launch_bounds__(kThreads) square_chunks(double* partial, const T* x, std::int64_t n, bool wide) {
  constexpr int kN = kUnit<T>;
  const std::int64_t begin = blockIdx.x * kNormChunk;
  const std::int64_t end = begin + kNormChunk < n ? begin + kNormChunk : n;
  double sum = 0;
#pragma unroll 4
  for (std::int64_t i = begin + threadIdx.x * kN; i < end; i += kThreads * kN) {
    const Pack<T, kN> pack = load<kN>(x + i, end - i, wide);
#pragma unroll
    for (int k = 0; k < kN; ++k) sum += static_cast<double>(pack[k]) * static_cast<double>(pack[k]);
  }
  sum = block_reduce(sum, Sum());
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

__global__ void __launch_bounds__(kThreads) write_norm(StepState* state, const double* partial, std::int64_t n) {
  double sum = 0;
#pragma unroll 4
  for (std::int64_t i = threadIdx.x; i < n; i += kThreads) sum += partial[i];
  sum = block_reduce(sum, Sum());
  if (threadIdx.x == 0) state->grad_norm = sqrt(sum);
}

// m = beta1 m + (1 - beta1) g, v = beta2 v + (1 - beta2) g^2, with g = clip * gradient;
// value = decay * value - rate * m / (sqrt(v) * v_correction + epsilon). Fused multiply-adds are written out, so that
// rows of a table and flat buffers get the same bits.
template <int N>
__device__ void update_adamw(const AdamWStep& s, float (&value)[N], const float (&grad)[N], float (&m)[N],
                             float (&v)[N]) {
#pragma unroll
  for (int k = 0; k < N; ++k) {
    const float g = s.clip * grad[k];
    m[k] = fmaf(s.beta1, m[k], (1.0f - s.beta1) * g);
    v[k] = fmaf(s.beta2, v[k], (1.0f - s.beta2) * g * g);
    value[k] = fmaf(s.decay, value[k], -s.rate * m[k] / fmaf(sqrtf(v[k]), s.v_correction, s.epsilon));
  }
}

// AdamW over flat buffers; `copy` may be null.
struct AdamW {
  using Step = AdamWStep;

  float* value;
  float* m;
  float* v;
  BFloat16* copy;
  const float* grad;
  const StepState* state;
  AdamWConstants constants;

  __device__ Step step(const StepGroup& group) const { return Step(*state, group, constants); }

  __device__ void update(std::int64_t i, std::int64_t count, bool wide, const Step& step) const {
    float x[kFlat], g[kFlat], first[kFlat], second[kFlat];
    read(x, value + i, count, wide);
    read(g, grad + i, count, wide);
    read(first, m + i, count, wide);
    read(second, v + i, count, wide);
    update_adamw(step, x, g, first, second);
    store(value + i, x, count, wide);
    store(m + i, first, count, wide);
    store(v + i, second, count, wide);
    if (copy != nullptr) store(copy + i, x, count, wide);
  }
};

// momentum = mu * momentum + clip * grad + decay * value; value -= rate * momentum.
struct Sgd {
  struct Step {
    float clip;
    float rate;
    float decay;
  };

  float* value;
  float* momentum;
  const float* grad;
  float mu;
  const StepState* state;

  __device__ Step step(const StepGroup& group) const {
    return {static_cast<float>(state->clip_factor()), static_cast<float>(state->learning_rate[group.index]),
            static_cast<float>(weight_decay(*state, group))};
  }

  __device__ void update(std::int64_t i, std::int64_t count, bool wide, const Step& step) const {
    float x[kFlat], g[kFlat], gathered[kFlat];
    read(x, value + i, count, wide);
    read(g, grad + i, count, wide);
    read(gathered, momentum + i, count, wide);
#pragma unroll
    for (int k = 0; k < kFlat; ++k) {
      gathered[k] = mu * gathered[k] + (step.clip * g[k] + step.decay * x[k]);
      x[k] -= step.rate * gathered[k];
    }
    store(value + i, x, count, wide);
    store(momentum + i, gathered, count, wide);
  }
};

struct Segment {
  std::int64_t begin;
  std::int64_t end;
  std::int64_t group;
  std::int64_t decays;  // 1, or 0
};

// Applies a rule to every element of every segment; a block takes one chunk of the buffers, whatever segments lie
// there.
template <class Rule>
__global__ void __launch_bounds__(kThreads)
    update_segments(Rule rule, const Segment* segments, std::int64_t count, bool wide) {
  constexpr int kSteps = 2 * StepState::kGroups;  // each group's without decay, and with it
  __shared__ typename Rule::Step steps[kSteps];
  __shared__ Segment here[kThreads];
  __shared__ int found;
  if (threadIdx.x < kSteps) steps[threadIdx.x] = rule.step({threadIdx.x / 2, threadIdx.x % 2 != 0});
  const std::int64_t chunk_begin = blockIdx.x * kChunk;
  const std::int64_t chunk_end = chunk_begin + kChunk;
  for (std::int64_t first = 0; first < count; first += kThreads) {
    __syncthreads();  // the segments before are done
    if (threadIdx.x == 0) found = 0;
    __syncthreads();
    if (first + threadIdx.x < count) {
      Segment mine = segments[first + threadIdx.x];
      mine.begin = mine.begin > chunk_begin ? mine.begin : chunk_begin;
      mine.end = mine.end < chunk_end ? mine.end : chunk_end;
      if (mine.begin < mine.end) here[atomicAdd(&found, 1)] = mine;
    }
    __syncthreads();
    for (int s = 0; s < found; ++s) {
      const Segment segment = here[s];
      const std::int64_t unit = segment.begin / kFlat + threadIdx.x;
      for (std::int64_t i = unit * kFlat; i < segment.end; i += kThreads * kFlat) {
        const std::int64_t from = i > segment.begin ? i : segment.begin;
        const std::int64_t to = i + kFlat < segment.end ? i + kFlat : segment.end;
        rule.update(from, to - from, wide && from == i, steps[2 * segment.group + segment.decays]);
      }
    }
  }
}

template <class Rule>
void over_segments(const char* op, const Rule& rule, const Tensor& value, const Tensor& segments, bool wide) {
  if (value.numel() == 0) return;
  static_assert(sizeof(Segment) == 4 * sizeof(std::int64_t));
  const auto* rows = reinterpret_cast<const Segment*>(segments.data<std::int64_t>());
  update_segments<<<blocks(value.numel(), kChunk), kThreads, 0, stream()>>>(rule, rows, segments.shape()[0], wide);
  check_launch(op);
}

// place[ids[i]] = i, the last of a repeated id, and that row is touched.
__global__ void find_places(std::int32_t* place, bool* touched, const std::int32_t* ids, std::int64_t n,
                            std::int64_t table, unsigned* errors) {
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= n || ids[i] == -1) return;
  if (ids[i] < 0 || ids[i] >= table) return report(errors, DeviceError::kIndexOutOfRange);
  atomicMax(place + ids[i], static_cast<std::int32_t>(i));
  touched[ids[i]] = true;
}

struct Table {
  float* value;
  float* m;
  float* v;
  std::int64_t rows;
  std::int64_t cols;
};

// A warp a row of the table: with the gradient that `place` names, or with none.
__global__ void __launch_bounds__(kThreads)
    update_rows(Table table, const float* grad, const std::int32_t* place, const bool* touched, StepGroup group,
                const StepState* state, AdamWConstants constants, bool wide) {
  const std::int64_t row = std::int64_t{blockIdx.x} * kRowsPerBlock + threadIdx.x / kWarp;
  const bool changes = row < table.rows && (touched[row] || weight_decay(*state, group) != 0);
  if (!__syncthreads_or(changes)) return;  // the rows of most blocks
  __shared__ AdamWStep step;
  if (threadIdx.x == 0) step = AdamWStep(*state, group, constants);
  __syncthreads();
  if (!changes) return;
  const float* row_grad = place[row] >= 0 ? grad + place[row] * table.cols : nullptr;
  for (std::int64_t c = threadIdx.x % kWarp * kOfRow; c < table.cols; c += kWarp * kOfRow) {
    const std::int64_t i = row * table.cols + c;
    const std::int64_t count = table.cols - c;
    float x[kOfRow], g[kOfRow] = {}, first[kOfRow], second[kOfRow];
    read(x, table.value + i, count, wide);
    read(first, table.m + i, count, wide);
    read(second, table.v + i, count, wide);
    if (row_grad != nullptr) read(g, row_grad + c, count, wide);
    update_adamw(step, x, g, first, second);
    store(table.value + i, x, count, wide);
    store(table.m + i, first, count, wide);
    store(table.v + i, second, count, wide);
  }
}

// value[ids[i]] -= clip * learning rate * grad[i], a warp each; ids are distinct.
__global__ void __launch_bounds__(kThreads)
    move_rows(float* value, std::int64_t table, std::int64_t cols, const std::int32_t* ids, std::int64_t n,
              const float* grad, std::int64_t group, const StepState* state, unsigned* errors) {
  const std::int64_t i = std::int64_t{blockIdx.x} * kRowsPerBlock + threadIdx.x / kWarp;
  if (i >= n || ids[i] == -1) return;
  if (ids[i] < 0 || ids[i] >= table) return report(errors, DeviceError::kIndexOutOfRange);
  const auto rate = static_cast<float>(state->clip_factor() * state->learning_rate[group]);
  for (std::int64_t c = threadIdx.x % kWarp; c < cols; c += kWarp)
    value[ids[i] * cols + c] -= rate * grad[i * cols + c];
}

// A block takes kChunk elements, a thread kFlat of them at once.
__global__ void __launch_bounds__(kThreads)
    move_average(float* average, const float* value, std::int64_t n, const StepState* state, double decay, bool wide) {
  const float share = share_of_newest(*state, decay);
  const std::int64_t begin = std::int64_t{blockIdx.x} * kChunk;
  const std::int64_t end = begin + kChunk < n ? begin + kChunk : n;
  for (std::int64_t i = begin + threadIdx.x * kFlat; i < end; i += kThreads * kFlat) {
    float x[kFlat], mean[kFlat];
    read(x, value + i, end - i, wide);
    read(mean, average + i, end - i, wide);
#pragma unroll
    for (int k = 0; k < kFlat; ++k) mean[k] = fmaf(share, x[k] - mean[k], mean[k]);
    store(average + i, mean, end - i, wide);
  }
}

template <class T>
__global__ void write_budget_loss(T* loss, T* dcost, const T* cost, const StepState* state) {
  const Budget budget(*state, static_cast<double>(static_cast<compute_t<T>>(*cost)));
  *loss = T(static_cast<compute_t<T>>(budget.loss()));
  *dcost = T(static_cast<compute_t<T>>(budget.slope()));
}

template <class T>
__global__ void move_multipliers(StepState* state, const T* cost) {
  Budget(*state, static_cast<double>(static_cast<compute_t<T>>(*cost))).move_multipliers(*state);
}

}  // namespace

void squared_norm(Tensor& partial, const Tensor& x) {
  if (x.numel() == 0) return;
  dispatch_arithmetic(x.dtype(), "squared_norm", [&]<class T>() {
    square_chunks<<<blocks(x.numel(), kNormChunk), kThreads, 0, stream()>>>(
        partial.data<double>(), x.data<T>(), x.numel(), wide_rows(kNormChunk, kUnit<T>, x));
    check_launch("squared_norm");
  });
}

void grad_norm(Tensor& state, const Tensor& partial) {
  write_norm<<<1, kThreads, 0, stream()>>>(state_of(state), partial.data<double>(), partial.numel());
  check_launch("grad_norm");
}

void adamw(Tensor& value, Tensor& m, Tensor& v, Tensor& copy, const Tensor& grad, const Tensor& segments,
           const Tensor& state, const AdamWConstants& constants) {
  const AdamW rule{value.data<float>(),
                   m.data<float>(),
                   v.data<float>(),
                   copy.defined() ? copy.data<BFloat16>() : nullptr,
                   grad.data<float>(),
                   state_of(state),
                   constants};
  over_segments("adamw", rule, value, segments, wide_rows(kChunk, kFlat, value, grad, m, v, copy));
}

void adamw_rows(Tensor& value, Tensor& m, Tensor& v, Tensor& touched, const Tensor& ids, const Tensor& rows,
                const StepGroup& group, const Tensor& state, const AdamWConstants& constants) {
  const Table table{value.data<float>(), m.data<float>(), v.data<float>(), value.shape()[0], value.shape()[1]};
  if (value.numel() == 0) return;
  Tensor place = empty({table.rows}, DType::kInt32, Device::kCuda);  // where in `rows` a table row's gradient is, or -1
  fill(place, -1);
  find_places<<<blocks(ids.numel(), kThreads), kThreads, 0, stream()>>>(place.data<std::int32_t>(),
                                                                        touched.data<bool>(), ids.data<std::int32_t>(),
                                                                        ids.numel(), table.rows, device_errors());
  check_launch("adamw_rows");
  update_rows<<<blocks(table.rows, kRowsPerBlock), kThreads, 0, stream()>>>(
      table, rows.data<float>(), place.data<std::int32_t>(), touched.data<bool>(), group, state_of(state), constants,
      wide_rows(table.cols, kOfRow, value, m, v, rows));
  check_launch("adamw_rows");
}

void sgd(Tensor& value, Tensor& momentum, const Tensor& grad, const Tensor& segments, const Tensor& state,
         double momentum_factor) {
  const Sgd rule{value.data<float>(), momentum.data<float>(), grad.data<float>(), static_cast<float>(momentum_factor),
                 state_of(state)};
  over_segments("sgd", rule, value, segments, wide_rows(kChunk, kFlat, value, grad, momentum));
}

void sgd_rows(Tensor& value, const Tensor& ids, const Tensor& rows, std::int64_t group, const Tensor& state) {
  move_rows<<<blocks(ids.numel(), kRowsPerBlock), kThreads, 0, stream()>>>(
      value.data<float>(), value.shape()[0], value.shape()[1], ids.data<std::int32_t>(), ids.numel(),
      rows.data<float>(), group, state_of(state), device_errors());
  check_launch("sgd_rows");
}

void moving_average(Tensor& average, const Tensor& value, const Tensor& state, double decay) {
  if (value.numel() == 0) return;
  move_average<<<blocks(value.numel(), kChunk), kThreads, 0, stream()>>>(
      average.data<float>(), value.data<float>(), value.numel(), state_of(state), decay,
      wide_rows(kChunk, kFlat, average, value));
  check_launch("moving_average");
}

void budget_loss(Tensor& loss, Tensor& dcost, const Tensor& cost, const Tensor& state) {
  dispatch_arithmetic(cost.dtype(), "budget_loss", [&]<class T>() {
    write_budget_loss<<<1, 1, 0, stream()>>>(loss.data<T>(), dcost.data<T>(), cost.data<T>(), state_of(state));
    check_launch("budget_loss");
  });
}

void budget_controller(Tensor& state, const Tensor& cost) {
  dispatch_arithmetic(cost.dtype(), "budget_controller", [&]<class T>() {
    move_multipliers<<<1, 1, 0, stream()>>>(state_of(state), cost.data<T>());
    check_launch("budget_controller");
  });
}

}  // namespace tk::cuda
