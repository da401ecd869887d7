#include "tensor/cuda/block_reduce.h"
#include "tensor/kernels.h"
#include "tensor/mac_share_math.h"

namespace tk::cuda {
namespace {

constexpr int kMostLayers = 64;  // what a kernel's arguments have room for
constexpr int kSentenceThreads = 128;

template <class T>
struct MaskPointers {
  const T* keys;
  const T* updated;
  const T* fed;
  math::LayerCosting costing;
};

template <class T>
struct Masks {
  MaskPointers<T> layers[kMostLayers];
  int count;

  explicit Masks(const MaskedLayers& masks) : count(static_cast<int>(masks.layers.size())) {
    TK_CHECK(count <= kMostLayers, "mac_share: expected at most ", kMostLayers, " layers on a GPU, got ", count);
    for (int l = 0; l < count; ++l) {
      const MaskedLayer& layer = masks.layers[static_cast<std::size_t>(l)];
      layers[l] = {data_or_null<T>(layer.keys), data_or_null<T>(layer.updated), data_or_null<T>(layer.fed),
                   math::LayerCosting(layer)};
    }
  }
};

// counts [layers, 3, sentences], a block a layer and sentence.
template <class T>
__global__ void __launch_bounds__(kSentenceThreads)
    count_rows(T* counts, const __grid_constant__ Masks<T> masks, const std::int32_t* offsets) {
  const MaskPointers<T>& layer = masks.layers[blockIdx.y];
  const T* const sets[3] = {layer.keys, layer.updated, layer.fed};
  T sums[3] = {};
  for (std::int64_t row = offsets[blockIdx.x] + threadIdx.x; row < offsets[blockIdx.x + 1]; row += blockDim.x) {
#pragma unroll
    for (int k = 0; k < 3; ++k) sums[k] += sets[k] == nullptr ? T(0) : sets[k][row];
  }
  block_reduce(sums, Sum{});
  if (threadIdx.x < 3) counts[(blockIdx.y * 3 + threadIdx.x) * gridDim.x + blockIdx.x] = sums[threadIdx.x];
}

template <class T>
__device__ math::RowCounts counts_of(const math::LayerCosting& layer, const T* counts, std::int64_t sentences,
                                     std::int64_t s, double n) {
  return {layer, n, counts[s], counts[sentences + s], counts[2 * sentences + s]};
}

// One block.
template <class T>
__global__ void __launch_bounds__(kSentenceThreads)
    share_of_counts(T* share, T* dense, const T* counts, const __grid_constant__ Masks<T> masks,
                    const std::int32_t* offsets, std::int64_t sentences, MacCoefficients c) {
  double sums[2] = {};  // MACs, and the dense model's
  for (std::int64_t s = threadIdx.x; s < sentences; s += blockDim.x) {
    const double n = offsets[s + 1] - offsets[s], head = head_macs(c, 1, n);
    sums[0] += head;
    sums[1] += masks.count * full_layer_macs(c, n) + head;
    double before = n;
    for (int l = 0; l < masks.count; ++l) {
      const math::LayerCosting& layer = masks.layers[l].costing;
      const math::RowCounts rows = counts_of(layer, counts + l * 3 * sentences, sentences, s, n);
      sums[0] += math::macs_of(layer, rows, before, c);
      before = rows.keys;
    }
  }
  block_reduce(sums, Sum{});
  if (threadIdx.x != 0) return;
  *dense = static_cast<T>(sums[1]);
  *share = static_cast<T>(sums[0] / sums[1]);
}

template <class T>
struct LayerTargets {
  T* out[3];  // null: not wanted
  bool add[3];
  std::int64_t rows;
  math::LayerCosting costing;
  bool next_asks;
};

template <class T>
struct Targets {
  LayerTargets<T> layers[kMostLayers];
  int count;

