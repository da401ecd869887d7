#include "tensor/ops/mac_share.h"

#include "tensor/kernels.h"
#include "tensor/ops/sum_target.h"

namespace tk {
namespace {

MaskedLayers checked(MaskedLayers masks, DType dtype) {
  for (MaskedLayer& layer : masks.layers) {
    for (Tensor* mask : {&layer.keys, &layer.updated, &layer.fed}) {
      if (!mask->defined()) continue;
      TK_CHECK(mask->rank() == 1 && mask->dtype() == dtype, "mac_share: expected masks [rows] of ", dtype, ", got ",
               mask->dtype(), ' ', mask->shape());
      *mask = mask->contiguous();
    }
  }
  return masks;
}

}  // namespace

MacShare mac_share(const MaskedLayers& masks, const Tensor& offsets, const MacCoefficients& c, DType dtype) {
  TK_CHECK(!masks.layers.empty(), "mac_share: expected layers, got none");
  const Device device = offsets.device();
  MacShare out{empty({}, dtype, device), empty({}, dtype, device),
               empty({std::ssize(masks.layers), 3, offsets.numel() - 1}, dtype, device)};
  mac_share_kernel(device, out.share, out.dense, out.counts, checked(masks, dtype), offsets, c);
  return out;
}

void mac_share_backward(const MaskTargets& to, const Tensor& dshare, const MacShare& forward, const MaskedLayers& masks,
                        const Tensor& offsets, const MacCoefficients& c) {
  TK_CHECK(to.layers.size() == masks.layers.size(), "mac_share: expected targets of ", masks.layers.size(),
           " layers, got ", to.layers.size());
  for (std::size_t i = 0; i < to.layers.size(); ++i) {
    check_target("mac_share", to.layers[i].keys, masks.layers[i].keys);
    check_target("mac_share", to.layers[i].updated, masks.layers[i].updated);
    check_target("mac_share", to.layers[i].fed, masks.layers[i].fed);
  }
  mac_share_backward_kernel(offsets.device(), to, dshare.contiguous(), forward.dense, forward.counts, masks, offsets,
                            c);
}

}  // namespace tk
