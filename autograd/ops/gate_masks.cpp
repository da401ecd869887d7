#include "autograd/ops/gate_masks.h"

#include "tensor/ops/gate_masks.h"

namespace tk {

MaskVariables gate_masks(const Variable& gates, const MaskVariables& before, const Tensor& offsets,
                         const FirstRowRule& first) {
  enum : std::size_t { kGates, kKeys, kUpdated };
  const RowMasks after = gate_masks(gates.value(), {before.keys.value(), before.updated.value(), {}}, offsets, first);
  Tensors values = {after.keys};
  if (after.updated.defined()) values.insert(values.end(), {after.updated, after.fed});
  const Variables masks =
      record_values("gate_masks", values, in_place({{kGates, gates}, {kKeys, before.keys}, {kUpdated, before.updated}}),
                    [gates = Saved(gates), keys = Saved(before.keys), updated = Saved(before.updated), offsets, first](
                        const Tensors& d, Destinations& to) {
                      const RowMasks upstream{d[0], d.size() > 1 ? d[1] : Tensor(), d.size() > 1 ? d[2] : Tensor()};
                      to.add_if_wanted(kGates, gate_masks_backward(upstream, to.target_if_wanted(kKeys),
                                                                   to.target_if_wanted(kUpdated), gates,
                                                                   {keys, updated, {}}, offsets, first));
                    });
  return masks.size() == 1 ? MaskVariables{masks[0], {}, {}} : MaskVariables{masks[0], masks[1], masks[2]};
}

}  // namespace tk
