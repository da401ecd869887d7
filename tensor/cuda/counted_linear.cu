#include <algorithm>
#include <array>

#include "tensor/cuda/activation.h"
#include "tensor/cuda/hopper.h"
#include "tensor/cuda/launch.h"
#include "tensor/cuda/mma.h"
#include "tensor/kernels.h"

// Products of as many rows as the device knows: y = x w^T + bias, bfloat16 with sums in float32. Blocks stay, one on a
// multiprocessor, and take one tile of 128 rows after the other. In a block one thread has slices of x and w copied
// into a ring, on into the next tiles; two warpgroups take the tiles in turn: one multiplies while the other still
// rounds and writes the tile before. The last of an odd number they share, 64 rows each. Tiles are 192 columns wide, or
// 128 where all blocks are done sooner so, which the counts decide. A sum goes over the inner dimension in one order,
// whatever the rows and the tiles.
namespace tk::cuda {
namespace {

constexpr int kRows = 128;  // of x in a tile
constexpr int kDepth = 64;  // columns of x and w in a slice: 128 bytes
constexpr int kGroups = 2;  // warpgroups that multiply; a third one copies
constexpr int kGroupWarps = 4;
constexpr int kHalf = kRows / kGroups;  // rows of a product
constexpr int kBlock = (kGroups + 1) * kGroupWarps * kWarp;
constexpr int kTakenRegisters = 240, kLeftRegisters = 24;  // of a thread that multiplies, and that copies
constexpr int kParts = 2;
constexpr int kNarrow = 128, kWide = 192;  // columns of a tile

// Rows of x and the columns of y that they get, from row `first` of w on.
struct Part {
  const std::int32_t* count;
  BFloat16* y;
  int columns;
  int first;
};

struct Problem {
  Part parts[kParts];
  const float* bias;  // of w's rows, or null
  int slices;         // of the inner dimension
};

// Of a row of the products, lane t of four gets pairs of neighbours: columns 8 j + 2 t and the next one for each j. So
// that these lie side by side in y, w's rows are put into shared memory in another order: row 32 g + 8 t + 2 j + k of w
// in place 32 g + 8 j + 2 t + k, with t and j < 4, k < 2. Its map has dimensions (g, j, t, k, column).
constexpr int kGroupColumns = 32;
constexpr int kBoxColumns = 64;  // of two groups, which are copied at once

template <int kWidth>
struct Stage {
  std::uint16_t x[kRows * kDepth];
  std::uint16_t w[kWidth * kDepth];
};

constexpr int kRingBytes = 200 << 10;
template <int kWidth>
constexpr int kStages = kRingBytes / sizeof(Stage<kWidth>);
constexpr int kMostStages = kStages<kNarrow>;

struct Shared {
  std::uint8_t ring[kRingBytes];
  PhaseBarrier full[kMostStages];
  PhaseBarrier empty[kMostStages];
  PhaseBarrier turn[kGroups];  // a warpgroup's, to multiply a tile of its own
};

constexpr int kSwizzleAlignment = 1024;
constexpr int kSharedBytes = sizeof(Shared) + kSwizzleAlignment;

// A thread's place in the ring of stages.
template <int kWidth>
class Ring {
 public:
  __device__ explicit Ring(Shared& shared) : shared_(shared) {}

  __device__ Stage<kWidth>& stage() const { return reinterpret_cast<Stage<kWidth>*>(shared_.ring)[at_]; }
  __device__ PhaseBarrier& full() const { return shared_.full[at_]; }
  __device__ PhaseBarrier& empty() const { return shared_.empty[at_]; }
  __device__ void wait_until_full() const { full().wait(parity_); }
  __device__ void wait_until_empty() const { empty().wait(parity_ ^ 1); }
  __device__ void next() {
    if (++at_ < kStages<kWidth>) return;
    at_ = 0;
    parity_ ^= 1;
  }
  __device__ void skip(int stages) {
    const int to = at_ + stages;
    parity_ ^= to / kStages<kWidth> & 1;
    at_ = to % kStages<kWidth>;
  }

