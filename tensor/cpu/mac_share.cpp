#include "tensor/kernels.h"
#include "tensor/mac_share_math.h"

namespace tk::cpu {
namespace {

// Sums of a layer's masks over the rows of sentence s.
template <class T>
double sum_of(const Tensor& mask, const std::int32_t* bounds, std::int64_t s) {
  if (!mask.defined()) return 0;
  double sum = 0;
  for (std::int64_t row = bounds[s]; row < bounds[s + 1]; ++row) sum += static_cast<double>(mask.data<T>()[row]);
  return sum;
}

template <class T>
math::RowCounts counts_of(const math::LayerCosting& layer, const T* counts, std::int64_t sentences, std::int64_t s,
                          double n) {
  const auto sum = [&](std::int64_t set) { return static_cast<double>(counts[set * sentences + s]); };
  return {layer, n, sum(0), sum(1), sum(2)};
}

}  // namespace

void mac_share(Tensor& share, Tensor& dense, Tensor& counts, const MaskedLayers& masks, const Tensor& offsets,
               const MacCoefficients& c) {
  const auto* bounds = offsets.data<std::int32_t>();
  const std::int64_t sentences = offsets.numel() - 1, layers = std::ssize(masks.layers);
  dispatch_floating(share.dtype(), "mac_share", [&]<class T>() {
    double macs = 0, all = 0;
    for (std::int64_t s = 0; s < sentences; ++s) {
      const double n = bounds[s + 1] - bounds[s];
      double before = n;
      for (std::int64_t l = 0; l < layers; ++l) {
        const MaskedLayer& layer = masks.layers[static_cast<std::size_t>(l)];
        T* const sums = counts.data<T>() + l * 3 * sentences;
        sums[s] = static_cast<T>(sum_of<T>(layer.keys, bounds, s));
        sums[sentences + s] = static_cast<T>(sum_of<T>(layer.updated, bounds, s));
        sums[2 * sentences + s] = static_cast<T>(sum_of<T>(layer.fed, bounds, s));
        const math::LayerCosting costing(layer);
        const math::RowCounts rows = counts_of(costing, sums, sentences, s, n);
        macs += math::macs_of(costing, rows, before, c);
        before = rows.keys;
      }
      const double head = head_macs(c, 1, n);
      macs += head;
      all += static_cast<double>(layers) * full_layer_macs(c, n) + head;
    }
    dense.data<T>()[0] = static_cast<T>(all);
    share.data<T>()[0] = static_cast<T>(macs / all);
  });
}

void mac_share_backward(const MaskTargets& to, const Tensor& dshare, const Tensor& dense, const Tensor& counts,
                        const MaskedLayers& masks, const Tensor& offsets, const MacCoefficients& c) {
  const auto* bounds = offsets.data<std::int32_t>();
  const std::int64_t sentences = offsets.numel() - 1;
  const std::size_t layers = masks.layers.size();
  dispatch_floating(dshare.dtype(), "mac_share", [&]<class T>() {
    const double scale = static_cast<double>(dshare.data<T>()[0]) / static_cast<double>(dense.data<T>()[0]);
    const auto put = [&](const SumTarget& target, std::int64_t begin, std::int64_t end, double slope) {
      if (!target) return;
      for (std::int64_t row = begin; row < end; ++row) {
        T& at = target.out.data<T>()[row];
        at = (target.add ? at : T(0)) + static_cast<T>(slope * scale);
      }
    };
    for (std::size_t l = 0; l < layers; ++l) {
      const math::LayerCosting costing(masks.layers[l]);
      const bool next_asks = l + 1 < layers && masks.layers[l + 1].predicted == MaskedLayer::Predicted::kKeysBefore;
      const MaskedLayerTargets& targets = to.layers[l];
      for (std::int64_t s = 0; s < sentences; ++s) {
        const math::RowCounts rows = counts_of(costing, counts.data<T>() + static_cast<std::int64_t>(l) * 3 * sentences,
                                               sentences, s, bounds[s + 1] - bounds[s]);
        const math::RowCounts slopes = math::slopes_of(costing, rows, next_asks, c);
        put(targets.keys, bounds[s], bounds[s + 1], slopes.keys);
        put(targets.updated, bounds[s], bounds[s + 1], slopes.updated);
        put(targets.fed, bounds[s], bounds[s + 1], slopes.fed);
      }
      for (const SumTarget* target : {&targets.keys, &targets.updated, &targets.fed}) {
        if (*target) put(*target, bounds[sentences], target->out.numel(), 0);
      }
    }
  });
}

}  // namespace tk::cpu
