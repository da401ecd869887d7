#include <limits>

#include "tensor/cuda/attention.h"
#include "tensor/cuda/mma.h"

// The path for bfloat16 and heads of 32 or 64 columns. A block of four warps takes a tile of 64 rows of one sentence
// and head, a warp 16 of them, and walks the rows that they meet in tiles of 64. Everything goes by chunks of 16 rows,
// so a sentence of 11 tokens costs one chunk by one chunk. Scores and probabilities stay in registers, as C fragments
// [16 queries, 16 keys]: element [n][2 i + j] of a lane is query g + 8 i and key 8 n + 2 t + j (g = lane / 4, t = lane
// % 4). Sums are float32 in a fixed order; no atomics.
namespace tk::cuda {
namespace {

using Problem = AttentionProblem<BFloat16>;
using Upstream = AttentionUpstream<BFloat16>;

constexpr int kTile = 64;
constexpr int kChunk = 16;
constexpr int kChunks = kTile / kChunk;
constexpr int kBlock = kChunks * kWarp;

// Eight columns more than the head has: the rows of an 8 x 8 matrix fall into different banks.
template <int kHead>
struct alignas(16) Tile {
  std::uint16_t rows[kTile][kHead + 8];
};

struct Lane {
  int index = static_cast<int>(threadIdx.x) % kWarp;
  int g = index / 4;
  int t = index % 4;
};

__device__ int chunks_of(int rows) { return (rows + kChunk - 1) / kChunk; }

// A block's rows: up to 64 of a sentence from `first` on. A grid has rows / 64 + sentences + 1 blocks a head, of which
// those from offset / 64 + s on are sentence s's: at least as many as its tiles.
struct OwnTile {
  int sentence;
  std::int64_t first;
  int rows;  // none or fewer: nothing to do
};

__device__ OwnTile own_tile(const std::int32_t* offsets, int sentences, std::int64_t all_rows) {
  const auto first_block = [offsets](int s) { return std::int64_t{offsets[s] / kTile + s}; };
  const int s = last_at_most(blockIdx.x, sentences, first_block);
  const std::int64_t end = s < sentences ? offsets[s + 1] : all_rows;
  const std::int64_t first = offsets[s] + (blockIdx.x - first_block(s)) * kTile;
  return {s, first, static_cast<int>(std::min<std::int64_t>(kTile, end - first))};
}

// The warp's first row in the block's tile.
__device__ int first_row_of_warp() { return static_cast<int>(threadIdx.x) / kWarp * kChunk; }

__device__ int rows_of_tile(const RowRange& range, std::int64_t first) {
  return static_cast<int>(std::min<std::int64_t>(kTile, range.end - first));
}

dim3 grid_of(std::int64_t rows, const Problem& p) {
  return dim3(static_cast<unsigned>(rows / kTile + p.sentences + 1), static_cast<unsigned>(p.heads));
}

// Starts to copy rows [first, first + rows) of a head; zeros up to the next whole chunk.
template <int kHead>
__device__ void load(Tile<kHead>& tile, const HeadRows<const BFloat16>& x, std::int64_t first, int rows) {
  constexpr int kVectors = kHead / 8;
  const std::int64_t column = std::int64_t{blockIdx.y} * kHead;
  for (int i = threadIdx.x; i < chunks_of(rows) * kChunk * kVectors; i += kBlock) {
    const int r = i / kVectors;
    const int c = i % kVectors * 8;
    const BFloat16* from = x.at(first + (r < rows ? r : 0), column + c);
    if (x.wide) {
      copy_async(&tile.rows[r][c], from, r < rows);
    } else {
      for (int j = 0; j < 8; ++j) tile.rows[r][c + j] = r < rows ? from[j].bits : std::uint16_t{0};
    }
  }
}

// Writes 16 rows that a warp holds as C fragments times a factor for each half, by way of the rows from `row` on of a
// tile that only this warp reads.
template <int kHead>
__device__ void store(const HeadRows<BFloat16>& y, std::int64_t first, int rows, const float (&x)[kHead / 8][4],
                      const float (&factor)[2], Tile<kHead>& tile, int row) {
  const Lane lane;
  __syncwarp();
#pragma unroll
  for (int n = 0; n < kHead / 8; ++n) {
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      *reinterpret_cast<std::uint32_t*>(&tile.rows[row + lane.g + 8 * i][8 * n + 2 * lane.t]) =
          pack_bfloat16(x[n][2 * i] * factor[i], x[n][2 * i + 1] * factor[i]);
    }
  }
  __syncwarp();
  constexpr int kVectors = kHead / 8;
  const std::int64_t column = std::int64_t{blockIdx.y} * kHead;
  for (int i = lane.index; i < std::min(int{kChunk}, rows - row) * kVectors; i += kWarp) {
    const int r = row + i / kVectors;
    const int c = i % kVectors * 8;
    BFloat16* to = y.at(first + r, column + c);
    if (y.wide) {
      *reinterpret_cast<uint4*>(to) = *reinterpret_cast<const uint4*>(&tile.rows[r][c]);
    } else {
      for (int j = 0; j < 8; ++j) to[j].bits = tile.rows[r][c + j];
    }
  }
}

// s[c] = (16 rows of a from `row` on) (16 rows of b from b_row + 16 c on)^T for c < chunks, else 0.
template <int kHead, int N>
__device__ void multiply(float (&s)[N][2][4], const Tile<kHead>& a, int row, const Tile<kHead>& b, int b_row,
                         int chunks) {
  const int lane = Lane().index;
#pragma unroll
  for (int c = 0; c < N; ++c) {
    for (int i = 0; i < 8; ++i) s[c][i / 4][i % 4] = 0;
  }
#pragma unroll
  for (int k = 0; k < kHead; k += 16) {
    std::uint32_t x[4], y[4];
    load_matrices(x, &a.rows[row + lane % 16][k + lane / 16 * 8]);
#pragma unroll
    for (int c = 0; c < N; ++c) {
      if (c >= chunks) continue;
      load_matrices(y, &b.rows[b_row + kChunk * c + lane / 16 * 8 + lane % 8][k + lane / 8 % 2 * 8]);
      mma(s[c][0], x, y[0], y[1]);
      mma(s[c][1], x, y[2], y[3]);
    }
  }
}

// y += a (16 rows of x from `row` on).
template <int kHead>
__device__ void multiply_add(float (&y)[kHead / 8][4], const std::uint32_t (&a)[4], const Tile<kHead>& x, int row) {
  const int lane = Lane().index;
#pragma unroll
  for (int n = 0; n < kHead; n += 16) {
    std::uint32_t b[4];
    load_transposed_matrices(b, &x.rows[row + lane % 16][n + lane / 16 * 8]);
    mma(y[n / 8], a, b[0], b[1]);
    mma(y[n / 8 + 1], a, b[2], b[3]);
  }
}

// The chunk as A of a product over keys, or transposed over queries.
__device__ void pack(std::uint32_t (&a)[4], const float (&x)[2][4]) {
#pragma unroll
  for (int n = 0; n < 2; ++n) {
    for (int i = 0; i < 2; ++i) a[2 * n + i] = pack_bfloat16(x[n][2 * i], x[n][2 * i + 1]);
  }
}

__device__ void pack_transposed(std::uint32_t (&a)[4], const float (&x)[2][4]) {
#pragma unroll
  for (int n = 0; n < 2; ++n) {
    for (int i = 0; i < 2; ++i) a[n + 2 * i] = transpose_matrix(pack_bfloat16(x[n][2 * i], x[n][2 * i + 1]));
  }
}

// Over the four lanes of a row.
__device__ float row_sum_of(float x) {
  x += __shfl_xor_sync(~0u, x, 1);
  return x + __shfl_xor_sync(~0u, x, 2);
}

__device__ void sum_over_rows(float (&x)[2]) {
  for (float& sum : x) sum = row_sum_of(sum);
}

__device__ float row_max_of(float x) {
  x = fmaxf(x, __shfl_xor_sync(~0u, x, 1));
  return fmaxf(x, __shfl_xor_sync(~0u, x, 2));
}

// Caps the exponent of a key that is out of reach of the row's maximum, in the derivative of its weight alone.
__device__ float capped_exp(float x) { return __expf(fminf(x, 30.0f)); }

// A tile of keys: `inner` is the weight in the maximum and the normaliser. Keys that are not there weigh nothing.
struct KeyTile {
  float weight[kTile];
  float inner[kTile];
  std::int32_t position[kTile];

