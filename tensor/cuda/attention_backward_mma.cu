#include "tensor/cuda/attention_mma.h"

// With p = e / sum, P = weight p, g = dy v^T behind dropout, D = sum(P g) over keys, which is the product of a query's
// rows of dy and y, and `inner` the weight in the normaliser:
//   dS = p (weight g - inner D), dweight = p (g - D) in exact mode, p g in paper mode.
// A block takes a tile of keys and meets all queries of its sentence: dk and dv. If the sentence has no other keys, it
// makes dq too, from the dS of all its warps; otherwise it then takes tiles of queries, and meets all keys.
namespace tk::cuda {
namespace {

using Problem = MatrixProblem;
using Upstream = AttentionUpstream<BFloat16>;

constexpr int kQueriesAtOnce = 64;  // of which the dS lie in shared memory

// What the backward knows of a query from the forward: p = 2^(product score_factor - shift) inverse. Without weights
// the shift holds it all. Queries that are not there have p = 0.
template <int kTile>
struct QueryTile {
  float shift[kTile];
  float inverse[kTile];
  float delta[kTile];
  uint2 counter[kTile];

  template <bool kWeighted>
  __device__ void load(const Problem& p, const Upstream& u, int head, std::int64_t first, int rows) {
    const int i = static_cast<int>(threadIdx.x);
    if (i >= kTile) return;
    const bool there = i < rows;
    const std::int64_t at = head * p.q_rows + first + min(i, rows - 1);
    const float largest = u.row_max[at] * kLog2E, sum = u.row_sum[at];
    if constexpr (kWeighted) {
      shift[i] = there ? largest : 0.0f;
      inverse[i] = !there || sum <= 0.0f ? 0.0f : 1.0f / sum;  // NaN stays
    } else {
      shift[i] = there ? largest + log2f(sum) : std::numeric_limits<float>::infinity();
    }
    if (p.random.threshold != 0) counter[i] = query_counter(p.random, first + min(i, rows - 1));
  }
};

template <class Block, int kHead>
struct Shared {
  Tile<Block::kTile, kHead> q, dy, k, v;
  Tile<Block::kTile, kQueriesAtOnce> ds;  // [keys, queries]
  QueryTile<Block::kTile> query;
  KeyTile<Block::kTile> key;  // of the keys that a tile of queries meets
};

// Loads a tile of queries and waits for all that was asked for; a barrier has to follow.
template <class Block, bool kWeighted, int kHead>
__device__ void load_queries(Shared<Block, kHead>& shared, const Problem& p, const Upstream& u, int head,
                             std::int64_t first, int rows) {
  load_tile<Block>(shared.q, p.q, head, first, rows);
  load_tile<Block>(shared.dy, u.dy, head, first, rows);
  shared.query.template load<kWeighted>(p, u, head, first, rows);
  // D: a thread takes the vectors of dy that it copies itself.
  using V = Vectors<Block, kHead>;
  const V mine;
  Pack<BFloat16, 8> y[V::kCount];
  const BFloat16* from = u.y.at(first + mine.row, std::int64_t{head} * kHead + mine.column);
#pragma unroll
  for (int i = 0; i < V::kCount; ++i) {
    if (mine.row + i * V::kStep < rows) y[i] = load<8>(from, 8, true);
    from += V::kStep * u.y.stride;
  }
  wait_for_copies();
#pragma unroll
  for (int i = 0; i < V::kCount; ++i) {
    const int r = mine.row + i * V::kStep;
    float sum = 0;
    if (r < rows) {
      const auto dy = load<8>(reinterpret_cast<const BFloat16*>(&shared.dy.rows[r][mine.column]), 8, true);
      for (int k = 0; k < 8; ++k) sum += dy[k] * y[i][k];
    }
#pragma unroll
    for (int distance = V::kAcross / 2; distance > 0; distance /= 2) sum += __shfl_xor_sync(~0u, sum, distance);
    if (mine.column == 0) shared.query.delta[r] = sum;
  }
}

// What a lane knows of the N = 2 or 4 queries or keys that its elements of a chunk belong to.
template <int N>
struct Queries {
  float shift[N], inverse[N], delta[N];

