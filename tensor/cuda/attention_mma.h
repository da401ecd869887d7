#pragma once

#include <limits>

#include "tensor/cuda/approximate.h"
#include "tensor/cuda/attention.h"
#include "tensor/cuda/mma.h"
#include "tensor/cuda/pack.h"

// What packed attention on the matrix units shares between its directions (attention_mma.cu,
// attention_backward_mma.cu): bfloat16, heads of 32 or 64 columns. A block takes a tile of rows of one sentence and
// head, a warp 16 of them, and meets the other rows a tile at a time. Everything goes by chunks of 16 rows, so a
// sentence of 11 tokens costs one chunk by one chunk. Scores and probabilities stay in registers, as C fragments
// [16 rows, 16 columns]: element e = 4 n + 2 i + j, [n][2 i + j], of a lane is row g + 8 i and column 8 n + 2 t + j
// (g = lane / 4, t = lane % 4). Sums are float32 in a fixed order; no atomics.
namespace tk::cuda {

using MatrixProblem = AttentionProblem<BFloat16>;

inline constexpr int kChunk = 16;

/// Rows in shared memory. Eight columns more than there are: the rows of an 8 x 8 matrix fall into different banks.
template <int kRows, int kColumns>
struct alignas(16) Tile {
  std::uint16_t rows[kRows][kColumns + 8];
};

/// A block of W warps, the threads of which all call its functions; a tile has a chunk for each warp.
template <int W>
struct BlockOf {
  static constexpr int kWarps = W;
  static constexpr int kThreads = W * kWarp;
  static constexpr int kTile = W * kChunk;
};

#ifdef __CUDACC__

struct Lane {
  int index = static_cast<int>(threadIdx.x) % kWarp;
  int g = index / 4;
  int t = index % 4;
};

/// Which of a lane's two rows, or four columns, of a chunk element e is in.
__host__ __device__ constexpr int row_of(int e) { return e / 2 % 2; }
__host__ __device__ constexpr int column_of(int e) { return e / 4 * 2 + e % 2; }
/// Column of a lane's column i in the chunk.
__device__ inline int column_at(int t, int i) { return i / 2 * 8 + 2 * t + i % 2; }

__device__ inline int chunks_of(int rows) { return (rows + kChunk - 1) / kChunk; }

/// The warp's first row in the block's tile.
__device__ inline int first_row_of_warp() { return static_cast<int>(threadIdx.x) / kWarp * kChunk; }

/// A block's head and its tile of rows: up to kTile of a sentence from `first` on. Blocks go over heads first, then
/// over the sentences' first tiles, then over the others: those of sentence s are numbered from offsets[s] / kTile on,
/// which leaves numbers that are nobody's.
template <int kTile>
struct OwnTile {
  int head;
  int sentence;
  int index;  // of the tile in its sentence
  std::int64_t first;
  int rows;  // may be none

  __device__ OwnTile(const std::int32_t* offsets, std::int64_t all_rows, const MatrixProblem& p) {
    const int place = static_cast<int>(blockIdx.x) / p.heads;
    head = static_cast<int>(blockIdx.x) % p.heads;
    sentence = place;
    index = 0;
    if (place > p.sentences) {
      const auto first_number = [offsets](int s) { return std::int64_t{offsets[s] / kTile}; };
      const int number = place - p.sentences - 1;
      sentence = last_at_most(number, p.sentences, first_number);
      index = 1 + number - static_cast<int>(first_number(sentence));
    }
    const std::int64_t end = sentence < p.sentences ? offsets[sentence + 1] : all_rows;
    first = offsets[sentence] + std::int64_t{index} * kTile;
    rows = static_cast<int>(max(std::int64_t{0}, min(std::int64_t{kTile}, end - first)));
  }