  __device__ void load(const Problem& p, std::int64_t first, int rows) {
    const int i = static_cast<int>(threadIdx.x);
    if (i >= kTile) return;
    const bool there = i < rows;
    weight[i] = there ? p.weight_of(first + i) : 0.0f;
    inner[i] = p.exact ? weight[i] : static_cast<float>(there);  // paper mode normalises without the weights
    if (p.random.threshold == 0) return;
    const int last = std::min(i, rows - 1);
    position[i] = p.kv_position[first + last] + (i - last);  // runs on, so that a chunk's words stay side by side
  }
};

// The random numbers of one head: word (head << 16 | original key position) of a query's stream.
struct HeadRandom {
  std::uint32_t threshold;
  std::uint32_t step = 0;
  std::uint32_t first_block = blockIdx.y << 14;
  std::uint64_t seed = 0;
  float keep_scale;

  __device__ explicit HeadRandom(const RandomRows& random)
      : threshold(random.threshold), keep_scale(random.keep_scale) {
    if (threshold == 0) return;
    seed = random.state->seed;
    step = static_cast<std::uint32_t>(random.state->step);
  }

  __device__ Philox words(const uint2& query, std::int32_t position) const {
    return philox(seed, step, query.x, query.y, first_block + static_cast<std::uint32_t>(position / 4));
  }
};

// A query's part of the counter: its example, and its stream and position.
__device__ uint2 query_counter(const RandomRows& random, std::int64_t row) {
  if (random.threshold == 0) return {0, 0};
  return {static_cast<std::uint32_t>(random.example[row]),
          random.stream | static_cast<std::uint32_t>(random.position[row])};
}

// Which elements of a chunk dropout keeps: bit 4 n + 2 i + j. `query`: the counters of rows g and g + 8; `position`:
// those of the 16 keys.
__device__ std::uint32_t kept_elements(const HeadRandom& random, const uint2 (&query)[2],
                                       const std::int32_t* position) {
  if (random.threshold == 0) return ~0u;
  const Lane lane;
  std::uint32_t kept = 0;
  const int own = lane.index % kChunk;
  const bool in_blocks = position[own] % 4 == own % 4 && position[own] / 4 == position[own / 4 * 4] / 4;
  if (__all_sync(~0u, in_blocks)) {
    // Each four keys share one block of words, and two lanes share the keys: the even one draws for row g, the odd one
    // for row g + 8.
    const int odd = lane.t % 2;
    const uint2 mine = odd != 0 ? query[1] : query[0];
    std::uint32_t drawn = 0;
#pragma unroll
    for (int n = 0; n < 2; ++n) {
      const Philox words = random.words(mine, position[8 * n + lane.t / 2 * 4]);
      for (int j = 0; j < 4; ++j) drawn |= std::uint32_t{words.word[j] >= random.threshold} << (4 * n + j);
    }
    const std::uint32_t others = __shfl_xor_sync(~0u, drawn, 1);
    const std::uint32_t of_row[2] = {odd != 0 ? others : drawn, odd != 0 ? drawn : others};
#pragma unroll
    for (int n = 0; n < 2; ++n) {
      for (int i = 0; i < 2; ++i) kept |= (of_row[i] >> (4 * n + 2 * odd) & 3u) << (4 * n + 2 * i);
    }
    return kept;
  }
#pragma unroll 1
  for (int e = 0; e < 8; ++e) {
    const std::int32_t key = position[e / 4 * 8 + 2 * lane.t + e % 2];
    const std::uint32_t word = word_of(random.words(e % 4 < 2 ? query[0] : query[1], key), key % 4);
    kept |= std::uint32_t{word >= random.threshold} << e;
  }
  return kept;
}

// A running softmax over the keys of two queries; the sums are a lane's own until the end.
struct RunningSoftmax {
  static constexpr float kLowest = -std::numeric_limits<float>::infinity();
  float largest[2] = {kLowest, kLowest};
  float sum[2] = {};

