#include "tensor/cuda/predictor_tile.h"
#include "tensor/evenly_spread.h"
#include "tensor/kernels.h"

// A layer's choice in one pass over its rows. A block takes a tile of them: the state that decides (the layer norm of
// residual and branch, where there is one), the predictor (predictor_tile.h), the sets that each row is in; then, by a
// look-back over the tiles before it (Merrill & Garland, "Single-pass parallel prefix scan with decoupled look-back",
// 2016), how many rows of each set come before its own. With that it writes its rows to their places. Blocks start in
// the order of their tiles, so that those before one's own are on their way.
namespace tk::cuda {
namespace {

using namespace predictor;

constexpr int kSets = 3;  // keys, asking, fed

// Counts of a tile's rows in each set, and whether they are of it alone or of all up to it, in one word: what one
// access of 8 bytes can publish.
struct Counts {
  static constexpr int kBits = 20;
  static constexpr unsigned long long kOwn = 1ull << 60, kPrefix = 2ull << 60, kMask = kOwn - 1;

  __device__ static unsigned long long of_set(int set, int n) {
    return static_cast<unsigned long long>(n) << (kBits * set);
  }
  __device__ static int in_set(int set, unsigned long long word) {
    return static_cast<int>(word >> (kBits * set) & ((1u << kBits) - 1));
  }
};

struct Room {
  BFloat16* x;
  std::int32_t *offsets, *position, *place;

  explicit Room(const RowRoom& room)
      : x(data_or_null<BFloat16>(room.x)),
        offsets(data_or_null<std::int32_t>(room.offsets)),
        position(data_or_null<std::int32_t>(room.position)),
        place(data_or_null<std::int32_t>(room.place)) {}
};

struct Choice {
  const BFloat16* x;
  ResidualBranch branch;
  const std::int32_t* place;
  BFloat16* state;
  const float *unfed_gamma, *unfed_beta;
  float unfed_epsilon;
  const StepState* step;
  const std::int32_t *offsets, *original, *position;
  int sentences;
  double shares[kMostGates];
  bool frees_first;
  Room keys, asking, fed;
  unsigned long long* scan;

  Choice(const ChosenRows& to, const RowChoice& from)
      : x(from.x.data<BFloat16>()),
        branch(from.branch, from.norm, from.x.shape()[1]),
        place(data_or_null<std::int32_t>(from.place)),
        state(data_or_null<BFloat16>(to.state)),
        unfed_gamma(data_or_null<float>(from.unfed_gamma)),
        unfed_beta(data_or_null<float>(from.unfed_beta)),
        unfed_epsilon(static_cast<float>(from.unfed_epsilon)),
        step(static_cast<const StepState*>(from.state.raw_data())),
        offsets(from.offsets.data<std::int32_t>()),
        original(from.forces_shares ? from.original_offsets.data<std::int32_t>() : nullptr),
        position(data_or_null<std::int32_t>(from.position)),
        sentences(static_cast<int>(from.offsets.numel()) - 1),
        shares{from.shares[0], from.shares[1], from.shares[2]},
        frees_first(from.frees_first),
        keys(to.keys),
        asking(to.asking),
        fed(to.fed),
        scan(reinterpret_cast<unsigned long long*>(to.scan.data<std::int64_t>())) {}

  __device__ bool has_branch() const { return branch.branch != nullptr; }
  __device__ const Room& room(int set) const { return set == 0 ? keys : set == 1 ? asking : fed; }
};

// Which offsets lie in a tile: the first i with offsets[i] >= its first row, and with offsets[i] >= the row behind its
// last one; sentences + 1 if there is none.
struct OffsetRange {
  int begin, end;

  // By the lanes of a warp together: each looks at an equal part of what is left.
  __device__ static int find(int row, const Choice& c) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    int low = 0, high = c.sentences + 1;
    while (low < high) {
      const int step = (high - low + kWarp - 1) / kWarp, at = low + (lane + 1) * step - 1;
      const int below = __popc(__ballot_sync(~0u, at < high && c.offsets[min(at, high - 1)] < row));
      high = min(high, low + (below + 1) * step - 1);
      low += below * step;
    }
    return low;
  }

