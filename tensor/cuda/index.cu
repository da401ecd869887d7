#include <bit>
#include <cub/device/device_radix_sort.cuh>
#include <limits>

#include "tensor/cuda/launch.h"
#include "tensor/cuda/pack.h"
#include "tensor/kernels.h"

namespace tk::cuda {
namespace {

constexpr int kRowsPerBlock = kThreads / kWarp;
constexpr int kScanThreads = 1024;                   // of the one block that scans
constexpr int kScanItems = 8;                        // of each of its threads
constexpr int kScanned = kScanThreads * kScanItems;  // at once
constexpr int kPart = kWarp;                         // rows of one index that are added one after the other
constexpr int kInFlight = 8;                         // of them, loaded at once

std::int64_t row_bytes(const Tensor& x) { return x.shape()[0] == 0 ? 0 : x.bytes() / x.shape()[0]; }

__device__ std::int64_t warp_of_grid() { return std::int64_t{blockIdx.x} * kRowsPerBlock + threadIdx.x / kWarp; }

__device__ int lane() { return static_cast<int>(threadIdx.x) % kWarp; }

// Calls f with the widest type in which rows of so many bytes can be moved between two tensors.
template <class F>
void dispatch_unit(std::int64_t bytes, const Tensor& y, const Tensor& x, F&& f) {
  const auto any = static_cast<std::uintptr_t>(bytes) | reinterpret_cast<std::uintptr_t>(y.raw_data()) |
                   reinterpret_cast<std::uintptr_t>(x.raw_data());
  if (any % sizeof(uint4) == 0) return f.template operator()<uint4>();
  if (any % sizeof(unsigned) == 0) return f.template operator()<unsigned>();
  if (any % sizeof(unsigned short) == 0) return f.template operator()<unsigned short>();
  f.template operator()<unsigned char>();
}

// A warp a row. A row that does not exist reads as zeros.
template <class Unit, class I>
__global__ void __launch_bounds__(kThreads) select_rows(Unit* y, const Unit* x, std::int64_t units, const I* index,
                                                        std::int64_t n, std::int64_t size, unsigned* errors) {
  const std::int64_t i = warp_of_grid();
  if (i >= n) return;
  const std::int64_t from = index[i];
  const bool exists = from >= 0 && from < size;
  if (!exists && from != -1 && lane() == 0) report(errors, DeviceError::kIndexOutOfRange);
#pragma unroll 4
  for (std::int64_t u = lane(); u < units; u += kWarp) y[i * units + u] = exists ? x[from * units + u] : Unit{};
}

// last[r] = the largest i with index[i] = r.
template <class I>
__global__ void find_last(std::int32_t* last, const I* index, std::int64_t n, std::int64_t size, unsigned* errors) {
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= n || index[i] == -1) return;
  if (index[i] < 0 || index[i] >= size) return report(errors, DeviceError::kIndexOutOfRange);
  atomicMax(last + index[i], static_cast<std::int32_t>(i));
}

template <class Unit, class I>
__global__ void __launch_bounds__(kThreads) copy_rows(Unit* y, const Unit* x, std::int64_t units, const I* index,
                                                      std::int64_t n, std::int64_t size, const std::int32_t* last) {
  const std::int64_t i = warp_of_grid();
  if (i >= n || index[i] < 0 || index[i] >= size || last[index[i]] != i) return;
  const std::int64_t to = index[i];
#pragma unroll 4
  for (std::int64_t u = lane(); u < units; u += kWarp) y[to * units + u] = x[i * units + u];
}

// A warp a row.
template <int N, class T>
__global__ void __launch_bounds__(kThreads) add_each_row(T* y, const T* x, std::int64_t cols, const std::int32_t* index,
                                                         std::int64_t n, std::int64_t size, bool wide,
                                                         unsigned* errors) {
  const std::int64_t i = warp_of_grid();
  if (i >= n || index[i] == -1) return;
  if (index[i] < 0 || index[i] >= size) return report(errors, DeviceError::kIndexOutOfRange);
  T* const to = y + index[i] * cols;
  for (std::int64_t col = lane() * N; col < cols; col += kWarp * N) {
    const Pack<T, N> from = load<N>(x + i * cols + col, cols - col, wide), before = load<N>(to + col, cols - col, wide);
    compute_t<T> sum[N];
#pragma unroll
    for (int k = 0; k < N; ++k) sum[k] = before[k] + from[k];
    store(to + col, sum, cols - col, wide);
  }
}

// Sum of x over the threads before this one; `total` over all of them. Every thread of the block calls it.
__device__ int scan_block(int x, int& total) {
  __shared__ int of_warp[kWarp];
  int inclusive = x;
  for (int distance = 1; distance < kWarp; distance *= 2) {
    const int before = __shfl_up_sync(~0u, inclusive, distance);
    if (lane() >= distance) inclusive += before;
  }
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  __syncthreads();  // readers of an earlier scan are done
  if (lane() == kWarp - 1) of_warp[warp] = inclusive;
  __syncthreads();
  int before = 0;
  total = 0;
  for (int w = 0; w < static_cast<int>(blockDim.x) / kWarp; ++w) {
    if (w == warp) before = total;
    total += of_warp[w];
  }
  return before + inclusive - x;
}

// For a grid of one block: calls put(i, rank) for every i in [0, n) for which is(i) holds, ranks counting from 0,
// each(i, count) for every i with the number of those up to i, itself included, and after(base) when all threads have
// done so for the kScanned from `base` on. Returns how many there are.
template <class Is, class Put, class Each, class After>
__device__ int scan_ranks(std::int64_t n, Is&& is, Put&& put, Each&& each, After&& after) {
  int done = 0;
  for (std::int64_t base = 0; base < n; base += kScanned) {
    const std::int64_t begin = base + threadIdx.x * kScanItems;
    unsigned flags = 0;
#pragma unroll
    for (int k = 0; k < kScanItems; ++k) flags |= static_cast<unsigned>(begin + k < n && is(begin + k)) << k;
    int total = 0;
    int rank = done + scan_block(__popc(flags), total);
    for (int k = 0; k < kScanItems && begin + k < n; ++k) {
      if ((flags >> k & 1) != 0) put(begin + k, rank++);
      each(begin + k, rank);
    }
    done += total;
    after(base);
  }
  return done;
}

template <class I>
__global__ void make_keys(std::int32_t* keys, const I* index, std::int64_t n, std::int64_t size, unsigned* errors) {
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= n) return;
  const bool exists = index[i] >= 0 && index[i] < size;
  if (!exists && index[i] != -1) report(errors, DeviceError::kIndexOutOfRange);
  keys[i] = static_cast<std::int32_t>(exists ? index[i] : size);  // behind all others
}