  static unsigned grid(std::int64_t all_rows, const MatrixProblem& p) {
    return static_cast<unsigned>((p.sentences + 1 + all_rows / kTile) * p.heads);
  }
};

__device__ inline int rows_from(std::int64_t first, std::int64_t end, int most) {
  return static_cast<int>(min(std::int64_t{most}, end - first));
}

/// A thread's vectors of 8 columns in a tile: the same columns of every kStep-th row.
template <class Block, int kHead>
struct Vectors {
  static constexpr int kAcross = kHead / 8;
  static constexpr int kStep = Block::kThreads / kAcross;
  static constexpr int kCount = Block::kTile / kStep;
  int row = static_cast<int>(threadIdx.x) / kAcross;
  int column = static_cast<int>(threadIdx.x) % kAcross * 8;
};

/// Starts to copy rows [first, first + rows) of a head; zeros up to the next whole chunk.
template <class Block, int kHead>
__device__ void load_tile(Tile<Block::kTile, kHead>& tile, const HeadRows<const BFloat16>& x, int head,
                          std::int64_t first, int rows) {
  using V = Vectors<Block, kHead>;
  const V mine;
  const BFloat16* from = x.at(first + mine.row, std::int64_t{head} * kHead + mine.column);
  const std::int64_t step = V::kStep * x.stride;
  const int end = chunks_of(rows) * kChunk;
#pragma unroll
  for (int i = 0; i < V::kCount; ++i) {
    const int r = mine.row + i * V::kStep;
    if (r < end) copy_async(&tile.rows[r][mine.column], from, r < rows);
    from += step;
  }
}

/// Writes N x 8 columns from `column` on of 16 rows that a warp holds as C fragments, times a factor for each half of
/// the rows, by way of the same columns of the rows from `row` on of a tile, a part that only this warp uses now.
template <int N, int kRows, int kHead>
__device__ void store_tile(const HeadRows<BFloat16>& y, int head, std::int64_t first, int rows, int column,
                           const float (&x)[N][4], const float (&factor)[2], Tile<kRows, kHead>& tile, int row) {
  const Lane lane;
  __syncwarp();
#pragma unroll
  for (int n = 0; n < N; ++n) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      *reinterpret_cast<std::uint32_t*>(&tile.rows[row + lane.g + 8 * i][column + 8 * n + 2 * lane.t]) =
          pack_bfloat16(x[n][2 * i] * factor[i], x[n][2 * i + 1] * factor[i]);
    }
  }
  __syncwarp();
  constexpr int kStep = kWarp / N;
  const int c = column + lane.index % N * 8;
  int r = row + lane.index / N;
  BFloat16* to = y.at(first + r, std::int64_t{head} * kHead + c);
#pragma unroll
  for (int i = 0; i < kChunk / kStep; ++i) {
    if (r < rows) *reinterpret_cast<uint4*>(to) = *reinterpret_cast<const uint4*>(&tile.rows[r][c]);
    r += kStep;
    to += kStep * y.stride;
  }
}

/// s = (16 rows of a from a_row on) (16 rows of b from b_row on)^T.
template <int kRows, int kHead>
__device__ void multiply(float (&s)[2][4], const Tile<kRows, kHead>& a, int a_row, const Tile<kRows, kHead>& b,
                         int b_row) {
  const int lane = Lane().index;
#pragma unroll
  for (int e = 0; e < 8; ++e) s[e / 4][e % 4] = 0;
#pragma unroll
  for (int k = 0; k < kHead; k += 16) {
    std::uint32_t x[4], y[4];
    load_matrices(x, &a.rows[a_row + lane % 16][k + lane / 16 * 8]);
    load_matrices(y, &b.rows[b_row + lane / 16 * 8 + lane % 8][k + lane / 8 % 2 * 8]);
    mma(s[0], x, y[0], y[1]);
    mma(s[1], x, y[2], y[3]);
  }
}

/// y += a (16 rows of x from `row` on, N x 8 columns from `column` on).
template <int N, int kRows, int kHead>
__device__ void multiply_add(float (&y)[N][4], const std::uint32_t (&a)[4], const Tile<kRows, kHead>& x, int row,
                             int column = 0) {
  const int lane = Lane().index;
#pragma unroll
  for (int n = 0; n < N; n += 2) {
    std::uint32_t b[4];
    load_transposed_matrices(b, &x.rows[row + lane % 16][column + 8 * n + lane / 16 * 8]);
    mma(y[n], a, b[0], b[1]);
    mma(y[n + 1], a, b[2], b[3]);
  }
}

/// A chunk as A of a product over its columns.
__device__ inline void pack_chunk(std::uint32_t (&a)[4], const float (&x)[2][4]) {
#pragma unroll
  for (int n = 0; n < 2; ++n) {
#pragma unroll
    for (int i = 0; i < 2; ++i) a[2 * n + i] = pack_bfloat16(x[n][2 * i], x[n][2 * i + 1]);
  }
}