  // Takes in a tile's scores (scaling them) and scales what was summed so far to the new maximum.
  template <int N>
  __device__ void raise(float (&s)[kChunks][2][4], float (&x)[N][4], const KeyTile& key, float scale) {
    const Lane lane;
    const float before[2] = {largest[0], largest[1]};
#pragma unroll
    for (int c = 0; c < kChunks; ++c) {
#pragma unroll
      for (int e = 0; e < 8; ++e) {
        float& score = s[c][e / 4][e % 4];
        float& top = largest[e / 2 % 2];
        score *= scale;
        if (key.inner[kChunk * c + e / 4 * 8 + 2 * lane.t + e % 2] > 0.0f) top = fmaxf(top, score);
      }
    }
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      largest[i] = row_max_of(largest[i]);
      const float shrink = before[i] == largest[i] ? 1.0f : __expf(before[i] - largest[i]);
      sum[i] *= shrink;
#pragma unroll
      for (int n = 0; n < N; ++n) {
        x[n][2 * i] *= shrink;
        x[n][2 * i + 1] *= shrink;
      }
    }
  }

  // A chunk's scores become weight e where kept, else 0. `key`: the chunk's first one in its tile.
  __device__ void weigh(float (&s)[2][4], const KeyTile& keys, int key, std::uint32_t kept) {
    const Lane lane;
#pragma unroll
    for (int e = 0; e < 8; ++e) {
      const int column = key + e / 4 * 8 + 2 * lane.t + e % 2;
      float& score = s[e / 4][e % 4];
      const float exponential = capped_exp(score - largest[e / 2 % 2]);
      sum[e / 2 % 2] += keys.inner[column] * exponential;
      score = (kept >> e & 1u) != 0 ? keys.weight[column] * exponential : 0.0f;
    }
  }
};