 private:
  Shared& shared_;
  int at_ = 0;
  std::uint32_t parity_ = 0;
};

__device__ int covering(int n, int size) { return (n + size - 1) / size; }

// A tile of y: of which part, and where it begins there.
struct TileOf {
  int part;
  int row;
  int column;
};

// Tile by tile in the order in which all blocks take them: columns first, so that x, of which there is more than L2
// holds, comes there once.
class Tiles {
 public:
  __device__ explicit Tiles(const Problem& p) {
#pragma unroll
    for (int i = 0; i < kParts; ++i) rows_[i] = p.parts[i].count == nullptr ? 0 : *p.parts[i].count;
  }

  // Chooses tiles of that width.
  __device__ void cut(const Problem& p, int width) {
    width_ = width;
#pragma unroll
    for (int i = 0; i < kParts; ++i) {
      across_[i] = covering(p.parts[i].columns, width);
      tiles_[i] = covering(rows_[i], kRows) * across_[i];
    }
  }

  __device__ int width() const { return width_; }
  __device__ int count() const { return tiles_[0] + tiles_[1]; }
  __device__ int rows(int part) const { return part == 0 ? rows_[0] : rows_[1]; }
  __device__ TileOf operator[](int i) const {
    const int part = i < tiles_[0] ? 0 : 1;
    const int place = part == 0 ? i : i - tiles_[0], across = part == 0 ? across_[0] : across_[1];
    return {part, place / across * kRows, place % across * width_};
  }

 private:
  int width_ = 0;
  int rows_[kParts];
  int across_[kParts];  // tiles
  int tiles_[kParts];
};

// The time of the block that has most tiles, in columns. Wide tiles do 4 % more products a second, as if each had 16
// columns more to do.
__device__ int time_of(const Tiles& tiles) {
  constexpr int kBesides = 16;
  return covering(tiles.count(), static_cast<int>(gridDim.x)) * (tiles.width() + kBesides);
}

__device__ Tiles choose_tiles(const Problem& p) {
  Tiles wide(p), narrow = wide;
  wide.cut(p, kWide);
  narrow.cut(p, kNarrow);
  return time_of(wide) <= time_of(narrow) ? wide : narrow;
}

template <int kWidth>
__device__ void fetch(Shared& shared, const CUtensorMap& x, const CUtensorMap& more_x, const CUtensorMap& w,
                      const Tiles& tiles, const Problem& p) {
  Ring<kWidth> ring(shared);
  for (int i = static_cast<int>(blockIdx.x); i < tiles.count(); i += static_cast<int>(gridDim.x)) {
    const TileOf tile = tiles[i];
    const CUtensorMap& rows = tile.part == 0 ? x : more_x;
    const int first = (p.parts[tile.part].first + tile.column) / kGroupColumns;
    for (int slice = 0; slice < p.slices; ++slice) {
      ring.wait_until_empty();
      Stage<kWidth>& stage = ring.stage();
      PhaseBarrier& full = ring.full();
      full.arrive_and_expect(sizeof(stage));
      copy_box(stage.x, rows, tile.row, slice * kDepth, full);
#pragma unroll
      for (int at = 0; at < kWidth; at += kBoxColumns) {
        copy_grouped_box(stage.w + at * kDepth, w, first + at / kGroupColumns, slice * kDepth, full);
      }
      ring.next();
    }
  }
}

struct Identity {
  template <class T>
  __device__ static T forward(T x) {
    return x;
  }
};

// Column `column` of the bias on, eight of them.
__device__ void load_bias(float (&bias)[8], const Problem& p, int column) {
#pragma unroll
  for (int i = 0; i < 8; i += 4) {
    const float4 four =
        p.bias == nullptr ? make_float4(0, 0, 0, 0) : __ldg(reinterpret_cast<const float4*>(p.bias + column + i));
    bias[i] = four.x, bias[i + 1] = four.y, bias[i + 2] = four.z, bias[i + 3] = four.w;
  }
}

// A warp's 16 rows of a tile from `first_row` on, through F: 8 columns of a lane at once.
template <class F, int N>
__device__ void store_rows(const float (&c)[N], const TileOf& tile, int first_row, int rows, const Problem& p) {
  const Part& part = p.parts[tile.part];
  const int lane = static_cast<int>(threadIdx.x) % kWarp, row = first_row + lane / 4, t = lane % 4;
#pragma unroll
  for (int group = 0; group < N / 16; ++group) {
    const int column = tile.column + kGroupColumns * group + 8 * t;
    if (column >= part.columns) return;
    float bias[8];
    load_bias(bias, p, part.first + column);
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      std::uint32_t words[4];
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const int at = 4 * (4 * group + j) + 2 * i;
        words[j] = pack_bfloat16(activate_to_bfloat16<F>(c[at] + bias[2 * j]),
                                 activate_to_bfloat16<F>(c[at + 1] + bias[2 * j + 1]));
      }
      if (row + 8 * i < rows) {
        *reinterpret_cast<uint4*>(part.y + std::int64_t{row + 8 * i} * part.columns + column) =
            make_uint4(words[0], words[1], words[2], words[3]);
      }
    }
  }
}