// Rows of n elements, m indices a row: a thread an index.
template <class U, class I>
__global__ void gather_elements(U* y, const U* x, std::int64_t n, const I* index, std::int64_t m, std::int64_t count,
                                unsigned* errors) {
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const bool exists = index[i] >= 0 && index[i] < n;
  if (!exists) report(errors, DeviceError::kIndexOutOfRange);
  y[i] = exists ? x[i / m * n + index[i]] : U{};
}

// The place in all of y; behind all others where there is none.
template <class I>
__global__ void make_place_keys(std::int32_t* keys, const I* index, std::int64_t m, std::int64_t n, std::int64_t count,
                                std::int64_t places, unsigned* errors) {
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= count) return;
  const bool exists = index[i] >= 0 && index[i] < n;
  if (!exists) report(errors, DeviceError::kIndexOutOfRange);
  keys[i] = static_cast<std::int32_t>(exists ? i / m * n + index[i] : places);
}

// Keys sorted, -1 behind all others, and their runs: run k has key ids[k] and lies at [first[k], first[k + 1]) of the
// sorted keys, `order` says where those came from, run[p] is the run of sorted key p. Behind the last run ids are -1
// and runs empty.
struct Runs {
  std::int32_t* ids;    // [n]
  std::int32_t* first;  // [n + 1]
  std::int32_t* run;    // [n]
  std::int32_t* order;  // [n]
  std::int64_t n;
};