template <int kHead>
__global__ void __launch_bounds__(kBlock) forward(HeadRows<BFloat16> y, float* row_max, float* row_sum, Problem p) {
  __shared__ Tile<kHead> q, k, v;
  __shared__ KeyTile key;
  const OwnTile own = own_tile(p.q_offsets, p.sentences, p.q_rows);
  if (own.rows <= 0) return;
  const RowRange keys = p.keys(own.sentence);
  const Lane lane;
  const int row = first_row_of_warp();
  const HeadRandom random(p.random);
  uint2 counter[2];
  for (int i = 0; i < 2; ++i)
    counter[i] = query_counter(p.random, own.first + std::min(row + lane.g + 8 * i, own.rows - 1));
  RunningSoftmax softmax;
  float x[kHead / 8][4] = {};
  if (keys.begin < keys.end) load(q, p.q, own.first, own.rows);
  for (std::int64_t first = keys.begin; first < keys.end; first += kTile) {
    const int rows = rows_of_tile(keys, first);
    load(k, p.k, first, rows);
    load(v, p.v, first, rows);
    key.load(p, first, rows);
    wait_for_copies();
    __syncthreads();
    if (row < own.rows) {
      float s[kChunks][2][4];
      multiply(s, q, row, k, 0, chunks_of(rows));
      softmax.raise(s, x, key, p.scale);
#pragma unroll
      for (int c = 0; c < kChunks; ++c) {
        if (c >= chunks_of(rows)) continue;
        softmax.weigh(s[c], key, kChunk * c, kept_elements(random, counter, key.position + kChunk * c));
        std::uint32_t a[4];
        pack(a, s[c]);
        multiply_add<kHead>(x, a, v, kChunk * c);
      }
    }
    __syncthreads();  // the next tile takes the place of this one
  }
  if (row >= own.rows) return;
  float factor[2];
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const float sum = row_sum_of(softmax.sum[i]);
    factor[i] = sum > 0.0f ? random.keep_scale / sum : 0.0f;
    const int r = row + lane.g + 8 * i;
    if (lane.t != 0 || r >= own.rows) continue;
    row_max[blockIdx.y * p.q_rows + own.first + r] = softmax.largest[i];
    row_sum[blockIdx.y * p.q_rows + own.first + r] = sum;
  }
  store(y, own.first, own.rows, x, factor, q, row);
}