// Asks for a warpgroup's products of a tile, c[i] being those of its rows first_row + 64 i on, and waits for all but
// the last slice's. Returns what is to be told that the last stage is empty: for each stage all 8 warps say so once, or
// those of one warpgroup twice.
template <int kHalves, int kWidth>
__device__ PhaseBarrier& multiply_slices(float (&c)[kHalves][kWidth / 2], Ring<kWidth>& ring, int first_row,
                                         int slices) {
  constexpr int kHalfOffset = kHalf * kDepth * sizeof(std::uint16_t) >> 4;  // as a descriptor counts
  PhaseBarrier* last = &ring.empty();
  for (int slice = 0; slice < slices; ++slice) {
    const std::uint64_t x = matrix_descriptor(ring.stage().x + first_row * kDepth);
    const std::uint64_t w = matrix_descriptor(ring.stage().w);
    ring.wait_until_full();
#pragma unroll
    for (int i = 0; i < kHalves; ++i) hold(c[i]);
    begin_products();
#pragma unroll
    for (int k = 0; k < kDepth / 16; ++k) {
#pragma unroll
      for (int i = 0; i < kHalves; ++i) multiply(c[i], x + i * kHalfOffset + 2 * k, w + 2 * k, slice + k > 0);
    }
    commit_products();
#pragma unroll
    for (int i = 0; i < kHalves; ++i) hold(c[i]);
    wait_for_products<1>();
    if (slice > 0 && threadIdx.x % kWarp < kHalves) last->arrive();
    last = &ring.empty();
    ring.next();
  }
  return *last;
}

// A warpgroup's tile, or its half of one, from row first_row of the tile on. `next` may multiply when these products
// are asked for.
template <class F, int kHalves, int kWidth>
__device__ void do_rows(Ring<kWidth>& ring, const TileOf& tile, int first_row, int rows, PhaseBarrier* next,
                        const Problem& p) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp, warp = static_cast<int>(threadIdx.x) / kWarp % kGroupWarps;
  float c[kHalves][kWidth / 2];
  PhaseBarrier& last = multiply_slices<kHalves, kWidth>(c, ring, first_row, p.slices);
  if (next != nullptr && lane == 0) next->arrive();
  wait_for_products<0>();
#pragma unroll
  for (int i = 0; i < kHalves; ++i) hold(c[i]);
  if (lane < kHalves) last.arrive();
#pragma unroll
  for (int i = 0; i < kHalves; ++i) store_rows<F>(c[i], tile, tile.row + first_row + kHalf * i + 16 * warp, rows, p);
}