  // Of the sentence that a row of the tile is in, by one lane.
  __device__ int sentence_of(int row, const Choice& c) const {
    int low = begin, high = end;
    while (low < high) {
      const int middle = (low + high) / 2;
      c.offsets[middle] <= row ? low = middle + 1 : high = middle;
    }
    return low - 1;
  }
};

// What is known of a row beside its scores, and then the sets that it is in.
enum : unsigned { kThere = 1, kFirst = 2, kUpdated = 4, kSpread = 8 };  // kSpread: bits 3 to 5, one a gate
enum : unsigned { kKey = 1, kAsking = 2, kFed = 4, kUnfed = 8 };        // kUnfed: updated, and not fed

__device__ unsigned known_of(int row, int rows, int gates, const OffsetRange& range, const Choice& c) {
  if (row >= rows) return 0;
  const int after = range.sentence_of(row, c) + 1, begin = c.offsets[after - 1];
  unsigned known = kThere;
  if (row == begin) known |= kFirst;
  if (c.place == nullptr || c.place[row] >= 0) known |= kUpdated;
  if (c.original == nullptr) return known;
  const std::int64_t n = c.offsets[after] - begin, length = c.original[after] - c.original[after - 1];
  for (int gate = 0; gate < gates; ++gate) {
    const bool passes = is_evenly_spread(row - begin, n, rows_of_share(c.shares[gate], length, n));
    known |= static_cast<unsigned>(passes) * kSpread << gate;
  }
  return known;
}

template <int kRows>
struct Sets {
  OffsetRange range;
  unsigned of_row[kRows];  // known_of, then the sets
  float z[kMostGates][kRows];
  int before[kSets][kRows + 1];  // rows of each set before this one

  __device__ unsigned sets_of(int row, const Choice& c, float threshold) const {
    const unsigned known = of_row[row];
    const auto passes = [&](int gate) {
      if ((known & kFirst) != 0 && (gate == 0 || !c.frees_first)) return true;
      return c.original != nullptr ? (known & kSpread << gate) != 0 : z[gate][row] > threshold;
    };
    if ((known & kThere) == 0 || !passes(0)) return 0;
    unsigned sets = kKey;
    if (c.asking.x != nullptr && (c.asking.offsets == nullptr ? (known & kFirst) != 0 : passes(1))) sets |= kAsking;
    if (c.fed.x != nullptr && (known & kUpdated) != 0) sets |= passes(2) ? kFed : kUnfed;
    return sets;
  }
};

__device__ unsigned long long sum_over_warp(unsigned long long x) {
#pragma unroll
  for (int distance = kWarp / 2; distance > 0; distance /= 2) x += __shfl_xor_sync(~0u, x, distance);
  return x;
}

// Publishes a tile's counts; gives those of all tiles before it. `words` are the tiles'; a warp calls it.
__device__ unsigned long long look_back(volatile unsigned long long* words, int tile, unsigned long long own) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  if (lane == 0) words[tile] = own | (tile == 0 ? Counts::kPrefix : Counts::kOwn);
  unsigned long long before = 0;
  bool done = tile == 0;
  for (int last = tile - 1; !done; last -= kWarp) {
    const int i = last - lane;
    unsigned long long word = 0;
    do {
      word = Counts::kPrefix;
      if (i >= 0) word = words[i];
    } while (__any_sync(~0u, word < Counts::kOwn));
    const unsigned prefixes = __ballot_sync(~0u, word >= Counts::kPrefix);
    done = prefixes != 0;
    const int until = done ? __ffs(static_cast<int>(prefixes)) - 1 : kWarp - 1;
    before += sum_over_warp(lane <= until ? word & Counts::kMask : 0);
  }
  if (lane == 0 && tile > 0) words[tile] = (before + own) | Counts::kPrefix;
  return before;
}

