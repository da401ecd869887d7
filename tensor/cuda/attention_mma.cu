#include "tensor/cuda/attention_mma.h"

namespace tk::cuda {
namespace {

using Problem = MatrixProblem;

// Chunks of keys whose scores a warp holds.
template <class Block>
constexpr int kChunksAtOnce = Block::kWarps < 4 ? Block::kWarps : 4;

// s[c] = (16 rows of q from `row` on) (16 rows of k from key + 16 c on)^T, whether there are such keys or not.
template <int C, int kRows, int kHead>
__device__ void multiply_chunks(float (&s)[C][2][4], const Tile<kRows, kHead>& q, int row, const Tile<kRows, kHead>& k,
                                int key) {
  const int lane = Lane().index;
#pragma unroll
  for (int c = 0; c < C; ++c) {
    for (int e = 0; e < 8; ++e) s[c][e / 4][e % 4] = 0;
  }
#pragma unroll
  for (int column = 0; column < kHead; column += 16) {
    std::uint32_t x[4], y[4];
    load_matrices(x, &q.rows[row + lane % 16][column + lane / 16 * 8]);
#pragma unroll
    for (int c = 0; c < C; ++c) {
      load_matrices(y, &k.rows[key + kChunk * c + lane / 16 * 8 + lane % 8][column + lane / 8 % 2 * 8]);
      mma(s[c][0], x, y[0], y[1]);
      mma(s[c][1], x, y[2], y[3]);
    }
  }
}

// NaN is in no maximum: it makes a row's sum NaN, and so all of its results.
//
// A running softmax over the keys of two queries: e = 2^(product factor - shift), the shift being that of the largest
// product so far. The sums are a lane's own until the end.
struct RunningSoftmax {
  static constexpr float kLowest = -std::numeric_limits<float>::infinity();
  float factor;  // score_factor
  float largest[2] = {kLowest, kLowest};
  float shift[2] = {};
  float sum[2] = {};

  // Takes in the products of some chunks of keys, `there` of which exist, and scales what was summed so far to the new
  // maximum. With weights a key counts if its weight is positive; without, products of keys that are not there become
  // -inf. `inner`: the keys' weights.
  template <bool kWeighted, int C, int N>
  __device__ void raise(float (&s)[C][2][4], float (&x)[N][4], const float* inner, int there, bool first) {
    const Lane lane;
    const float before[2] = {largest[0], largest[1]};
    if (!kWeighted && there < C * kChunk) hide_absent(s, there);
#pragma unroll
    for (int c = 0; c < C; ++c) {
#pragma unroll
      for (int e = 0; e < 8; ++e) {
        const int column = kChunk * c + column_at(lane.t, column_of(e));
        const float product = s[c][e / 4][e % 4];
        if constexpr (kWeighted) {
          if (inner[column] > 0.0f) largest[row_of(e)] = fmaxf(largest[row_of(e)], product);
        } else {
          largest[row_of(e)] = fmaxf(largest[row_of(e)], product);
        }
      }
    }
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      largest[i] = row_max_of(largest[i]);
      shift[i] = largest[i] * factor;
    }
    if (first) return;
#pragma unroll
    for (int i = 0; i < 2; ++i) {
      const float shrink = before[i] == largest[i] ? 1.0f : exp2_of((before[i] - largest[i]) * factor);
      sum[i] *= shrink;
#pragma unroll
      for (int n = 0; n < N; ++n) {
        x[n][2 * i] *= shrink;
        x[n][2 * i + 1] *= shrink;
      }
    }
  }

  template <int C>
  static __device__ void hide_absent(float (&s)[C][2][4], int there) {
    const Lane lane;
#pragma unroll
    for (int c = 0; c < C; ++c) {
#pragma unroll
      for (int e = 0; e < 8; ++e) {
        if (kChunk * c + column_at(lane.t, column_of(e)) >= there) s[c][e / 4][e % 4] = kLowest;
      }
    }
  }