  Targets(const MaskTargets& to, const MaskedLayers& masks) : count(static_cast<int>(to.layers.size())) {
    for (int l = 0; l < count; ++l) {
      const auto at = static_cast<std::size_t>(l);
      const MaskedLayerTargets& targets = to.layers[at];
      LayerTargets<T>& layer = layers[l];
      layer.rows = 0;
      layer.costing = math::LayerCosting(masks.layers[at]);
      layer.next_asks = l + 1 < count && masks.layers[at + 1].predicted == MaskedLayer::Predicted::kKeysBefore;
      const SumTarget* const sums[3] = {&targets.keys, &targets.updated, &targets.fed};
      for (int k = 0; k < 3; ++k) {
        layer.out[k] = data_or_null<T>(sums[k]->out);
        layer.add[k] = sums[k]->add;
        if (*sums[k]) layer.rows = sums[k]->out.numel();
      }
    }
  }
};

// A block a layer and sentence, and one for the dummies.
template <class T>
__global__ void __launch_bounds__(kSentenceThreads)
    spread_slopes(const __grid_constant__ Targets<T> targets, const T* dshare, const T* dense, const T* counts,
                  const std::int32_t* offsets, std::int64_t sentences, MacCoefficients c) {
  const LayerTargets<T>& layer = targets.layers[blockIdx.y];
  const std::int64_t s = blockIdx.x, begin = offsets[s];
  const bool dummy = s == sentences;
  const std::int64_t end = dummy ? layer.rows : offsets[s + 1];
  T slopes[3] = {};
  if (!dummy) {
    const double scale = static_cast<double>(*dshare) / static_cast<double>(*dense);
    const math::RowCounts rows =
        counts_of(layer.costing, counts + blockIdx.y * 3 * sentences, sentences, s, end - begin);
    const math::RowCounts d = math::slopes_of(layer.costing, rows, layer.next_asks, c);
    slopes[0] = static_cast<T>(d.keys * scale);
    slopes[1] = static_cast<T>(d.updated * scale);
    slopes[2] = static_cast<T>(d.fed * scale);
  }
  for (std::int64_t row = begin + threadIdx.x; row < end; row += blockDim.x) {
#pragma unroll
    for (int k = 0; k < 3; ++k) {
      if (layer.out[k] != nullptr) layer.out[k][row] = (layer.add[k] ? layer.out[k][row] : T(0)) + slopes[k];
    }
  }
}

}  // namespace

void mac_share(Tensor& share, Tensor& dense, Tensor& counts, const MaskedLayers& masks, const Tensor& offsets,
               const MacCoefficients& c) {
  const std::int64_t sentences = offsets.numel() - 1;
  dispatch_floating(share.dtype(), "mac_share", [&]<class T>() {
    const Masks<T> layers(masks);
    if (sentences > 0) {
      count_rows<<<dim3(blocks(sentences, 1), blocks(layers.count, 1)), kSentenceThreads, 0, stream()>>>(
          counts.data<T>(), layers, offsets.data<std::int32_t>());
      check_launch("mac_share");
    }
    share_of_counts<<<1, kSentenceThreads, 0, stream()>>>(share.data<T>(), dense.data<T>(), counts.data<T>(), layers,
                                                          offsets.data<std::int32_t>(), sentences, c);
    check_launch("mac_share");
  });
}

void mac_share_backward(const MaskTargets& to, const Tensor& dshare, const Tensor& dense, const Tensor& counts,
                        const MaskedLayers& masks, const Tensor& offsets, const MacCoefficients& c) {
  const std::int64_t sentences = offsets.numel() - 1;
  dispatch_floating(dshare.dtype(), "mac_share", [&]<class T>() {
    const Targets<T> targets(to, masks);
    spread_slopes<<<dim3(blocks(sentences + 1, 1), blocks(targets.count, 1)), kSentenceThreads, 0, stream()>>>(
        targets, dshare.data<T>(), dense.data<T>(), counts.data<T>(), offsets.data<std::int32_t>(), sentences, c);
    check_launch("mac_share_backward");
  });
}

}  // namespace tk::cuda