  template <int kTile>
  __device__ void set(int i, const QueryTile<kTile>& tile, int row) {
    shift[i] = tile.shift[row];
    inverse[i] = tile.inverse[row];
    delta[i] = tile.delta[row];
  }
};

template <int N>
struct Keys {
  float weight[N], inner[N];
};

template <int N>
__device__ constexpr int side_of(int e) {
  return N == 2 ? row_of(e) : column_of(e);
}

// Scores of keys that are not there become -inf, which needs no weights then.
template <int kKeys>
__device__ void hide_absent(float (&s)[2][4], int first_key, int keys) {
  const Lane lane;
#pragma unroll
  for (int e = 0; e < 8; ++e) {
    const int key = kKeys == 2 ? lane.g + 8 * row_of(e) : column_at(lane.t, column_of(e));
    if (first_key + key >= keys) s[e / 4][e % 4] = -std::numeric_limits<float>::infinity();
  }
}

// A chunk's products s = q k^T become P of what dropout kept, without its scale; g = dy v^T becomes dS. Adds to the
// keys' dweight.
template <bool kWeighted, int kQueries, int kKeys>
__device__ void differentiate(float (&s)[2][4], float (&g)[2][4], float (&dweight)[kKeys],
                              const Queries<kQueries>& query, const Keys<kKeys>& key, std::uint32_t kept,
                              const HeadRandom& random, const Problem& p) {
  const float factor = score_factor(p);
#pragma unroll
  for (int e = 0; e < 8; ++e) {
    const int of_query = side_of<kQueries>(e), of_key = side_of<kKeys>(e);
    float& product = s[e / 4][e % 4];
    float& grad = g[e / 4][e % 4];
    const int bit = kQueries == 2 ? kept_bit_by_rows(e) : kept_bit_by_columns(e);
    const bool keep = (kept >> bit & 1u) != 0;
    const float exponent = product * factor - query.shift[of_query];
    const float delta = query.delta[of_query];
    grad = keep ? grad : 0.0f;
    if constexpr (kWeighted) {
      grad *= random.keep_scale;
      const float unit = exp2_of(min_or_nan(exponent, kMostExponent)) * query.inverse[of_query];
      dweight[of_key] += unit * (grad - (p.exact ? delta : 0.0f));
      product = keep ? key.weight[of_key] * unit : 0.0f;
      grad = unit * (key.weight[of_key] * grad - key.inner[of_key] * delta);
    } else {
      const float probability = exp2_of(exponent);
      product = keep ? probability : 0.0f;
      grad = probability * (grad * random.keep_scale - delta);
    }
  }
}

// dq of up to 64 queries from row `first_row` of their tile on: dS k over all keys. The warps share rows and columns.
template <class Block, int kHead>
__device__ void query_gradients(const HeadRows<BFloat16>& dq, Shared<Block, kHead>& shared, int head,
                                std::int64_t first, int rows, int first_row, int keys, float scale) {
  constexpr int kAcross = Block::kWarps / (kQueriesAtOnce / kChunk), kColumns = kHead / kAcross;
  const int lane = Lane().index, warp = static_cast<int>(threadIdx.x) / kWarp;
  const int query = warp / kAcross * kChunk, row = first_row + query, column = warp % kAcross * kColumns;
  if (row >= rows) return;
  float x[kColumns / 8][4] = {};
#pragma unroll
  for (int c = 0; c < Block::kWarps; ++c) {
    if (kChunk * c >= keys) continue;
    std::uint32_t a[4];
    load_transposed_matrices(a, &shared.ds.rows[kChunk * c + lane / 16 * 8 + lane % 8][query + lane / 8 % 2 * 8]);
    multiply_add(x, a, shared.k, kChunk * c, column);
  }
  store_tile(dq, head, first, rows, column, x, {scale, scale}, shared.q, row);
}

// The lane's two keys of the warp.
template <bool kWeighted>
struct OwnKeys : Keys<2> {
  std::int32_t position[2] = {};
  bool blocks = false;