// What the backward knows of a query from the forward: e / sum = exp(score - largest) inverse.
struct QueryStatistics {
  float largest = 0;
  float inverse = 0;  // 0 of a row that is not there, whose probabilities are 0 then

  QueryStatistics() = default;
  __device__ QueryStatistics(const Upstream& u, std::int64_t at)
      : largest(u.row_max[at]), inverse(u.row_sum[at] > 0.0f ? 1.0f / u.row_sum[at] : 0.0f) {}
};

// A chunk's scores become p = e / sum, and dy v^T becomes g, its gradient behind dropout.
__device__ void probabilities(float (&s)[2][4], float (&g)[2][4], const QueryStatistics (&query)[2], float scale,
                              std::uint32_t kept, float keep_scale) {
#pragma unroll
  for (int e = 0; e < 8; ++e) {
    const QueryStatistics& of = query[e / 2 % 2];
    float& score = s[e / 4][e % 4];
    float& grad = g[e / 4][e % 4];
    score = capped_exp(score * scale - of.largest) * of.inverse;
    grad = (kept >> e & 1u) != 0 ? grad * keep_scale : 0.0f;
  }
}

// With p = e / sum, P = weight p, g as above, D = sum(P g) over keys, and `inner` the weight in the normaliser:
//   dS = p (weight g - inner D), dweight = p (g - D) in exact mode, p g in paper mode.
__device__ void score_gradients(float (&ds)[2][4], const float (&p)[2][4], const float (&g)[2][4], const KeyTile& keys,
                                int key, const float (&delta)[2]) {
  const Lane lane;
#pragma unroll
  for (int e = 0; e < 8; ++e) {
    const int column = key + e / 4 * 8 + 2 * lane.t + e % 2;
    ds[e / 4][e % 4] =
        p[e / 4][e % 4] * (keys.weight[column] * g[e / 4][e % 4] - keys.inner[column] * delta[e / 2 % 2]);
  }
}

// Adds a lane's part of a chunk's sum of P g to D.
__device__ void add_products(float (&delta)[2], const float (&p)[2][4], const float (&g)[2][4], const KeyTile& keys,
                             int key) {
  const Lane lane;
#pragma unroll
  for (int e = 0; e < 8; ++e) {
    const int column = key + e / 4 * 8 + 2 * lane.t + e % 2;
    delta[e / 2 % 2] += keys.weight[column] * p[e / 4][e % 4] * g[e / 4][e % 4];
  }
}