// Two tiles at a time, one each, while there are two.
template <class F, int kWidth>
__device__ void consume(Shared& shared, int group, const Tiles& tiles, const Problem& p) {
  Ring<kWidth> ring(shared);
  PhaseBarrier& turn = shared.turn[group];
  PhaseBarrier& others_turn = shared.turn[group ^ 1];
  std::uint32_t parity = group ^ 1;  // the first one need not wait for its first turn
  const int step = static_cast<int>(gridDim.x);
  int i = static_cast<int>(blockIdx.x);
  for (; i + step < tiles.count(); i += 2 * step) {
    const TileOf tile = tiles[i + group * step];
    if (group == 1) ring.skip(p.slices);
    turn.wait(parity);
    parity ^= 1;
    do_rows<F, kGroups>(ring, tile, 0, tiles.rows(tile.part), &others_turn, p);
    if (group == 0) ring.skip(p.slices);
  }
  if (i >= tiles.count()) return;
  if (group == 0) turn.wait(parity);  // until the other has seen all stages before these full: parity tells no more
  const TileOf tile = tiles[i];
  do_rows<F, 1>(ring, tile, group * kHalf, tiles.rows(tile.part), nullptr, p);
}

template <class F>
__global__ void __launch_bounds__(kBlock, 1)
    multiply_counted(const __grid_constant__ CUtensorMap x, const __grid_constant__ CUtensorMap more_x,
                     const __grid_constant__ CUtensorMap w, const __grid_constant__ Problem p) {
  extern __shared__ std::uint8_t memory[];
  const auto misplaced = shared_address(memory) % kSwizzleAlignment;
  auto& shared = *reinterpret_cast<Shared*>(memory + (kSwizzleAlignment - misplaced) % kSwizzleAlignment);
  if (threadIdx.x == 0) {
    for (const CUtensorMap* map : {&x, &more_x, &w}) prefetch(*map);
    for (int i = 0; i < kMostStages; ++i) {
      shared.full[i].init(1);
      shared.empty[i].init(kGroups * kGroupWarps);
    }
    for (PhaseBarrier& turn : shared.turn) turn.init(kGroupWarps);
    publish_barriers();
  }
  const Tiles tiles = choose_tiles(p);
  __syncthreads();
  const int warp = __shfl_sync(~0u, static_cast<int>(threadIdx.x) / kWarp, 0), group = warp / kGroupWarps;
  const bool is_wide = tiles.width() == kWide;
  if (group == kGroups) {
    give_registers<kLeftRegisters>();
    if (threadIdx.x != kGroups * kGroupWarps * kWarp) return;
    is_wide ? fetch<kWide>(shared, x, more_x, w, tiles, p) : fetch<kNarrow>(shared, x, more_x, w, tiles, p);
  } else {
    take_registers<kTakenRegisters>();
    is_wide ? consume<F, kWide>(shared, group, tiles, p) : consume<F, kNarrow>(shared, group, tiles, p);
  }
}

using Encode = decltype(&cuTensorMapEncodeTiled);

Encode encode() {
  static const Encode function = [] {
    void* found = nullptr;
    cudaDriverEntryPointQueryResult result{};
    check(cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &found, 12000, cudaEnableDefault, &result),
          "cudaGetDriverEntryPointByVersion");
    TK_CHECK(found != nullptr && result == cudaDriverEntryPointSuccess,
             "counted_linear: the driver has no cuTensorMapEncodeTiled");
    return reinterpret_cast<Encode>(found);
  }();
  return function;
}