  __device__ OwnKeys(const Problem& p, std::int64_t first, int row, int rows) {
    const Lane lane;
    for (int i = 0; i < 2; ++i) {
      const int r = row + lane.g + 8 * i, last = min(r, rows - 1);
      if constexpr (kWeighted) {
        weight[i] = r < rows ? p.weight_of(first + r) : 0.0f;
        inner[i] = p.exact ? weight[i] : static_cast<float>(r < rows);
      }
      if (p.random.threshold != 0) position[i] = p.kv_position[first + last] + (r - last);
    }
    if (p.random.threshold == 0) return;
    blocks = in_blocks(position[0], lane.g, lane.index & ~12) && in_blocks(position[1], lane.g, lane.index & ~12);
  }
};

// y[r] of the warp's keys: a lane's sums over its columns, over the four lanes of a row.
__device__ void store_weight_gradients(float* y, const float (&sum)[2], int row, int rows) {
  const Lane lane;
#pragma unroll
  for (int i = 0; i < 2; ++i) {
    const float x = row_sum_of(sum[i]);
    const int r = row + lane.g + 8 * i;
    if (lane.t == 0 && r < rows) y[r] = x;
  }
}

struct Gradients {
  HeadRows<BFloat16> dq, dk, dv;
  float* dweight;  // [heads, kv rows], or null
};

// dk, dv and dweight of a tile of keys; dq as well if they are all the sentence's keys.
template <class Block, bool kWeighted, int kHead>
__device__ void keys_meet_queries(const Gradients& d, Shared<Block, kHead>& shared, const Problem& p, const Upstream& u,
                                  const OwnTile<Block::kTile>& own, bool all_keys) {
  const RowRange queries = p.queries(own.sentence);
  const Lane lane;
  const int row = first_row_of_warp();
  const HeadRandom random(p.random, own.head);
  float dk[kHead / 8][4] = {}, dv[kHead / 8][4] = {}, dweight[2] = {};
  if (queries.begin < queries.end) {
    load_tile<Block>(shared.k, p.k, own.head, own.first, own.rows);
    load_tile<Block>(shared.v, p.v, own.head, own.first, own.rows);
  }
  const OwnKeys<kWeighted> key(p, own.first, row, own.rows);
  for (std::int64_t first = queries.begin; first < queries.end; first += Block::kTile) {
    const int rows = rows_from(first, queries.end, Block::kTile);
    load_queries<Block, kWeighted>(shared, p, u, own.head, first, rows);
    __syncthreads();
    for (int begin = 0; begin < rows; begin += kQueriesAtOnce) {
#pragma unroll 1
      for (int r = begin; row < own.rows && r < min(begin + kQueriesAtOnce, rows); r += kChunk) {
        float s[2][4], g[2][4];
        multiply(s, shared.k, row, shared.q, r);
        multiply(g, shared.v, row, shared.dy, r);
        if (!kWeighted && row + kChunk > own.rows) hide_absent<2>(s, row, own.rows);
        Queries<4> query;
        for (int i = 0; i < 4; ++i) query.set(i, shared.query, r + column_at(lane.t, i));
        const std::uint32_t kept =
            random.threshold == 0 ? ~0u : kept_by_columns(random, shared.query.counter + r, key.position, key.blocks);
        differentiate<kWeighted>(s, g, dweight, query, key, kept, random, p);
        std::uint32_t a[4];
        pack_chunk(a, s);
        multiply_add(dv, a, shared.dy, r);
        pack_chunk(a, g);
        multiply_add(dk, a, shared.q, r);
        if (!all_keys) continue;
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int at = r - begin + i / 2 * 8 + 2 * lane.t;
          *reinterpret_cast<std::uint32_t*>(&shared.ds.rows[row + lane.g + i % 2 * 8][at]) = a[i];
        }
      }
      __syncthreads();
      if (!all_keys) continue;
      query_gradients<Block>(d.dq, shared, own.head, first, rows, begin, own.rows, p.scale);
      __syncthreads();  // the next dS, and the next tile, take the place of these
    }
  }
  if (row >= own.rows) return;
  // Only this warp reads its rows of v.
  store_tile(d.dv, own.head, own.first, own.rows, 0, dv, {random.keep_scale, random.keep_scale}, shared.v, row);
  store_tile(d.dk, own.head, own.first, own.rows, 0, dk, {p.scale, p.scale}, shared.v, row);
  if (d.dweight != nullptr) {
    store_weight_gradients(d.dweight + own.head * p.kv_rows + own.first, dweight, row, own.rows);
  }
}

// dq of a tile of queries.
template <class Block, bool kWeighted, int kHead>
__device__ void queries_meet_keys(const HeadRows<BFloat16>& dq, Shared<Block, kHead>& shared, const Problem& p,
                                  const Upstream& u, int head, std::int64_t own_first, int own_rows,
                                  const RowRange& keys) {
  const Lane lane;
  const int row = first_row_of_warp();
  const HeadRandom random(p.random, head);
  float x[kHead / 8][4] = {};
  load_queries<Block, kWeighted>(shared, p, u, head, own_first, own_rows);
  for (std::int64_t first = keys.begin; first < keys.end; first += Block::kTile) {
    const int rows = rows_from(first, keys.end, Block::kTile);
    load_tile<Block>(shared.k, p.k, head, first, rows);
    load_tile<Block>(shared.v, p.v, head, first, rows);
    shared.key.load(p, first, rows);
    wait_for_copies();
    __syncthreads();
    if (row < own_rows) {
      Queries<2> query;
      for (int i = 0; i < 2; ++i) query.set(i, shared.query, row + lane.g + 8 * i);
      const PhiloxRow drawn = random.row(shared.query.counter[row + drawn_row()]);
#pragma unroll 1
      for (int r = 0; r < rows; r += kChunk) {
        float s[2][4], g[2][4], dweight[4] = {};
        multiply(s, shared.q, row, shared.k, r);
        multiply(g, shared.dy, row, shared.v, r);
        if (!kWeighted && r + kChunk > rows) hide_absent<4>(s, r, rows);
        Keys<4> key;
        for (int i = 0; i < 4; ++i) {
          key.weight[i] = shared.key.weight[r + column_at(lane.t, i)];
          key.inner[i] = shared.key.inner[r + column_at(lane.t, i)];
        }
        const std::uint32_t kept = random.threshold == 0 ? ~0u : kept_by_rows(random, drawn, shared.key.position + r);
        differentiate<kWeighted>(s, g, dweight, query, key, kept, random, p);
        std::uint32_t a[4];
        pack_chunk(a, g);
        multiply_add(x, a, shared.k, r);
      }
    }
    __syncthreads();  // the next tile takes the place of this one
  }
  if (row < own_rows) store_tile(dq, head, own_first, own_rows, 0, x, {p.scale, p.scale}, shared.q, row);
}

// Rows of a head become zeros.
template <class Block, int kHead>
__device__ void clear_rows(const HeadRows<BFloat16>& y, int head, std::int64_t first, int rows) {
  using V = Vectors<Block, kHead>;
  const V mine;
  for (int r = mine.row; r < rows; r += V::kStep) {
    *reinterpret_cast<uint4*>(y.at(first + r, std::int64_t{head} * kHead + mine.column)) = uint4{};
  }
}

template <class Block, int kHead, bool kWeighted>
__global__ void __launch_bounds__(Block::kThreads, 16 / Block::kWarps) backward(Gradients d, Upstream u, Problem p) {
  extern __shared__ uint4 memory[];
  auto& shared = *reinterpret_cast<Shared<Block, kHead>*>(memory);
  const OwnTile<Block::kTile> own(p.kv_offsets, p.kv_rows, p);
  if (own.rows == 0 && own.index > 0) return;
  const bool meets = own.sentence < p.sentences;
  const RowRange keys{p.kv_offsets[own.sentence], meets ? p.kv_offsets[own.sentence + 1] : p.kv_rows};
  const RowRange queries{p.q_offsets[own.sentence], meets ? p.q_offsets[own.sentence + 1] : p.q_rows};
  const int tiles = max(1, static_cast<int>((keys.end - keys.begin + Block::kTile - 1) / Block::kTile));
  if (meets) {
    keys_meet_queries<Block, kWeighted>(d, shared, p, u, own, tiles == 1);
    if (tiles == 1) return;
  } else {
    clear_rows<Block, kHead>(d.dk, own.head, own.first, own.rows);
    clear_rows<Block, kHead>(d.dv, own.head, own.first, own.rows);
    for (int i = static_cast<int>(threadIdx.x); d.dweight != nullptr && i < own.rows; i += Block::kThreads) {
      d.dweight[own.head * p.kv_rows + own.first + i] = 0;
    }
  }
  // Tiles of queries number `index`, `index` + tiles ...
  for (std::int64_t first = queries.begin + std::int64_t{own.index} * Block::kTile; first < queries.end;
       first += std::int64_t{tiles} * Block::kTile) {
    const int rows = rows_from(first, queries.end, Block::kTile);
    if (meets) {
      __syncthreads();  // what lies in shared memory was read
      queries_meet_keys<Block, kWeighted>(d.dq, shared, p, u, own.head, first, rows, keys);
    } else {
      clear_rows<Block, kHead>(d.dq, own.head, first, rows);
    }
  }
}

template <class Block, int kHead, bool kWeighted>
void launch(const Gradients& d, const Upstream& u, const Problem& p) {
  constexpr auto kernel = backward<Block, kHead, kWeighted>;
  constexpr int kBytes = sizeof(Shared<Block, kHead>);
  static const cudaError_t allowed = allow_shared_bytes(kernel, kBytes);
  check(allowed, "packed_attention_backward: cudaFuncSetAttribute");
  kernel<<<OwnTile<Block::kTile>::grid(p.kv_rows, p), Block::kThreads, kBytes, stream()>>>(d, u, p);
  check_launch("packed_attention_backward");
}

}  // namespace

void matrix_attention_backward(HeadRows<BFloat16> dq, HeadRows<BFloat16> dk, HeadRows<BFloat16> dv, float* dweight,
                               const Upstream& u, const Problem& p) {
  dispatch_tiles(p, p.kv_rows, [&]<class Block, int kHead>() {
    const Gradients d{dq, dk, dv, dweight};
    p.weight != nullptr ? launch<Block, kHead, true>(d, u, p) : launch<Block, kHead, false>(d, u, p);
  });
}

}  // namespace tk::cuda
