#include <algorithm>
#include <vector>

#include "tensor/cpu/attention_unit.h"
#include "tensor/cpu/residual_row.h"
#include "tensor/cpu/slab_products.h"
#include "tensor/kernels.h"

// Slabs of whole sentences, which a thread takes from end to end: query, key and value of a slab stay in its L2 cache
// while it attends, beside their weight.
namespace tk::cpu {
namespace {

// Sentences begin to end - 1, and where their rows are.
struct Slab {
  std::int64_t begin, end, first_key, keys, first_query, queries;
};

std::vector<Slab> slabs_of(const AttentionKey& key, std::int64_t rows) {
  const auto* q = key.q_offsets.data<std::int32_t>();
  const auto* kv = key.kv_offsets.data<std::int32_t>();
  const std::int64_t sentences = key.q_offsets.numel() - 1;
  std::vector<Slab> slabs;
  for (std::int64_t begin = 0, end = 0; begin < sentences; begin = end) {
    while (end < sentences && kv[end] - kv[begin] < rows) ++end;
    slabs.push_back({begin, end, kv[begin], kv[end] - kv[begin], q[begin], q[end] - q[begin]});
  }
  return slabs;
}

std::int64_t most_rows(const std::vector<Slab>& slabs) {
  std::int64_t most = 0;
  for (const Slab& slab : slabs) most = std::max({most, slab.keys, slab.queries});
  return most;
}

class SentenceSlabs {
 public:
  SentenceSlabs(Tensor& y, const Tensor& x, const Tensor& rows, bool where_they_lie, const AttentionKey& key,
                const PackedMatrix& query_key_value, const ResidualBranch& output)
      : y_(y.data<float>()),
        x_(x.data<float>()),
        rows_(data_or_null<std::int32_t>(rows)),
        where_they_lie_(where_they_lie),
        key_(key),
        query_key_value_(query_key_value),
        output_(output),
        hidden_(x.shape()[1]),
        slabs_(slabs_of(key, std::min(kRows, (x.shape()[0] + 2 * num_threads() - 1) / (2 * num_threads())))),
        most_(most_rows(slabs_)),
        space_(key, AttentionPass::kForward),
        multiply_(most_, hidden_, output.last.is_int8()),
        floats_((4 * most_ + 1) * hidden_) {}

  void run() {
    parallel_for(std::ssize(slabs_), num_threads(), [&](std::int64_t i) { compute(slabs_[i]); });
  }

 private:
  static constexpr std::int64_t kRows = 96;

  // Queries, keys and values [rows, hidden] of a slab.
  struct Parts {
    Rows<float> q, k, v;
  };

  Parts project(const Slab& slab, float* to) {
    const std::int64_t d = hidden_;
    const SomeRows keys{x_ + slab.first_key * d, nullptr, slab.keys};
    if (rows_ == nullptr) {
      multiply_(to, keys, query_key_value_, {0, 3 * d});
      return {{to, 3 * d}, {to + d, 3 * d}, {to + 2 * d, 3 * d}};
    }
    float* const q = to + slab.keys * 2 * d;
    multiply_(to, keys, query_key_value_, {d, 2 * d});
    multiply_(q, {x_, rows_ + slab.first_query, slab.queries}, query_key_value_, {0, d});
    return {{q, d}, {to, 2 * d}, {to + d, 2 * d}};
  }

  void attend_all(const Slab& slab, const Parts& parts, float* y) {
    const auto* q = key_.q_offsets.data<std::int32_t>();
    const auto* kv = key_.kv_offsets.data<std::int32_t>();
    const std::int64_t head_size = hidden_ / key_.heads;
    for (std::int64_t s = slab.begin; s < slab.end; ++s) {
      const std::int64_t query = q[s] - slab.first_query, key = kv[s] - slab.first_key;
      for (std::int64_t head = 0; head < key_.heads; ++head) {
        const AttentionUnit<float> unit{.q_rows = q[s + 1] - q[s],
                                        .kv_rows = kv[s + 1] - kv[s],
                                        .first_q = q[s],
                                        .first_kv = kv[s],
                                        .head = head,
                                        .head_size = head_size,
                                        .weight = nullptr};
        const auto part = [&](Rows<float> all, std::int64_t row) {
          return Rows<float>{all[row] + head * head_size, all.stride};
        };
        float* const none = nullptr;
        attend(unit, key_, space_, part(parts.q, query), part(parts.k, key), part(parts.v, key),
               part({y, hidden_}, query), none, none);
      }
    }
  }

  void compute(const Slab& slab) {
    const std::int64_t d = hidden_;
    float* const z = floats_.mine();
    float* const attended = z + d;
    float* const projected = attended + most_ * d;
    attend_all(slab, project(slab, projected), attended);
    float* const product = projected;  // it has been read
    multiply_(product, {attended, nullptr, slab.queries}, output_.last, {0, d});
    for (std::int64_t i = 0; i < slab.queries; ++i) {
      const std::int64_t place = slab.first_query + i, row = rows_ != nullptr ? rows_[place] : place;
      residual_norm_row(y_ + (where_they_lie_ ? row : place) * d, x_ + row * d, product + i * d, output_.norm, z, d);
    }
  }

  float* const y_;
  const float* const x_;
  const std::int32_t* const rows_;  // or null
  const bool where_they_lie_;
  const AttentionKey& key_;
  const PackedMatrix& query_key_value_;
  const ResidualBranch& output_;
  const std::int64_t hidden_;
  const std::vector<Slab> slabs_;
  const std::int64_t most_;  // rows of a slab
  AttentionSpace<float> space_;
  SlabProducts multiply_;
  ThreadScratch<float> floats_;
};

}  // namespace

void attention_branch(Tensor& y, const Tensor& x, const Tensor& rows, bool where_they_lie, const AttentionKey& key,
                      const PackedMatrix& query_key_value, const ResidualBranch& output) {
  SentenceSlabs(y, x, rows, where_they_lie, key, query_key_value, output).run();
}

}  // namespace tk::cpu