// Of sorted keys, `none` being that of no row.
__global__ void __launch_bounds__(kScanThreads) find_runs(Runs runs, const std::int32_t* keys, std::int32_t none) {
  const int count = scan_ranks(
      runs.n, [&](std::int64_t p) { return p == 0 || keys[p] != keys[p - 1]; },
      [&](std::int64_t p, int rank) {
        runs.ids[rank] = keys[p] == none ? -1 : keys[p];
        runs.first[rank] = static_cast<std::int32_t>(p);
      },
      [&](std::int64_t p, int heads) { runs.run[p] = heads - 1; }, [](std::int64_t) {});
  for (std::int64_t k = count + threadIdx.x; k <= runs.n; k += kScanThreads) {
    if (k < runs.n) runs.ids[k] = -1;
    runs.first[k] = static_cast<std::int32_t>(runs.n);
  }
}

// Rows to add up, and where: y[ids[k]] += the sum of run k, or y[k] = it.
template <class T>
struct RowSums {
  T* y;
  const T* x;
  compute_t<T>* partial;  // [2 * blocks(n, kPart), cols]
  std::int64_t cols;
  std::int64_t size;  // rows of y
  bool add;
  bool wide;

  // Where the sum of the part that begins at sorted key p lies. Only runs longer than a part have one there: of kPart
  // neighbours at most one begins such a run, and at most one a later part of it.
  __device__ compute_t<T>* part(std::int64_t p, std::int64_t begin) const {
    return partial + (p / kPart * 2 + (p == begin)) * cols;
  }

  template <int N>
  __device__ void write(std::int64_t row, std::int64_t col, compute_t<T> (&sum)[N]) const {
    T* to = y + row * cols + col;
    if (add) {
      const Pack<T, N> before = load<N>(to, cols - col, wide);
#pragma unroll
      for (int k = 0; k < N; ++k) sum[k] += before[k];
    }
    store(to, sum, cols - col, wide);
  }
};

// sum += the rows row(0), ..., row(count - 1), one after the other; `left` columns of them.
template <int N, class T, class Row>
__device__ void add_rows(compute_t<T> (&sum)[N], int count, std::int64_t left, bool wide, Row&& row) {
  for (int r = 0; r < count; r += kInFlight) {
    Pack<T, N> values[kInFlight];
#pragma unroll
    for (int j = 0; j < kInFlight; ++j) values[j] = load<N>(row(r + j), r + j < count ? left : 0, wide);
#pragma unroll
    for (int j = 0; j < kInFlight; ++j) {
#pragma unroll
      for (int k = 0; k < N; ++k) sum[k] += values[j][k];
    }
  }
}

// A warp for each sorted key and N columns a lane. Those where a part of a run begins add it up: a short run is done, a
// long one leaves its parts to sum_parts. So what a sum's bits depend on is its own run alone.
template <class T, int N>
__global__ void __launch_bounds__(kThreads) sum_each_run(RowSums<T> sums, Runs runs) {
  const std::int64_t p = warp_of_grid();
  if (p >= runs.n) return;
  const std::int64_t col = (std::int64_t{blockIdx.y} * kWarp + lane()) * N;
  if (!sums.add && p > runs.run[runs.n - 1]) {  // behind the last run
    store(sums.y + p * sums.cols + col, Pack<T, N>{}, sums.cols - col, sums.wide);
  }
  const std::int32_t run = runs.run[p];
  const std::int64_t begin = runs.first[run];
  const std::int64_t end = runs.first[run + 1];
  const std::int64_t row = sums.add ? runs.ids[run] : run;
  if ((p - begin) % kPart != 0 || row < 0 || row >= sums.size) return;
  const bool named = runs.ids[run] != -1;  // else the sum is zero
  const int count = !named ? 0 : static_cast<int>(end - p < kPart ? end - p : kPart);
  const std::int32_t place = lane() < count ? runs.order[p + lane()] : 0;
  compute_t<T> sum[N] = {};
  add_rows<N, T>(sum, count, sums.cols - col, sums.wide,
                 [&](int i) { return sums.x + std::int64_t{__shfl_sync(~0u, place, i)} * sums.cols + col; });
  if (end - begin <= kPart) {
    sums.write(row, col, sum);
  } else {
    store(sums.part(p, begin) + col, sum, sums.cols - col, sums.wide);
  }
}

