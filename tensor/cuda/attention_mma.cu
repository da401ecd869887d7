#include "tensor/cuda/attention_mma.h"

namespace tk::cuda {
namespace {

using Problem = MatrixProblem;

constexpr int kChunksAtOnce = 4;  // of keys, whose scores a warp holds
constexpr int kKeysAtOnce = kChunksAtOnce * kChunk;

// A running softmax over the keys of two queries, in exponents of 2; the sums are a lane's own until the end.
struct RunningSoftmax {
  static constexpr float kLowest = -std::numeric_limits<float>::infinity();
  float largest[2] = {kLowest, kLowest};
  float sum[2] = {};

  // Takes in the products of some chunks of keys (scaling them) and scales what was summed so far to the new maximum.
  // `inner`: the weights of the first chunk's keys.
  template <int N>
  __device__ void raise(float (&s)[kChunksAtOnce][2][4], float (&x)[N][4], const float* inner, float factor) {
    const Lane lane;
    const float before[2] = {largest[0], largest[1]};
#pragma unroll
    for (int c = 0; c < kChunksAtOnce; ++c) {
#pragma unroll
      for (int e = 0; e < 8; ++e) {
        float& score = s[c][e / 4][e % 4];
        float& top = largest[row_of(e)];
        score *= factor;
        if (inner[kChunk * c + column_at(lane.t, column_of(e))] > 0.0f) top = fmaxf(top, score);
      }
    }
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      largest[i] = row_max_of(largest[i]);
      const float shrink = before[i] == largest[i] ? 1.0f : exp2_of(before[i] - largest[i]);
      sum[i] *= shrink;
#pragma unroll
      for (int n = 0; n < N; ++n) {
        x[n][2 * i] *= shrink;
        x[n][2 * i + 1] *= shrink;
      }
    }
  }

  // A chunk's scores become weight e where kept, else 0.
  __device__ void weigh(float (&s)[2][4], const float* weight, const float* inner, std::uint32_t kept) {
    const Lane lane;
#pragma unroll
    for (int e = 0; e < 8; ++e) {
      const int column = column_at(lane.t, column_of(e));
      float& score = s[e / 4][e % 4];
      const float exponential = exp2_of(fminf(score - largest[row_of(e)], kMostExponent));
      sum[row_of(e)] += inner[column] * exponential;
      score = (kept >> kept_bit_by_rows(e) & 1u) != 0 ? weight[column] * exponential : 0.0f;
    }
  }
};

template <class Block, int kHead>
struct Shared {
  Tile<Block::kTile, kHead> q, k, v;
  KeyTile<Block::kTile> key;
};

// A tile of queries meets all keys of its sentence.
template <class Block, int kHead>
__global__ void __launch_bounds__(Block::kThreads, 16 / Block::kWarps)
    forward(HeadRows<BFloat16> y, float* row_max, float* row_sum, Problem p) {
  extern __shared__ uint4 memory[];
  auto& shared = *reinterpret_cast<Shared<Block, kHead>*>(memory);
  const OwnTile<Block::kTile> own(p.q_offsets, p.q_rows, p);
  if (own.rows == 0) return;
  const RowRange keys = p.keys(own.sentence);
  const Lane lane;
  const int row = first_row_of_warp();
  const HeadRandom random(p.random, own.head);
  uint2 counter[2];
  for (int i = 0; i < 2; ++i) counter[i] = query_counter(p.random, own.first + min(row + lane.g + 8 * i, own.rows - 1));
  RunningSoftmax softmax;
  float x[kHead / 8][4] = {};
  if (keys.begin < keys.end) load_tile<Block>(shared.q, p.q, own.head, own.first, own.rows);
  for (std::int64_t first = keys.begin; first < keys.end; first += Block::kTile) {
    const int rows = rows_from(first, keys.end, Block::kTile);
    load_tile<Block>(shared.k, p.k, own.head, first, rows);
    load_tile<Block>(shared.v, p.v, own.head, first, rows);
    shared.key.load(p, first, rows);
    wait_for_copies();
    __syncthreads();
    for (int begin = 0; row < own.rows && begin < rows; begin += kKeysAtOnce) {
      float s[kChunksAtOnce][2][4];
      const int chunks = chunks_of(rows - begin);
#pragma unroll
      for (int c = 0; c < kChunksAtOnce; ++c) {
        for (int e = 0; e < 8; ++e) s[c][e / 4][e % 4] = 0;
        if (c < chunks) multiply(s[c], shared.q, row, shared.k, begin + kChunk * c);
      }
      softmax.raise(s, x, shared.key.inner + begin, score_factor(p));
#pragma unroll
      for (int c = 0; c < kChunksAtOnce; ++c) {
        if (c >= chunks) continue;
        const int key = begin + kChunk * c;
        const std::uint32_t kept = kept_by_rows(random, counter, shared.key.position + key);
        softmax.weigh(s[c], shared.key.weight + key, shared.key.inner + key, kept);
        std::uint32_t a[4];
        pack_chunk(a, s[c]);
        multiply_add(x, a, shared.v, key);
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
    row_max[own.head * p.q_rows + own.first + r] = softmax.largest[i] / kLog2E;
    row_sum[own.head * p.q_rows + own.first + r] = sum;
  }
  store_tile(y, own.head, own.first, own.rows, 0, x, factor, shared.q, row);
}

template <class Block, int kHead>
void launch(const HeadRows<BFloat16>& y, float* row_max, float* row_sum, const Problem& p) {
  constexpr auto kernel = forward<Block, kHead>;
  constexpr int kBytes = sizeof(Shared<Block, kHead>);
  static const cudaError_t allowed = allow_shared_bytes(kernel, kBytes);
  check(allowed, "packed_attention: cudaFuncSetAttribute");
  kernel<<<OwnTile<Block::kTile>::grid(p.q_rows, p), Block::kThreads, kBytes, stream()>>>(y, row_max, row_sum, p);
  check_launch("packed_attention");
}

}  // namespace

bool has_matrix_path(const Problem& p) {
  return (p.head_size == 32 || p.head_size == 64) && p.q.wide && p.k.wide && p.v.wide;
}

void matrix_attention(HeadRows<BFloat16> y, float* row_max, float* row_sum, const Problem& p) {
  dispatch_tiles(p, p.q_rows, [&]<class Block, int kHead>() { launch<Block, kHead>(y, row_max, row_sum, p); });
}

}  // namespace tk::cuda
