#include <bit>
#include <cub/device/device_segmented_radix_sort.cuh>
#include <limits>
#include <type_traits>

#include "tensor/cuda/launch.h"
#include "tensor/kernels.h"

namespace tk::cuda {
namespace {

// Unsigned numbers in the order of the floats: zeros are equal, and so are NaNs, above all others.
template <class C>
using Key = std::conditional_t<sizeof(C) == 4, std::uint32_t, std::uint64_t>;

template <class C>
__device__ Key<C> key_of(C x) {
  constexpr Key<C> kSign = Key<C>{1} << (8 * sizeof(C) - 1);
  if (x != x) return ~Key<C>{0};
  const auto bits = std::bit_cast<Key<C>>(x == C(0) ? C(0) : x);
  return (bits & kSign) != 0 ? ~bits : bits | kSign;
}

// A thread an element, and its place in the row.
template <class T>
__global__ void make_keys(Key<compute_t<T>>* keys, std::int64_t* places, const T* x, std::int64_t cols, std::int64_t n,
                          bool descending) {
  using C = compute_t<T>;
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const Key<C> key = key_of(static_cast<C>(x[i]));
  keys[i] = descending ? ~key : key;
  places[i] = i % cols;
}

__global__ void make_bounds(std::int64_t* bounds, std::int64_t rows, std::int64_t cols) {
  const std::int64_t row = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (row <= rows) bounds[row] = row * cols;
}

}  // namespace

// A radix sort keeps the order of equal keys.
void argsort_rows(Tensor& index, const Tensor& x, bool descending) {
  const std::int64_t n = x.numel();
  if (n == 0) return;
  const std::int64_t cols = x.shape().back(), rows = n / cols;
  const auto longs = [](std::int64_t size) { return empty({size}, DType::kInt64, Device::kCuda); };
  const Tensor bounds = longs(rows + 1), places = longs(n), keys = longs(n), sorted = longs(n);
  make_bounds<<<blocks(rows + 1, kThreads), kThreads, 0, stream()>>>(bounds.data<std::int64_t>(), rows, cols);
  check_launch("sort");
  dispatch_arithmetic(x.dtype(), "sort", [&]<class T>() {
    using K = Key<compute_t<T>>;
    auto* const unsorted = static_cast<K*>(keys.raw_data());
    make_keys<<<blocks(n, kThreads), kThreads, 0, stream()>>>(unsorted, places.data<std::int64_t>(), x.data<T>(), cols,
                                                              n, descending);
    check_launch("sort");
    std::size_t bytes = 0;
    const auto sort = [&](void* scratch) {
      check(cub::DeviceSegmentedRadixSort::SortPairs(
                scratch, bytes, static_cast<const K*>(unsorted), static_cast<K*>(sorted.raw_data()),
                static_cast<const std::int64_t*>(places.data<std::int64_t>()), index.data<std::int64_t>(), n, rows,
                bounds.data<std::int64_t>(), bounds.data<std::int64_t>() + 1, 0, static_cast<int>(8 * sizeof(K)),
                stream()),
            "cub::DeviceSegmentedRadixSort");
    };
    sort(nullptr);  // asks for the bytes
    const Tensor scratch = empty({static_cast<std::int64_t>(bytes)}, DType::kBool, Device::kCuda);
    sort(scratch.raw_data());
  });
}

}  // namespace tk::cuda
