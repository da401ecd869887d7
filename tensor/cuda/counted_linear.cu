#include <algorithm>

#include "tensor/cuda/activation.h"
#include "tensor/cuda/hopper.h"
#include "tensor/cuda/launch.h"
#include "tensor/cuda/mma.h"
#include "tensor/kernels.h"

// Products of as many rows as the device knows: y = x w^T + bias, bfloat16 with sums in float32. Blocks stay and take
// one tile of 128 x 128 after the other, as many as the count makes. In a block one thread has tiles of x and w copied,
// kStages deep and on into the next tile; two warpgroups multiply 64 rows each. Two blocks share a multiprocessor, so
// that one multiplies while the other writes. A sum goes over the inner dimension in one order, whatever the rows.
namespace tk::cuda {
namespace {

constexpr int kTile = 128;  // rows of x, and rows of w
constexpr int kDepth = 64;  // columns of both at once: 128 bytes
constexpr int kStages = 3;
constexpr int kGroups = 2;  // warpgroups that multiply
constexpr int kGroupRows = kTile / kGroups;
constexpr int kConsumerWarps = kGroups * 4;
constexpr int kBlock = (kConsumerWarps + 1) * kWarp;
constexpr int kBlocks = 2;  // of a multiprocessor
constexpr int kParts = 2;

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

struct Stage {
  std::uint16_t x[kTile * kDepth];
  std::uint16_t w[kTile * kDepth];
};

struct Shared {
  Stage stages[kStages];
  PhaseBarrier full[kStages];
  PhaseBarrier empty[kStages];
};

constexpr int kSwizzleAlignment = 1024;
constexpr int kSharedBytes = sizeof(Shared) + kSwizzleAlignment;

// Where a thread is in the ring of stages.
struct Turn {
  int stage = 0;
  std::uint32_t parity = 0;

  __device__ void next() {
    if (++stage < kStages) return;
    stage = 0;
    parity ^= 1;
  }
};

__device__ int tiles_of(int n) { return (n + kTile - 1) / kTile; }

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
    for (int i = 0; i < kParts; ++i) {
      rows_[i] = p.parts[i].count == nullptr ? 0 : *p.parts[i].count;
      across_[i] = tiles_of(p.parts[i].columns);
      tiles_[i] = tiles_of(rows_[i]) * across_[i];
    }
  }

  __device__ int count() const { return tiles_[0] + tiles_[1]; }
  __device__ int rows(int part) const { return part == 0 ? rows_[0] : rows_[1]; }
  __device__ TileOf operator[](int i) const {
    const int part = i < tiles_[0] ? 0 : 1;
    const int place = part == 0 ? i : i - tiles_[0], across = part == 0 ? across_[0] : across_[1];
    return {part, place / across * kTile, place % across * kTile};
  }

 private:
  int rows_[kParts];
  int across_[kParts];  // tiles
  int tiles_[kParts];
};

__device__ void fetch(Shared& shared, const CUtensorMap& x, const CUtensorMap& more_x, const CUtensorMap& w,
                      const Tiles& tiles, const Problem& p) {
  Turn turn;
  for (int i = static_cast<int>(blockIdx.x); i < tiles.count(); i += static_cast<int>(gridDim.x)) {
    const TileOf tile = tiles[i];
    const CUtensorMap& rows = tile.part == 0 ? x : more_x;
    const int first = p.parts[tile.part].first + tile.column;
    for (int slice = 0; slice < p.slices; ++slice) {
      shared.empty[turn.stage].wait(turn.parity ^ 1);
      Stage& stage = shared.stages[turn.stage];
      PhaseBarrier& full = shared.full[turn.stage];
      full.arrive_and_expect(sizeof(Stage));
      copy_box(stage.x, rows, tile.row, slice * kDepth, full);
      copy_box(stage.w, w, first, slice * kDepth, full);
      turn.next();
    }
  }
}

// The four lanes of a row have word j of column block 4 g + j; afterwards lane t has the four words of block 4 g + t.
__device__ void gather_blocks(std::uint32_t (&x)[4], int t) {
  const bool odd = (t & 1) != 0, high = (t & 2) != 0;
#pragma unroll
  for (int i = 0; i < 4; i += 2) {
    const std::uint32_t got = __shfl_xor_sync(~0u, odd ? x[i] : x[i + 1], 1);
    odd ? x[i] = got : x[i + 1] = got;
  }
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const std::uint32_t got = __shfl_xor_sync(~0u, high ? x[i] : x[i + 2], 2);
    high ? x[i] = got : x[i + 2] = got;
  }
}

struct Identity {
  template <class T>
  __device__ static T forward(T x) {
    return x;
  }
};

// A warpgroup's 64 rows of a tile, through F.
template <class F>
__device__ void store_rows(const float (&c)[64], const TileOf& tile, int first_row, int rows, const Problem& p) {
  const Part& part = p.parts[tile.part];
  const int lane = static_cast<int>(threadIdx.x) % kWarp, g = lane / 4, t = lane % 4;
#pragma unroll
  for (int group = 0; group < 4; ++group) {
    float2 bias[4];
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int column = tile.column + 32 * group + 8 * j + 2 * t;
      bias[j] = p.bias != nullptr && column < part.columns
                    ? __ldg(reinterpret_cast<const float2*>(p.bias + part.first + column))
                    : make_float2(0.0f, 0.0f);
    }
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      std::uint32_t words[4];
#pragma unroll
      for (int j = 0; j < 4; ++j) {
        const int at = 4 * (4 * group + j) + 2 * i;
        words[j] = pack_bfloat16(activate<F>(c[at] + bias[j].x), activate<F>(c[at + 1] + bias[j].y));
      }
      gather_blocks(words, t);
      const int row = first_row + g + 8 * i, column = tile.column + 32 * group + 8 * t;
      if (row < rows && column < part.columns) {
        *reinterpret_cast<uint4*>(part.y + std::int64_t{row} * part.columns + column) =
            make_uint4(words[0], words[1], words[2], words[3]);
      }
    }
  }
}