  // A chunk's products become weight e where kept, else 0.
  template <bool kWeighted>
  __device__ void weigh(float (&s)[2][4], const float* weight, const float* inner, std::uint32_t kept) {
    const Lane lane;
#pragma unroll
    for (int e = 0; e < 8; ++e) {
      const int column = column_at(lane.t, column_of(e));
      float& score = s[e / 4][e % 4];
      const float exponent = score * factor - shift[row_of(e)];
      const bool keep = (kept >> kept_bit_by_rows(e) & 1u) != 0;
      if constexpr (kWeighted) {
        const float exponential = exp2_of(min_or_nan(exponent, kMostExponent));
        sum[row_of(e)] += inner[column] * exponential;
        score = keep ? weight[column] * exponential : 0.0f;
      } else {
        const float exponential = exp2_of(exponent);
        sum[row_of(e)] += exponential;
        score = keep ? exponential : 0.0f;
      }
    }
  }
};

// Which probabilities of up to 4 chunks of keys dropout keeps: byte c is that of chunk c. `keys`: how many there are,
// from those at `position` on.
__device__ std::uint32_t kept_of_chunks(const HeadRandom& random, const PhiloxRow& query, const std::int32_t* position,
                                        int keys) {
  if (random.threshold == 0) return ~0u;
  std::uint32_t kept = 0;
#pragma unroll 1
  for (int c = 0; c < min(4, chunks_of(keys)); ++c) {
    kept |= kept_by_rows(random, query, position + kChunk * c) << (8 * c);
  }
  return kept;
}

template <class Block, int kHead>
struct Shared {
  Tile<Block::kTile, kHead> q, k, v;
  KeyTile<Block::kTile> key;
};

// A tile of queries meets all keys of its sentence.
template <class Block, int kHead, bool kWeighted>
__global__ void __launch_bounds__(Block::kThreads, 16 / Block::kWarps)
    forward(HeadRows<BFloat16> y, float* row_max, float* row_sum, Problem p) {
  extern __shared__ uint4 memory[];
  auto& shared = *reinterpret_cast<Shared<Block, kHead>*>(memory);
  constexpr int kChunks = kChunksAtOnce<Block>, kKeysAtOnce = kChunks * kChunk;
  const OwnTile<Block::kTile> own(p.q_offsets, p.fills_dummies ? p.q_rows : p.q_offsets[p.sentences], p);
  if (own.rows == 0) return;
  const RowRange keys = p.keys(own.sentence);
  const Lane lane;
  const int row = first_row_of_warp();
  const HeadRandom random(p.random, own.head);
  const PhiloxRow drawn = random.row(query_counter(p.random, own.first + min(row + drawn_row(), own.rows - 1)));
  RunningSoftmax softmax{score_factor(p)};
  float x[kHead / 8][4] = {};
  if (keys.begin < keys.end) load_tile<Block>(shared.q, p.q, own.head, own.first, own.rows);
  for (std::int64_t first = keys.begin; first < keys.end; first += Block::kTile) {
    const int rows = rows_from(first, keys.end, Block::kTile);
    load_tile<Block>(shared.k, p.k, own.head, first, rows);
    load_tile<Block>(shared.v, p.v, own.head, first, rows);
    shared.key.load(p, first, rows);
    __syncthreads();
    std::uint32_t kept[Block::kTile / kKeysAtOnce];  // drawn while the rows are on their way
#pragma unroll
    for (int i = 0; i < Block::kTile / kKeysAtOnce; ++i) {
      const int begin = i * kKeysAtOnce;
      kept[i] = row < own.rows ? kept_of_chunks(random, drawn, shared.key.position + begin, rows - begin) : 0;
    }
    wait_for_copies();
    __syncthreads();
#pragma unroll
    for (int begin = 0; begin < Block::kTile; begin += kKeysAtOnce) {
      if (row >= own.rows || begin >= rows) continue;
      float s[kChunks][2][4];
      const int chunks = chunks_of(rows - begin);
      multiply_chunks(s, shared.q, row, shared.k, begin);
      softmax.raise<kWeighted>(s, x, shared.key.inner + begin, rows - begin, first == keys.begin && begin == 0);
#pragma unroll
      for (int c = 0; c < kChunks; ++c) {
        if (c >= chunks) continue;
        const int key = begin + kChunk * c;
        softmax.weigh<kWeighted>(s[c], shared.key.weight + key, shared.key.inner + key,
                                 kept[begin / kKeysAtOnce] >> (8 * c));
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
    factor[i] = sum <= 0.0f ? 0.0f : random.keep_scale / sum;  // NaN stays
    const int r = row + lane.g + 8 * i;
    if (lane.t != 0 || r >= own.rows) continue;
    row_max[own.head * p.q_rows + own.first + r] = softmax.largest[i] * p.scale;
    row_sum[own.head * p.q_rows + own.first + r] = sum;
  }
  store_tile(y, own.head, own.first, own.rows, 0, x, factor, shared.q, row);
}

template <class Block, int kHead, bool kWeighted>
void launch(const HeadRows<BFloat16>& y, float* row_max, float* row_sum, const Problem& p) {
  constexpr auto kernel = forward<Block, kHead, kWeighted>;
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

// Where rows have no dummies there may be few of them: what most of a sentence's rows are is not known, and an idle
// warp keeps others from the multiprocessor.
void matrix_attention(HeadRows<BFloat16> y, float* row_max, float* row_sum, const Problem& p) {
  const auto launch_any = [&]<class Block, int kHead>() {
    p.weight != nullptr ? launch<Block, kHead, true>(y, row_max, row_sum, p)
                        : launch<Block, kHead, false>(y, row_max, row_sum, p);
  };
  constexpr std::int64_t kShort = 64;
  if (p.fills_dummies || p.q_rows > kShort * p.sentences) return dispatch_tiles(p, p.q_rows, launch_any);
  p.head_size == 32 ? launch_any.template operator()<BlockOf<2>, 32>()
                    : launch_any.template operator()<BlockOf<2>, 64>();
}

}  // namespace tk::cuda