// A map of a matrix of bfloat16 as dimensions of these sizes, columns first; from one element of the others to the next
// are so many rows. Zeros behind its edges.
template <std::size_t N>
CUtensorMap map_of(const Tensor& x, const std::array<std::int64_t, N>& shape,
                   const std::array<std::int64_t, N - 1>& rows_between, const std::array<cuuint32_t, N>& box) {
  CUtensorMap map;
  cuuint64_t sizes[N], strides[N - 1];  // bytes
  cuuint32_t steps[N];
  std::ranges::copy(shape, sizes);
  std::ranges::fill(steps, 1);
  const std::int64_t row = x.shape()[1] * static_cast<std::int64_t>(sizeof(std::uint16_t));
  std::ranges::transform(rows_between, strides, [&](std::int64_t n) { return static_cast<cuuint64_t>(n * row); });
  const CUresult result = encode()(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, N, x.raw_data(), sizes, strides, box.data(),
                                   steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                                   CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  TK_CHECK(result == CUDA_SUCCESS, "counted_linear: cuTensorMapEncodeTiled: error ", static_cast<int>(result));
  return map;
}

CUtensorMap map_of_rows(const Tensor& x) {
  return map_of<2>(x, {x.shape()[1], x.shape()[0]}, {1}, {kDepth, kRows});
}

// Dimensions column, k, t, j, g: row 32 g + 8 t + 2 j + k.
CUtensorMap map_of_weights(const Tensor& w) {
  return map_of<5>(w, {w.shape()[1], 2, 4, 4, w.shape()[0] / kGroupColumns}, {1, 8, 2, kGroupColumns},
                   {kDepth, 2, 4, 4, kBoxColumns / kGroupColumns});
}

Part part_of(const Tensor& y, const Tensor& count, int first) {
  if (!y.defined() || y.numel() == 0) return {nullptr, nullptr, 0, first};
  return {count.data<std::int32_t>(), y.data<BFloat16>(), static_cast<int>(y.shape()[1]), first};
}

// Where n queues share the device a product has 2 / n of it, but no less than a third: what a block begins and ends
// with costs less the more tiles it has, and others fill the rest. With 4 queues that is 4 % of a skimmed pass of
// 32 x 128.
std::int64_t most_blocks() {
  const int all = multiprocessors();
  return std::min(all, std::max(all / 3, 2 * all / queue().of));
}

std::int64_t most_tiles(const Tensor& y) {
  return y.defined() && y.numel() > 0 ? std::int64_t{blocks(y.shape()[0], kRows)} * blocks(y.shape()[1], kNarrow) : 0;
}

}  // namespace

bool has_counted_products() {
  static const bool has = [] {
    int major = 0, minor = 0;
    check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0), "cudaDeviceGetAttribute");
    check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0), "cudaDeviceGetAttribute");
    return major == 9 && minor == 0;
  }();
  return has;
}

void counted_linear(Tensor& y, const Tensor& x, const Tensor& count, Tensor& more_y, const Tensor& more_x,
                    const Tensor& more_count, const Tensor& w, const Tensor& bias,
                    std::optional<Activation> activation) {
  const std::int64_t tiles = most_tiles(y) + most_tiles(more_y);
  if (tiles == 0) return;
  const Part first = part_of(y, count, 0);
  const Problem p{{first, part_of(more_y, more_count, static_cast<int>(y.shape()[1]))},
                  data_or_null<float>(bias),
                  static_cast<int>(blocks(w.shape()[1], kDepth))};
  const auto grid = static_cast<unsigned>(std::min<std::int64_t>(tiles, most_blocks()));
  const CUtensorMap rows = map_of_rows(first.y != nullptr ? x : more_x);
  const CUtensorMap more_rows = p.parts[1].y != nullptr ? map_of_rows(more_x) : rows, weights = map_of_weights(w);
  const auto launch = [&]<class F>() {
    static const cudaError_t allowed =
        cudaFuncSetAttribute(multiply_counted<F>, cudaFuncAttributeMaxDynamicSharedMemorySize, kSharedBytes);
    check(allowed, "counted_linear: cudaFuncSetAttribute");
    multiply_counted<F><<<grid, kBlock, kSharedBytes, stream()>>>(rows, more_rows, weights, p);
    check_launch("counted_linear");
  };
  activation ? dispatch_activation(*activation, launch) : launch.operator()<Identity>();
}

}  // namespace tk::cuda