// The parts of each long run, in their order.
template <class T, int N>
__global__ void __launch_bounds__(kThreads) sum_parts(RowSums<T> sums, Runs runs) {
  const std::int64_t p = warp_of_grid();
  if (p >= runs.n) return;
  const std::int64_t col = (std::int64_t{blockIdx.y} * kWarp + lane()) * N;
  const std::int32_t run = runs.run[p];
  const std::int64_t begin = runs.first[run];
  const std::int64_t length = runs.first[run + 1] - begin;
  const std::int64_t row = sums.add ? runs.ids[run] : run;
  if (p != begin || length <= kPart || row < 0 || row >= sums.size) return;
  compute_t<T> sum[N] = {};
  add_rows<N, compute_t<T>>(sum, static_cast<int>((length + kPart - 1) / kPart), sums.cols - col, sums.wide,
                            [&](int i) { return sums.part(begin + i * kPart, begin) + col; });
  sums.write(row, col, sum);
}

template <class T>
void launch_sums(const char* op, Tensor& y, const Tensor& x, std::int64_t cols, bool add, const Runs& runs) {
  constexpr int kN = kUnit<T>;
  const Tensor partial = empty({2 * std::int64_t{blocks(runs.n, kPart)}, cols}, dtype_of<compute_t<T>>, Device::kCuda);
  const RowSums<T> sums{y.data<T>(),  x.data<T>(), partial.data<compute_t<T>>(), cols,
                        y.shape()[0], add,         wide_rows(cols, kN, y, x)};
  const dim3 grid(blocks(runs.n, kRowsPerBlock), blocks(cols, kWarp * kN));
  sum_each_run<T, kN><<<grid, kThreads, 0, stream()>>>(sums, runs);
  check_launch(op);
  sum_parts<T, kN><<<grid, kThreads, 0, stream()>>>(sums, runs);
  check_launch(op);
}

Tensor ints(std::int64_t n) { return empty({n}, DType::kInt32, Device::kCuda); }

// Where runs lie that some tensors hold.
struct RunTensors {
  Tensor first, run, order;

  explicit RunTensors(std::int64_t n) : first(ints(n + 1)), run(ints(n)), order(ints(n)) {}
  Runs runs(const Tensor& ids) const { return runs_in(ids, first, run, order); }

  static Runs runs_in(const Tensor& ids, const Tensor& first, const Tensor& run, const Tensor& order) {
    return {ids.data<std::int32_t>(), first.data<std::int32_t>(), run.data<std::int32_t>(), order.data<std::int32_t>(),
            ids.numel()};
  }
};

// Sorts keys of the given bits, stably and without a sign, so that -1 comes last, and finds their runs.
void sort_runs(const char* op, const Runs& runs, const Tensor& keys, int bits, std::int32_t none) {
  const std::int64_t n = keys.numel();
  const Tensor sorted = ints(n);
  Tensor place = ints(n);
  arange(place);
  std::size_t bytes = 0;
  const auto sort = [&](void* scratch) {
    check(cub::DeviceRadixSort::SortPairs(scratch, bytes, static_cast<const std::uint32_t*>(keys.raw_data()),
                                          static_cast<std::uint32_t*>(sorted.raw_data()), place.data<std::int32_t>(),
                                          runs.order, static_cast<int>(n), 0, bits, stream()),
          "cub::DeviceRadixSort");
  };
  sort(nullptr);  // asks for the bytes
  const Tensor scratch = empty({static_cast<std::int64_t>(bytes)}, DType::kBool, Device::kCuda);
  sort(scratch.raw_data());
  find_runs<<<1, kScanThreads, 0, stream()>>>(runs, sorted.data<std::int32_t>(), none);
  check_launch(op);
}

void add_up(const char* op, Tensor& y, const Tensor& x, const Runs& runs, bool add) {
  dispatch_arithmetic(x.dtype(), op, [&]<class T>() { launch_sums<T>(op, y, x, x.numel() / runs.n, add, runs); });
}