// c += a warpgroup's products of a tile.
__device__ void multiply_tile(float (&c)[64], Shared& shared, Turn& turn, int group, int slices) {
  const bool arrives = threadIdx.x % kWarp == 0;
  int before = 0;  // stage whose products may not be done
  for (int slice = 0; slice < slices; ++slice) {
    const Stage& stage = shared.stages[turn.stage];
    const std::uint64_t x = matrix_descriptor(stage.x + group * kGroupRows * kDepth), w = matrix_descriptor(stage.w);
    shared.full[turn.stage].wait(turn.parity);
    hold(c);
    begin_products();
#pragma unroll
    for (int k = 0; k < kDepth / 16; ++k) multiply_64x128(c, x + 2 * k, w + 2 * k);
    commit_products();
    hold(c);
    wait_for_products<1>();
    if (slice > 0 && arrives) shared.empty[before].arrive();
    before = turn.stage;
    turn.next();
  }
  wait_for_products<0>();
  hold(c);
  if (arrives) shared.empty[before].arrive();
}

// Gives back the stages of a tile in which a warpgroup has no rows.
__device__ void pass_over(Shared& shared, Turn& turn, int slices) {
  for (int slice = 0; slice < slices; ++slice) {
    shared.full[turn.stage].wait(turn.parity);
    if (threadIdx.x % kWarp == 0) shared.empty[turn.stage].arrive();
    turn.next();
  }
}

template <class F>
__global__ void __launch_bounds__(kBlock, kBlocks)
    multiply(const __grid_constant__ CUtensorMap x, const __grid_constant__ CUtensorMap more_x,
             const __grid_constant__ CUtensorMap w, const __grid_constant__ Problem p) {
  extern __shared__ std::uint8_t memory[];
  const auto misplaced = shared_address(memory) % kSwizzleAlignment;
  auto& shared = *reinterpret_cast<Shared*>(memory + (kSwizzleAlignment - misplaced) % kSwizzleAlignment);
  const int warp = __shfl_sync(~0u, static_cast<int>(threadIdx.x) / kWarp, 0);
  if (threadIdx.x == 0) {
    for (int i = 0; i < kStages; ++i) {
      shared.full[i].init(1);
      shared.empty[i].init(kConsumerWarps);
    }
    publish_barriers();
  }
  __syncthreads();
  const Tiles tiles(p);
  if (warp == kConsumerWarps) {
    if (threadIdx.x % kWarp == 0) fetch(shared, x, more_x, w, tiles, p);
    return;
  }
  const int group = warp / 4;
  Turn turn;
  for (int i = static_cast<int>(blockIdx.x); i < tiles.count(); i += static_cast<int>(gridDim.x)) {
    const TileOf tile = tiles[i];
    const int rows = tiles.rows(tile.part), first = tile.row + group * kGroupRows;
    if (first >= rows) {
      pass_over(shared, turn, p.slices);
      continue;
    }
    float c[64] = {};
    multiply_tile(c, shared, turn, group, p.slices);
    store_rows<F>(c, tile, first + warp % 4 * 16, rows, p);
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

// Boxes of kTile rows and kDepth columns of a matrix [rows, columns]; zeros behind its edges.
CUtensorMap map_of(const Tensor& x) {
  CUtensorMap map;
  const cuuint64_t shape[] = {static_cast<cuuint64_t>(x.shape()[1]), static_cast<cuuint64_t>(x.shape()[0])};
  const cuuint64_t stride[] = {shape[0] * sizeof(std::uint16_t)};
  const cuuint32_t box[] = {kDepth, kTile}, steps[] = {1, 1};
  const CUresult result = encode()(&map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, x.raw_data(), shape, stride, box, steps,
                                   CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                                   CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  TK_CHECK(result == CUDA_SUCCESS, "counted_linear: cuTensorMapEncodeTiled: error ", static_cast<int>(result));
  return map;
}

Part part_of(const Tensor& y, const Tensor& count, int first) {
  if (!y.defined() || y.numel() == 0) return {nullptr, nullptr, 0, first};
  return {count.data<std::int32_t>(), y.data<BFloat16>(), static_cast<int>(y.shape()[1]), first};
}

std::int64_t most_tiles(const Tensor& y) {
  return y.defined() && y.numel() > 0 ? std::int64_t{blocks(y.shape()[0], kTile)} * blocks(y.shape()[1], kTile) : 0;
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
  const CUtensorMap rows = map_of(first.y != nullptr ? x : more_x);
  const auto grid = static_cast<unsigned>(std::min<std::int64_t>(tiles, kBlocks * multiprocessors()));
  const CUtensorMap more_rows = p.parts[1].y != nullptr ? map_of(more_x) : rows, weights = map_of(w);
  const auto launch = [&]<class F>() {
    static const cudaError_t allowed =
        cudaFuncSetAttribute(multiply<F>, cudaFuncAttributeMaxDynamicSharedMemorySize, kSharedBytes);
    check(allowed, "counted_linear: cudaFuncSetAttribute");
    multiply<F><<<grid, kBlock, kSharedBytes, stream()>>>(rows, more_rows, weights, p);
    check_launch("counted_linear");
  };
  activation ? dispatch_activation(*activation, launch) : launch.operator()<Identity>();
}

}  // namespace tk::cuda
