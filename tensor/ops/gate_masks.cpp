#include "tensor/ops/gate_masks.h"

#include "tensor/kernels.h"
#include "tensor/ops/sum_target.h"

namespace tk {
namespace {

std::int64_t rows_of(const Tensor& gates, const Tensor& offsets, const FirstRowRule& first) {
  return gates.size(0) + (first.asked ? 0 : offsets.numel() - 1);
}

// A mask, or a gradient of one, that may not be given.
Tensor checked(const Tensor& mask, const Tensor& gates, std::int64_t rows) {
  if (!mask.defined()) return mask;
  TK_CHECK(mask.shape() == Shape{rows} && mask.dtype() == gates.dtype(), "gate_masks: expected masks of ", rows,
           " rows in ", gates.dtype(), ", got ", mask.dtype(), ' ', mask.shape());
  return mask.contiguous();
}

}  // namespace

RowMasks gate_masks(const Tensor& gates, const RowMasks& before, const Tensor& offsets, const FirstRowRule& first) {
  TK_CHECK(gates.rank() == 2 && (gates.size(1) == 1 || gates.size(1) == 3), "gate_masks: expected [rows, 1 or 3], got ",
           gates.shape());
  const std::int64_t rows = rows_of(gates, offsets, first);
  const auto mask = [&] { return empty({rows}, gates.dtype(), gates.device()); };
  const bool staged = gates.size(1) == 3;
  RowMasks after{mask(), staged ? mask() : Tensor(), staged ? mask() : Tensor()};
  gate_masks_kernel(gates.device(), after.keys, after.updated, after.fed, gates.contiguous(),
                    checked(before.keys, gates, rows), checked(before.updated, gates, rows), offsets, first);
  return after;
}

Tensor gate_masks_backward(const RowMasks& d, const SumTarget& dkeys_before, const SumTarget& dupdated_before,
                           const Tensor& gates, const RowMasks& before, const Tensor& offsets,
                           const FirstRowRule& first) {
  const std::int64_t rows = rows_of(gates, offsets, first);
  const auto given = [&](const Tensor& mask) { return checked(mask, gates, rows); };
  Tensor dgates = empty_like(gates);
  gate_masks_backward_kernel(gates.device(), dgates, dkeys_before, dupdated_before, given(d.keys), given(d.updated),
                             given(d.fed), gates.contiguous(), given(before.keys), given(before.updated), offsets,
                             first);
  return dgates;
}

}  // namespace tk