/// Over the four lanes of a row.
__device__ inline float row_sum_of(float x) {
  x += __shfl_xor_sync(~0u, x, 1);
  return x + __shfl_xor_sync(~0u, x, 2);
}

__device__ inline float row_max_of(float x) {
  x = fmaxf(x, __shfl_xor_sync(~0u, x, 1));
  return fmaxf(x, __shfl_xor_sync(~0u, x, 2));
}

/// Exponents are of 2: e = exp(score - largest) = 2^(x score_factor - ...), x being the product of query and key.
inline constexpr float kLog2E = 1.4426950408889634f;
inline constexpr float kMostExponent = static_cast<float>(AttentionKey::kMostExponent) * kLog2E;

__device__ inline float score_factor(const MatrixProblem& p) { return p.scale * kLog2E; }

/// A tile of keys: `inner` is the weight in the maximum and the normaliser. Keys that are not there weigh nothing.
template <int kTile>
struct KeyTile {
  float weight[kTile];
  float inner[kTile];
  std::int32_t position[kTile];

  __device__ void load(const MatrixProblem& p, std::int64_t first, int rows) {
    const int i = static_cast<int>(threadIdx.x);
    if (i >= kTile) return;
    const bool there = i < rows;
    weight[i] = there ? p.weight_of(first + i) : 0.0f;
    inner[i] = p.exact ? weight[i] : static_cast<float>(there);  // paper mode normalises without the weights
    if (p.random.threshold == 0) return;
    const int last = min(i, rows - 1);
    position[i] = p.kv_position[first + last] + (i - last);  // runs on, so that a chunk's words stay side by side
  }
};

/// The random numbers of one head: word (head << 16 | original key position) of a query's stream.
struct HeadRandom {
  std::uint32_t threshold;
  std::uint32_t step = 0;
  std::uint32_t first_block;
  std::uint64_t seed = 0;
  float keep_scale;

  __device__ HeadRandom(const RandomRows& random, int head)
      : threshold(random.threshold),
        first_block(static_cast<std::uint32_t>(head) * AttentionKey::kBlocksPerHead),
        keep_scale(random.keep_scale) {
    if (threshold == 0) return;
    seed = random.state->seed;
    step = static_cast<std::uint32_t>(random.state->step);
  }

  __device__ PhiloxRow row(const uint2& query) const { return PhiloxRow(seed, step, query.x, query.y); }

  /// Of four keys, one of which lies at `position`: which dropout keeps for a query, bits 0 to 3.
  __device__ std::uint32_t kept(const PhiloxRow& query, std::int32_t position) const {
    const Philox words = query.words(first_block + static_cast<std::uint32_t>(position / 4));
    std::uint32_t bits = 0;
#pragma unroll
    for (int i = 0; i < 4; ++i) bits |= std::uint32_t{words.word[i] >= threshold} << i;
    return bits;
  }
};

/// A query's part of the counter: its example, and its stream and position.
__device__ inline uint2 query_counter(const RandomRows& random, std::int64_t row) {
  if (random.threshold == 0) return {0, 0};
  return {static_cast<std::uint32_t>(random.example[row]),
          random.stream | static_cast<std::uint32_t>(random.position[row])};
}

/// Which elements of a chunk dropout keeps. The halves of its queries come first, whether they are rows or columns:
/// bit 4 (half of the queries) + 2 (half of the keys) + j.
__host__ __device__ constexpr int kept_bit_by_rows(int e) { return e / 2 % 2 * 4 + e / 4 * 2 + e % 2; }  // rows ask
__host__ __device__ constexpr int kept_bit_by_columns(int e) { return e; }

/// Whether position i of 16 is 4 b + i % 4 for a b that is the same for each four, the first of which lane
/// `first_of_four` has: they share blocks of words. The same answer for all lanes.
__device__ inline bool in_blocks(std::int32_t position, int i, int first_of_four) {
  const int first = __shfl_sync(~0u, position, first_of_four);
  return __all_sync(~0u, position % 4 == i % 4 && position / 4 == first / 4);
}