// A key for each index in [0, size); `size` itself for one that names no row, behind all others.
Tensor keys_of(const char* op, const Tensor& index, std::int64_t size) {
  const std::int64_t n = index.numel();
  const Tensor keys = ints(n);
  dispatch_index(index.dtype(), op, [&]<class I>() {
    make_keys<<<blocks(n, kThreads), kThreads, 0, stream()>>>(keys.data<std::int32_t>(), index.data<I>(), n, size,
                                                              device_errors());
    check_launch(op);
  });
  return keys;
}

int bits_of(std::int64_t size) { return std::bit_width(static_cast<std::uint64_t>(size) | 1); }

// Surviving rows, and -1 behind them; then, for each sentence and for the end of the last, how many come before it.
__global__ void __launch_bounds__(kScanThreads)
    compact_rows(std::int32_t* rows, std::int32_t* kept_offsets, const bool* mask, std::int64_t n,
                 const std::int32_t* offsets, std::int64_t sentences) {
  __shared__ std::int32_t kept_up_to[kScanned];
  const auto count_sentences = [&](std::int64_t base) {
    __syncthreads();
    for (std::int64_t s = threadIdx.x; s <= sentences; s += kScanThreads) {
      const std::int64_t before = offsets[s] - 1 - base;  // the last row before the sentence
      if (before >= 0 && before < kScanned) kept_offsets[s] = kept_up_to[before];
    }
    __syncthreads();  // the next rows take the place of these
  };
  for (std::int64_t s = threadIdx.x; s <= sentences; s += kScanThreads) {
    if (offsets[s] == 0) kept_offsets[s] = 0;
  }
  const int count = scan_ranks(
      n, [&](std::int64_t row) { return mask[row]; },
      [&](std::int64_t row, int rank) { rows[rank] = static_cast<std::int32_t>(row); },
      [&](std::int64_t row, int kept) { kept_up_to[row % kScanned] = kept; }, count_sentences);
  for (std::int64_t i = count + threadIdx.x; i < n; i += kScanThreads) rows[i] = -1;
}

}  // namespace

void index_select(Tensor& y, const Tensor& x, const Tensor& index) {
  if (y.numel() == 0) return;
  const std::int64_t bytes = row_bytes(y);
  dispatch_index(index.dtype(), "index_select", [&]<class I>() {
    dispatch_unit(bytes, y, x, [&]<class Unit>() {
      select_rows<<<blocks(index.numel(), kRowsPerBlock), kThreads, 0, stream()>>>(
          static_cast<Unit*>(y.raw_data()), static_cast<const Unit*>(x.raw_data()),
          bytes / static_cast<std::int64_t>(sizeof(Unit)), index.data<I>(), index.numel(), x.shape()[0],
          device_errors());
      check_launch("index_select");
    });
  });
}

// The rows of each index in their order, kPart at a time.
void index_add(Tensor& y, const Tensor& x, const Tensor& index) {
  if (x.numel() == 0) return;
  const std::int64_t n = index.numel(), size = y.shape()[0];
  const Tensor ids = ints(n);
  const RunTensors its(n);
  sort_runs("index_add", its.runs(ids), keys_of("index_add", index, size), bits_of(size),
            static_cast<std::int32_t>(size));
  add_up("index_add", y, x, its.runs(ids), true);
}

void row_runs(Tensor& ids, Tensor& first, Tensor& run, Tensor& order, const Tensor& index, std::int64_t size) {
  if (index.numel() == 0) return;
  sort_runs("row_runs", RunTensors::runs_in(ids, first, run, order), keys_of("row_runs", index, size), bits_of(size),
            static_cast<std::int32_t>(size));
}

void sum_runs(Tensor& y, const Tensor& x, const Tensor& ids, const Tensor& first, const Tensor& run,
              const Tensor& order, bool by_id) {
  if (x.numel() > 0) add_up("sum_runs", y, x, RunTensors::runs_in(ids, first, run, order), by_id);
}