// Sets and places of a tile's rows, by one warp.
template <int kRows>
__device__ void rank_rows(Sets<kRows>& sets, int tile, const Choice& c) {
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const auto threshold = static_cast<float>(c.step->skim_threshold);
  unsigned long long own = 0;
#pragma unroll
  for (int begin = 0; begin < kRows; begin += kWarp) {
    const unsigned of_row = sets.sets_of(begin + lane, c, threshold);
    sets.of_row[begin + lane] = of_row;
#pragma unroll
    for (int set = 0; set < kSets; ++set) {
      const unsigned there = __ballot_sync(~0u, (of_row >> set & 1) != 0);
      sets.before[set][begin + lane] = Counts::in_set(set, own) + __popc(there & ((1u << lane) - 1));
      own += Counts::of_set(set, __popc(there));
    }
  }
  const unsigned long long before = look_back(c.scan, tile, own);
#pragma unroll
  for (int set = 0; set < kSets; ++set) {
    for (int row = lane; row < kRows; row += kWarp) sets.before[set][row] += Counts::in_set(set, before);
    if (lane == 0) sets.before[set][kRows] = Counts::in_set(set, before + own);
  }
}

// The offsets of the sets at the sentences that begin in a tile, and at the end where it is the last one.
template <int kRows>
__device__ void write_offsets(const Sets<kRows>& sets, int first, int rows, const Choice& c) {
  const int end = first + kRows >= rows ? c.sentences + 1 : sets.range.end;
  for (int i = sets.range.begin + static_cast<int>(threadIdx.x); i < end; i += kBlock) {
    const int row = c.offsets[i];
#pragma unroll
    for (int set = 0; set < kSets; ++set) {
      if (const Room& room = c.room(set); room.offsets != nullptr) {
        room.offsets[i] = sets.before[set][row - first];
      }
    }
  }
}

// A row's places, by one lane.
template <int kRows>
__device__ void write_places(const Sets<kRows>& sets, int row, int first, const Choice& c) {
  const unsigned in = sets.of_row[row];
  const int key = sets.before[0][row];
#pragma unroll
  for (int set = 0; set < kSets; ++set) {
    if (const Room& room = c.room(set); room.position != nullptr && (in >> set & 1) != 0) {
      room.position[sets.before[set][row]] = c.position[first + row];
    }
  }
  if (c.asking.place != nullptr) c.asking.place[key] = (in & kAsking) != 0 ? sets.before[1][row] : -1;
  if ((in & kFed) != 0) c.fed.place[sets.before[2][row]] = key;
}

// Moves a tile's rows, N at once of a warp's. A fed row goes to the fed ones alone: its next state is not there yet.
template <int N, int kRows>
__device__ void move_rows(const Sets<kRows>& sets, int first, int rows, const Choice& c) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp, lane = static_cast<int>(threadIdx.x) % kWarp;
  const int hidden = c.branch.hidden;
  const BFloat16* const state = c.has_branch() ? c.state : c.x;
#pragma unroll 1
  for (int begin = kRows / kWarps * warp; begin < kRows / kWarps * (warp + 1); begin += N) {
    if (first + begin >= rows) return;
    HeldRows<N> held;
    held.load_rows(hidden, [&](int r) { return state + std::int64_t{min(first + begin + r, rows - 1)} * hidden; });
    if (c.unfed_gamma != nullptr) {
      held.normalize(c.unfed_gamma, c.unfed_beta, c.unfed_epsilon, hidden,
                     [&](int r) { return (sets.of_row[begin + r] & kUnfed) != 0; });
    }
#pragma unroll
    for (int r = 0; r < N; ++r) {
      const int row = begin + r;
      const unsigned in = sets.of_row[row];
      if ((in & kKey) == 0) continue;
      const auto store = [&](int set) {
        held.store_row(r, c.room(set).x + std::int64_t{sets.before[set][row]} * hidden, hidden);
      };
      if ((in & kFed) != 0) {
        store(2);
      } else {
        store(0);
        if ((in & kAsking) != 0) store(1);
      }
      if (lane == 0) write_places(sets, row, first, c);
    }
  }
}