/// Row of a chunk whose queries are rows for which a lane draws random numbers.
__device__ inline int drawn_row() { return Lane().g + Lane().t % 2 * 8; }

/// Which elements of a chunk [16 queries, 16 keys] dropout keeps. `query`: that of drawn_row(); `position`: those of
/// the 16 keys.
__device__ inline std::uint32_t kept_by_rows(const HeadRandom& random, const PhiloxRow& query,
                                             const std::int32_t* position) {
  const Lane lane;
  // Two lanes share four keys of each half: the even one draws for row g, the odd one for row g + 8.
  const std::int32_t* four = position + lane.t / 2 * 4;
  std::uint32_t drawn = 0;  // bit 4 (half of the keys) + key
  if (in_blocks(position[lane.index % kChunk], lane.index, lane.index & ~3)) {
#pragma unroll
    for (int n = 0; n < 2; ++n) drawn |= random.kept(query, four[8 * n]) << (4 * n);
  } else {
#pragma unroll 1
    for (int i = 0; i < 8; ++i) {
      const std::int32_t key = four[i / 4 * 8 + i % 4];
      drawn |= (random.kept(query, key) >> (key % 4) & 1u) << i;
    }
  }
  // A lane has the lower two of four keys if it is even, else the upper two: what it drew for them, and what the other
  // lane drew.
  const int odd = lane.t % 2;
  const std::uint32_t drawn_here = drawn >> (2 * odd) & 0x33u, drawn_there = drawn >> (2 - 2 * odd) & 0x33u;
  const std::uint32_t other = __shfl_xor_sync(~0u, drawn_there, 1);
  const std::uint32_t kept = drawn_here << (8 * odd) | other << (8 - 8 * odd);  // bit 8 half of rows + 4 of keys + j
  const std::uint32_t halves = kept | kept >> 2;
  return (halves & 0xfu) | (halves >> 4 & 0xf0u);
}

/// The same for a chunk [16 keys, 16 queries]. `query`: the counters of the 16 queries; `position`: those of keys g and
/// g + 8; `blocks`: whether the keys' words lie in blocks.
__device__ inline std::uint32_t kept_by_columns(const HeadRandom& random, const uint2* query,
                                                const std::int32_t (&position)[2], bool blocks) {
  const Lane lane;
  std::uint32_t kept = 0;
  if (blocks) {
    // The four lanes of a block of words share their queries, too: each draws for one, for both halves of the keys.
    const int own = lane.g % 4;
    const PhiloxRow mine = random.row(query[column_at(lane.t, own)]);
    std::uint32_t drawn = 0;
#pragma unroll
    for (int i = 0; i < 2; ++i) drawn |= random.kept(mine, position[i]) << (8 * own + 4 * i);
    drawn |= __shfl_xor_sync(~0u, drawn, 4);
    drawn |= __shfl_xor_sync(~0u, drawn, 8);
#pragma unroll
    for (int e = 0; e < 8; ++e) kept |= (drawn >> (8 * column_of(e) + 4 * row_of(e) + own) & 1u) << e;
    return kept;
  }
#pragma unroll 1
  for (int e = 0; e < 8; ++e) {
    const std::int32_t key = row_of(e) == 0 ? position[0] : position[1];
    const PhiloxRow row = random.row(query[column_at(lane.t, column_of(e))]);
    kept |= (random.kept(row, key) >> (key % 4) & 1u) << e;
  }
  return kept;
}

/// Lets a kernel be launched with as much shared memory, which may be more than 48 KB.
template <class Kernel>
cudaError_t allow_shared_bytes(Kernel kernel, int bytes) {
  return cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes);
}

#endif  // __CUDACC__

/// Calls f.template operator()<Block, head size>(): small tiles where sentences are short.
template <class F>
void dispatch_tiles(const MatrixProblem& p, std::int64_t rows, F&& f) {
  constexpr std::int64_t kShort = 40;
  const bool small = rows <= kShort * p.sentences;
  if (p.head_size == 32) {
    small ? f.template operator()<BlockOf<4>, 32>() : f.template operator()<BlockOf<8>, 32>();
  } else {
    small ? f.template operator()<BlockOf<4>, 64>() : f.template operator()<BlockOf<8>, 64>();
  }
}

}  // namespace tk::cuda