void spread_rows(const SumTarget& y, const Tensor& x, const Tensor& index) {
  Tensor whole = y.out;
  if (!y.add) fill(whole, 0);
  if (x.numel() == 0) return;
  const std::int64_t n = index.numel(), cols = x.numel() / n;
  dispatch_arithmetic(x.dtype(), "spread_rows", [&]<class T>() {
    constexpr int kN = kUnit<T>;
    add_each_row<kN><<<blocks(n, kRowsPerBlock), kThreads, 0, stream()>>>(
        y.out.data<T>(), x.data<T>(), cols, index.data<std::int32_t>(), n, y.out.shape()[0],
        wide_rows(cols, kN, y.out, x), device_errors());
    check_launch("spread_rows");
  });
}

void index_copy(Tensor& y, const Tensor& x, const Tensor& index) {
  if (x.numel() == 0) return;
  const std::int64_t n = index.numel();
  const std::int64_t bytes = row_bytes(y);
  Tensor last = empty({y.shape()[0]}, DType::kInt32, Device::kCuda);  // who writes a row
  fill(last, -1);
  dispatch_index(index.dtype(), "index_copy", [&]<class I>() {
    find_last<<<blocks(n, kThreads), kThreads, 0, stream()>>>(last.data<std::int32_t>(), index.data<I>(), n,
                                                              y.shape()[0], device_errors());
    check_launch("index_copy");
    dispatch_unit(bytes, y, x, [&]<class Unit>() {
      copy_rows<<<blocks(n, kRowsPerBlock), kThreads, 0, stream()>>>(
          static_cast<Unit*>(y.raw_data()), static_cast<const Unit*>(x.raw_data()),
          bytes / static_cast<std::int64_t>(sizeof(Unit)), index.data<I>(), n, y.shape()[0], last.data<std::int32_t>());
      check_launch("index_copy");
    });
  });
}

void gather_rows(Tensor& y, const Tensor& x, const Tensor& index) {
  const std::int64_t n = y.numel();
  if (n == 0) return;
  dispatch_index(index.dtype(), "gather", [&]<class I>() {
    dispatch_width(x.dtype(), [&]<class U>() {
      gather_elements<<<blocks(n, kThreads), kThreads, 0, stream()>>>(
          static_cast<U*>(y.raw_data()), static_cast<const U*>(x.raw_data()), x.shape().back(), index.data<I>(),
          index.shape().back(), n, device_errors());
      check_launch("gather");
    });
  });
}

// The elements for each place of y, sorted by it, in their order.
void scatter_add_rows(Tensor& y, const Tensor& x, const Tensor& index) {
  const std::int64_t n = x.numel(), places = y.numel();
  if (n == 0) return;
  TK_CHECK(places < std::numeric_limits<std::int32_t>::max(), "scatter_add: ", places, " elements are too many");
  const Tensor keys = empty({n}, DType::kInt32, Device::kCuda);
  dispatch_index(index.dtype(), "scatter_add", [&]<class I>() {
    make_place_keys<<<blocks(n, kThreads), kThreads, 0, stream()>>>(keys.data<std::int32_t>(), index.data<I>(),
                                                                    index.shape().back(), y.shape().back(), n, places,
                                                                    device_errors());
    check_launch("scatter_add");
  });
  const Tensor ids = ints(n);
  const RunTensors its(n);
  sort_runs("scatter_add", its.runs(ids), keys, bits_of(places), static_cast<std::int32_t>(places));
  Tensor column = y.reshape({places, 1});
  add_up("scatter_add", column, x.reshape({n, 1}), its.runs(ids), true);
}

void coalesce(Tensor& ids, Tensor& sums, const Tensor& index, const Tensor& rows) {
  if (index.numel() == 0) return;
  const RunTensors its(index.numel());
  sort_runs("coalesce", its.runs(ids), index, 32, -1);
  add_up("coalesce", sums, rows, its.runs(ids), false);
}

void compact(Tensor& rows, Tensor& kept_offsets, const Tensor& mask, const Tensor& offsets) {
  compact_rows<<<1, kScanThreads, 0, stream()>>>(rows.data<std::int32_t>(), kept_offsets.data<std::int32_t>(),
                                                 mask.data<bool>(), mask.numel(), offsets.data<std::int32_t>(),
                                                 offsets.numel() - 1);
  check_launch("compact");
}

}  // namespace tk::cuda