// The states that decide, of a tile's rows: x, or LN(x + branch), which is stored.
struct States {
  const Choice& c;
  int first, rows;

  template <int N>
  __device__ void operator()(HeldRows<N>& held, const int (&tile_rows)[N], const Problem& p) const {
    std::int64_t row[N];
#pragma unroll
    for (int r = 0; r < N; ++r) row[r] = min(first + tile_rows[r], rows - 1);
    held.load_rows(p.hidden, [&](int r) { return c.x + row[r] * p.hidden; });
    if (!c.has_branch()) return;
    std::int64_t place[N];
#pragma unroll
    for (int r = 0; r < N; ++r) place[r] = c.place == nullptr ? row[r] : c.place[row[r]];
    c.branch.apply(held, place);
#pragma unroll
    for (int r = 0; r < N; ++r) {
      if (first + tile_rows[r] < rows) held.store_row(r, c.state + row[r] * p.hidden, p.hidden);
    }
  }
};

// Blocks of few rows, and few rows at once in registers: a block's instructions are many and each is run a few times,
// so that to fetch them is what costs most.
constexpr int kRowTiles = 2;
constexpr int kRowsAtOnce = 2;

template <int kTiles>
__global__ void __launch_bounds__(kBlock, kTiles > 3 ? 1 : 2)
    choose(const __grid_constant__ Choice c, const __grid_constant__ Problem p) {
  constexpr int kRows = Tile<kRowTiles>::kRows;
  extern __shared__ uint4 memory[];
  __shared__ Columns<Hidden<kRowTiles, kTiles>::kWidth> columns;
  __shared__ alignas(16) Shares<kRowTiles> shares[2];
  __shared__ Sets<kRows> sets;
  const int index = static_cast<int>(blockIdx.x), first = index * kRows, rows = c.offsets[c.sentences];
  if (index > 0 && first >= rows) return;
  static_assert(kRows == kWarp);
  if (threadIdx.x < kRows) {
    const OffsetRange range{OffsetRange::find(first, c), OffsetRange::find(first + kRows, c)};
    const int row = static_cast<int>(threadIdx.x);
    sets.of_row[row] = known_of(first + row, rows, p.gates(), range, c);
    if (row == 0) sets.range = range;
  }
  if (rows > 0) {
    const Tile<kRowTiles> tile{memory};
    normalize_rows<kRowsAtOnce>(tile, p, States{c, first, rows});
    Hidden<kRowTiles, kTiles> hidden;
    hidden.multiply(tile, columns, p);
    hidden.activate(columns, p, shares);
#pragma unroll 1
    for (int gate = 0; gate < p.gates(); ++gate) {
      hidden.score_gate(gate, columns, p, shares[gate % 2], [&](float z, int row) { sets.z[gate][row] = z; });
    }
  }
  __syncthreads();
  if (threadIdx.x < kWarp) rank_rows(sets, index, c);
  __syncthreads();
  write_offsets(sets, first, rows, c);
  move_rows<kRowsAtOnce>(sets, first, rows, c);
}

// False where a block has too little shared memory for it.
template <int kTiles>
bool launch(const Choice& c, const Problem& p, std::int64_t rows) {
  constexpr auto kernel = choose<kTiles>;
  static const bool fits = allow_tiles<kRowTiles>(kernel);
  if (!fits) return false;
  kernel<<<blocks(rows, Tile<kRowTiles>::kRows), kBlock, tile_bytes<kRowTiles>(p), stream()>>>(c, p);
  check_launch("choose_rows");
  return true;
}

}  // namespace

void choose_rows(const ChosenRows& to, const RowChoice& from) {
  const Choice c(to, from);
  const Problem p(from.predictor);
  const bool launched = dispatch_width(p.width, [&]<int kTiles>() { return launch<kTiles>(c, p, from.x.shape()[0]); });
  TK_CHECK(launched, "choose_rows: the device has too little shared memory");
}

}  // namespace tk::cuda
