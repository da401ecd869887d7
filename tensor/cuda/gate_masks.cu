#include "tensor/cuda/gradient_target.h"
#include "tensor/cuda/launch.h"
#include "tensor/gate_mask_math.h"
#include "tensor/kernels.h"

namespace tk::cuda {
namespace {

constexpr int kSentenceThreads = 128;

// What both ways read. A block a sentence, and one for the dummies behind the last.
template <class T>
struct Gates {
  const T* gates;
  int count;
  const T* keys_before;     // null: ones, as below
  const T* updated_before;
  const std::int32_t* offsets;
  std::int64_t sentences;
  std::int64_t rows;
  FirstRowRule rule;

  Gates(const Tensor& gates, const Tensor& keys, const Tensor& updated, const Tensor& offsets, const FirstRowRule& rule)
      : gates(gates.data<T>()),
        count(static_cast<int>(gates.size(1))),
        keys_before(data_or_null<T>(keys)),
        updated_before(data_or_null<T>(updated)),
        offsets(offsets.data<std::int32_t>()),
        sentences(offsets.numel() - 1),
        rows(gates.size(0) + (rule.asked ? 0 : sentences)),
        rule(rule) {}

  unsigned blocks() const { return static_cast<unsigned>(sentences + 1); }

  // A row's gates, ones where it is a first row that passes or is not asked; returns where they lie, or -1.
  __device__ std::int64_t read(T (&g)[3], std::int64_t row, std::int64_t first, bool dummy) const {
    const std::int64_t at = math::answer_of(row, first, blockIdx.x, rule, dummy);
#pragma unroll
    for (int k = 0; k < 3; ++k) {
      g[k] = k < count && at >= 0 && !settles(row, first, k, dummy) ? gates[at * count + k] : T(1);
    }
    return at;
  }
  __device__ bool settles(std::int64_t row, std::int64_t first, int gate, bool dummy) const {
    return !dummy && row == first && rule.pass(gate);
  }
  __device__ T keys(std::int64_t row) const { return keys_before == nullptr ? T(1) : keys_before[row]; }
  __device__ T updated(std::int64_t row) const { return updated_before == nullptr ? T(1) : updated_before[row]; }

  // f(row, its sentence's first row, whether it is a dummy), a thread a row.
  template <class F>
  __device__ void for_each_row(F&& f) const {
    const bool dummy = blockIdx.x == sentences;
    const std::int64_t first = offsets[blockIdx.x], end = dummy ? rows : offsets[blockIdx.x + 1];
    for (std::int64_t row = first + threadIdx.x; row < end; row += blockDim.x) f(row, first, dummy);
  }
};

template <class T>
__global__ void __launch_bounds__(kSentenceThreads) mask_rows(T* keys, T* updated, T* fed, Gates<T> in) {
  in.for_each_row([&](std::int64_t row, std::int64_t first, bool dummy) {
    T g[3];
    in.read(g, row, first, dummy);
    const math::RowMasks<T> masks = math::gate_masks(dummy ? T(0) : in.keys(row), in.updated(row), g);
    keys[row] = masks.keys;
    if (updated != nullptr) updated[row] = masks.updated;
    if (fed != nullptr) fed[row] = masks.fed;
  });
}

template <class T>
__global__ void __launch_bounds__(kSentenceThreads)
    mask_rows_backward(T* dgates, GradientTarget<T> dkeys_before, GradientTarget<T> dupdated_before, const T* dkeys,
                       const T* dupdated, const T* dfed, Gates<T> in) {
  in.for_each_row([&](std::int64_t row, std::int64_t first, bool dummy) {
    T g[3], dg[3];
    const std::int64_t at = in.read(g, row, first, dummy);
    const auto gradient = [&](const T* from) { return from == nullptr || dummy ? T(0) : from[row]; };
    const math::RowMasks<T> d = math::gate_masks_backward(
        dg, math::RowMasks<T>{gradient(dkeys), gradient(dupdated), gradient(dfed)}, in.keys(row), in.updated(row), g);
    dkeys_before.put(row, d.keys);
    dupdated_before.put(row, d.updated);
#pragma unroll
    for (int k = 0; k < 3; ++k) {
      if (k < in.count && at >= 0) dgates[at * in.count + k] = in.settles(row, first, k, dummy) ? T(0) : dg[k];
    }
  });
}

}  // namespace

void gate_masks(Tensor& keys, Tensor& updated, Tensor& fed, const Tensor& gates, const Tensor& keys_before,
                const Tensor& updated_before, const Tensor& offsets, const FirstRowRule& first) {
  if (keys.numel() == 0) return;
  dispatch_floating(gates.dtype(), "gate_masks", [&]<class T>() {
    const Gates<T> in(gates, keys_before, updated_before, offsets, first);
    mask_rows<<<in.blocks(), kSentenceThreads, 0, stream()>>>(keys.data<T>(), data_or_null<T>(updated),
                                                              data_or_null<T>(fed), in);
    check_launch("gate_masks");
  });
}

void gate_masks_backward(Tensor& dgates, const SumTarget& dkeys_before, const SumTarget& dupdated_before,
                         const Tensor& dkeys, const Tensor& dupdated, const Tensor& dfed, const Tensor& gates,
                         const Tensor& keys_before, const Tensor& updated_before, const Tensor& offsets,
                         const FirstRowRule& first) {
  dispatch_floating(gates.dtype(), "gate_masks", [&]<class T>() {
    const Gates<T> in(gates, keys_before, updated_before, offsets, first);
    mask_rows_backward<<<in.blocks(), kSentenceThreads, 0, stream()>>>(
        dgates.data<T>(), GradientTarget<T>(dkeys_before), GradientTarget<T>(dupdated_before), data_or_null<T>(dkeys),
        data_or_null<T>(dupdated), data_or_null<T>(dfed), in);
    check_launch("gate_masks_backward");
  });
}

}  // namespace tk::cuda
