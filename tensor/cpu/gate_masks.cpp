#include "tensor/gate_mask_math.h"
#include "tensor/kernels.h"

namespace tk::cpu {
namespace {

// Calls f(row, place of its answers or -1, whether it is a first row, whether it is a dummy).
template <class F>
void for_each_row(std::int64_t rows, const Tensor& offsets, const FirstRowRule& rule, F&& f) {
  const auto* bounds = offsets.data<std::int32_t>();
  const std::int64_t sentences = offsets.numel() - 1;
  for (std::int64_t s = 0; s <= sentences; ++s) {
    const bool dummy = s == sentences;
    const std::int64_t end = dummy ? rows : bounds[s + 1];
    for (std::int64_t row = bounds[s]; row < end; ++row) {
      f(row, math::answer_of(row, bounds[s], s, rule, dummy), !dummy && row == bounds[s], dummy);
    }
  }
}

// A row's gates: ones where it is a first row that passes, or is not asked.
template <class T>
void read_gates(T (&g)[3], const T* gates, std::int64_t count, std::int64_t at, bool is_first,
                const FirstRowRule& rule) {
  for (std::int64_t k = 0; k < 3; ++k) {
    const bool answered = k < count && at >= 0 && !(is_first && rule.pass(k));
    g[k] = answered ? gates[at * count + k] : T(1);
  }
}

template <class T>
T value_or(const Tensor& mask, std::int64_t row, T otherwise) {
  return mask.defined() ? mask.data<T>()[row] : otherwise;
}

}  // namespace

void gate_masks(Tensor& keys, Tensor& updated, Tensor& fed, const Tensor& gates, const Tensor& keys_before,
                const Tensor& updated_before, const Tensor& offsets, const FirstRowRule& first) {
  dispatch_floating(gates.dtype(), "gate_masks", [&]<class T>() {
    for_each_row(keys.numel(), offsets, first, [&](std::int64_t row, std::int64_t at, bool is_first, bool is_dummy) {
      T g[3];
      read_gates(g, gates.data<T>(), gates.size(1), at, is_first, first);
      const T r = is_dummy ? T(0) : value_or(keys_before, row, T(1));
      const math::RowMasks<T> masks = math::gate_masks(r, value_or(updated_before, row, T(1)), g);
      keys.data<T>()[row] = masks.keys;
      if (updated.defined()) updated.data<T>()[row] = masks.updated;
      if (fed.defined()) fed.data<T>()[row] = masks.fed;
    });
  });
}

void gate_masks_backward(Tensor& dgates, const SumTarget& dkeys_before, const SumTarget& dupdated_before,
                         const Tensor& dkeys, const Tensor& dupdated, const Tensor& dfed, const Tensor& gates,
                         const Tensor& keys_before, const Tensor& updated_before, const Tensor& offsets,
                         const FirstRowRule& first) {
  const std::int64_t count = gates.size(1), rows = gates.size(0) + (first.asked ? 0 : offsets.numel() - 1);
  dispatch_floating(gates.dtype(), "gate_masks", [&]<class T>() {
    const auto put = [](const SumTarget& to, std::int64_t row, T value) {
      if (!to) return;
      T& at = to.out.data<T>()[row];
      at = to.add ? at + value : value;
    };
    for_each_row(rows, offsets, first, [&](std::int64_t row, std::int64_t at, bool is_first, bool is_dummy) {
      T g[3], dg[3];
      read_gates(g, gates.data<T>(), count, at, is_first, first);
      math::RowMasks<T> d{value_or(dkeys, row, T(0)), value_or(dupdated, row, T(0)), value_or(dfed, row, T(0))};
      if (is_dummy) d = {0, 0, 0};
      d = math::gate_masks_backward(dg, d, value_or(keys_before, row, T(1)), value_or(updated_before, row, T(1)), g);
      put(dkeys_before, row, d.keys);
      put(dupdated_before, row, d.updated);
      for (std::int64_t k = 0; k < count && at >= 0; ++k) {
        dgates.data<T>()[at * count + k] = is_first && first.pass(k) ? T(0) : dg[k];
      }
    });
  });
}

}  // namespace tk::cpu