// dq of a tile of queries, and their D. A sentence of more than one tile of keys is walked twice: D needs all keys.
template <int kHead>
__global__ void __launch_bounds__(kBlock) backward_queries(HeadRows<BFloat16> dq, Upstream u, Problem p) {
  __shared__ Tile<kHead> q, dy, k, v;
  __shared__ KeyTile key;
  const OwnTile own = own_tile(p.q_offsets, p.sentences, p.q_rows);
  if (own.rows <= 0) return;
  const RowRange keys = p.keys(own.sentence);
  const Lane lane;
  const int row = first_row_of_warp();
  const HeadRandom random(p.random);
  uint2 counter[2];
  for (int i = 0; i < 2; ++i)
    counter[i] = query_counter(p.random, own.first + std::min(row + lane.g + 8 * i, own.rows - 1));
  const std::int64_t statistics_row = blockIdx.y * p.q_rows + own.first;
  QueryStatistics query[2];
  for (int i = 0; i < 2; ++i) {
    const int r = row + lane.g + 8 * i;
    if (r < own.rows) query[i] = QueryStatistics(u, statistics_row + r);
  }
  float delta[2] = {}, x[kHead / 8][4] = {};
  if (keys.begin < keys.end) {
    load(q, p.q, own.first, own.rows);
    load(dy, u.dy, own.first, own.rows);
  }
  const bool one_tile = keys.end - keys.begin <= kTile;
  for (int pass = one_tile ? 1 : 0; pass < 2; ++pass) {
    for (std::int64_t first = keys.begin; first < keys.end; first += kTile) {
      const int rows = rows_of_tile(keys, first);
      load(k, p.k, first, rows);
      load(v, p.v, first, rows);
      key.load(p, first, rows);
      wait_for_copies();
      __syncthreads();
      if (row < own.rows) {
        float s[kChunks][2][4], g[kChunks][2][4];
        multiply(s, q, row, k, 0, chunks_of(rows));
        multiply(g, dy, row, v, 0, chunks_of(rows));
#pragma unroll
        for (int c = 0; c < kChunks; ++c) {
          if (c >= chunks_of(rows)) continue;
          const std::uint32_t kept = kept_elements(random, counter, key.position + kChunk * c);
          probabilities(s[c], g[c], query, p.scale, kept, random.keep_scale);
          if (pass == 0 || one_tile) add_products(delta, s[c], g[c], key, kChunk * c);
        }
        if (one_tile) sum_over_rows(delta);
#pragma unroll
        for (int c = 0; c < kChunks; ++c) {
          if (pass == 0 || c >= chunks_of(rows)) continue;
          std::uint32_t a[4];
          score_gradients(s[c], s[c], g[c], key, kChunk * c, delta);
          pack(a, s[c]);
          multiply_add<kHead>(x, a, k, kChunk * c);
        }
      }
      __syncthreads();  // the next tile takes the place of this one
    }
    if (pass == 0) sum_over_rows(delta);
  }
  if (row >= own.rows) return;
  for (int i = 0; i < 2; ++i) {
    const int r = row + lane.g + 8 * i;
    if (lane.t == 0 && r < own.rows) u.delta[statistics_row + r] = delta[i];
  }
  store(dq, own.first, own.rows, x, {p.scale, p.scale}, q, row);
}

// A tile of queries beside q and dy.
struct QueryTile {
  QueryStatistics statistics[kTile];
  float delta[kTile];
  uint2 counter[kTile];

  __device__ void load(const Problem& p, const Upstream& u, std::int64_t first, int rows) {
    const int i = static_cast<int>(threadIdx.x);
    if (i >= kTile) return;
    const std::int64_t at = blockIdx.y * p.q_rows + first + i;
    statistics[i] = i < rows ? QueryStatistics(u, at) : QueryStatistics();
    delta[i] = i < rows ? u.delta[at] : 0.0f;
    counter[i] = query_counter(p.random, first + std::min(i, rows - 1));
  }
};

// Adds a lane's part of a chunk's dweight: element 2 n + j is key 8 n + 2 t + j.
__device__ void add_weight_gradients(float (&sum)[4], const float (&p)[2][4], const float (&g)[2][4],
                                     const float (&delta)[2], bool exact) {
#pragma unroll
  for (int e = 0; e < 8; ++e) {
    const float centre = exact ? delta[e / 2 % 2] : 0.0f;
    sum[e / 4 * 2 + e % 2] += p[e / 4][e % 4] * (g[e / 4][e % 4] - centre);
  }
}

__device__ void store_weight_gradients(float* y, const float (&sum)[4], int row, int rows) {
  const Lane lane;
#pragma unroll
  for (int e = 0; e < 4; ++e) {
    float x = sum[e];
    for (int distance = 4; distance < kWarp; distance *= 2) x += __shfl_xor_sync(~0u, x, distance);
    const int r = row + e / 2 * 8 + 2 * lane.t + e % 2;
    if (lane.g == 0 && r < rows) y[r] = x;
  }
}

// The probabilities that met v, without dropout's scale.
__device__ void kept_probabilities(float (&y)[2][4], const float (&p)[2][4], const KeyTile& keys, int key,
                                   std::uint32_t kept) {
  const Lane lane;
#pragma unroll
  for (int e = 0; e < 8; ++e) {
    const float weight = keys.weight[key + e / 4 * 8 + 2 * lane.t + e % 2];
    y[e / 4][e % 4] = (kept >> e & 1u) != 0 ? weight * p[e / 4][e % 4] : 0.0f;
  }
}

// dk and dv of a tile of keys, and the head's part of their dweight (null without weights).
template <int kHead>
__global__ void __launch_bounds__(kBlock)
    backward_keys(HeadRows<BFloat16> dk, HeadRows<BFloat16> dv, float* dweight, Upstream u, Problem p) {
  __shared__ Tile<kHead> q, dy, k, v;
  __shared__ KeyTile key;
  __shared__ QueryTile query;
  const OwnTile own = own_tile(p.kv_offsets, p.sentences, p.kv_rows);
  if (own.rows <= 0) return;
  const RowRange queries = p.queries(own.sentence);
  const Lane lane;
  const int row = first_row_of_warp();
  const HeadRandom random(p.random);
  float dk_sum[kHead / 8][4] = {}, dv_sum[kHead / 8][4] = {}, weight_sum[4] = {};
  if (queries.begin < queries.end) {
    load(k, p.k, own.first, own.rows);
    load(v, p.v, own.first, own.rows);
    key.load(p, own.first, own.rows);
  }
  for (std::int64_t first = queries.begin; first < queries.end; first += kTile) {
    const int rows = rows_of_tile(queries, first);
    load(q, p.q, first, rows);
    load(dy, u.dy, first, rows);
    query.load(p, u, first, rows);
    wait_for_copies();
    __syncthreads();
    for (int c = 0; row < own.rows && c < chunks_of(rows); ++c) {
      float s[1][2][4], g[1][2][4];
      multiply(s, q, kChunk * c, k, row, 1);
      multiply(g, dy, kChunk * c, v, row, 1);
      const int r = kChunk * c + lane.g;
      const QueryStatistics statistics[2] = {query.statistics[r], query.statistics[r + 8]};
      const float delta[2] = {query.delta[r], query.delta[r + 8]};
      const uint2 counter[2] = {query.counter[r], query.counter[r + 8]};
      const std::uint32_t kept = kept_elements(random, counter, key.position + row);
      probabilities(s[0], g[0], statistics, p.scale, kept, random.keep_scale);
      add_weight_gradients(weight_sum, s[0], g[0], delta, p.exact);
      std::uint32_t a[4];
      float d[2][4];
      score_gradients(d, s[0], g[0], key, row, delta);
      pack_transposed(a, d);
      multiply_add<kHead>(dk_sum, a, q, kChunk * c);
      kept_probabilities(d, s[0], key, row, kept);
      pack_transposed(a, d);
      multiply_add<kHead>(dv_sum, a, dy, kChunk * c);
    }
    __syncthreads();  // the next tile takes the place of this one
  }
  if (row >= own.rows) return;
  store(dk, own.first, own.rows, dk_sum, {p.scale, p.scale}, k, row);
  store(dv, own.first, own.rows, dv_sum, {random.keep_scale, random.keep_scale}, v, row);
  if (dweight != nullptr)
    store_weight_gradients(dweight + blockIdx.y * p.kv_rows + own.first, weight_sum, row, own.rows);
}

}  // namespace

bool has_matrix_path(const Problem& p) { return p.head_size == 32 || p.head_size == 64; }

void matrix_attention(HeadRows<BFloat16> y, float* row_max, float* row_sum, const Problem& p) {
  const auto kernel = p.head_size == 32 ? forward<32> : forward<64>;
  kernel<<<grid_of(p.q_rows, p), kBlock, 0, stream()>>>(y, row_max, row_sum, p);
  check_launch("packed_attention");
}

void matrix_attention_backward(HeadRows<BFloat16> dq, HeadRows<BFloat16> dk, HeadRows<BFloat16> dv, float* dweight,
                               const Upstream& u, const Problem& p) {
  const auto by_query = p.head_size == 32 ? backward_queries<32> : backward_queries<64>;
  const auto by_key = p.head_size == 32 ? backward_keys<32> : backward_keys<64>;
  by_query<<<grid_of(p.q_rows, p), kBlock, 0, stream()>>>(dq, u, p);
  by_key<<<grid_of(p.kv_rows, p), kBlock, 0, stream()>>>(dk, dv, dweight, u, p);
  check_launch("packed_attention_backward");
}

}  // namespace tk::cuda
