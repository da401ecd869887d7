#include "tensor/ops/attention_branch.h"

#include "tensor/cpu_isa.h"
#include "tensor/ops/attention.h"
#include "tensor/ops/index.h"
#include "tensor/ops/matmul.h"
#include "tensor/ops/residual_dropout_layer_norm.h"
#include "tensor/packed.h"
#include "tensor/packed_weight.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

constexpr std::int64_t kHidden = 64, kHeads = 4;

// Weights of one kind, and the half of a layer in ops that take one row after the other.
template <class PackedKind>
struct Weights {
  PackedKind query_key_value, output;
  Tensor bias = random_normal({3 * kHidden}, 3);
  ResidualNorm norm{random_normal({kHidden}, 4), random_normal({kHidden}, 5), random_normal({kHidden}, 6), 1e-6};

  PackedMatrix first() const {
    PackedMatrix matrix = query_key_value.matrix();
    matrix.bias = bias;
    return matrix;
  }
  ResidualBranch last() const { return {.inner = {}, .last = output.matrix(), .norm = norm}; }

  // Of the rows of x that ask.
  Tensor expected(const Tensor& x, const Tensor& asking, const AttentionKey& key) const {
    const Tensor q = linear(asking, query_key_value, bias).narrow(1, 0, kHidden);
    const Tensor kv = linear(x, query_key_value, bias);
    const Tensor attended =
        packed_attention(q, kv.narrow(1, kHidden, kHidden), kv.narrow(1, 2 * kHidden, kHidden), Tensor(), key).y;
    return residual_dropout_layer_norm(linear(attended, output, Tensor()), norm.bias, asking, Tensor(), norm.gamma,
                                       norm.beta, norm.epsilon, {}, false)
        .y;
  }
};

Weights<PackedWeight> float_weights() {
  return {PackedWeight(random_normal({3 * kHidden, kHidden}, 1)), PackedWeight(random_normal({kHidden, kHidden}, 2))};
}
Weights<PackedInt8Weight> int8_weights() {
  return {PackedInt8Weight(quantize_rows(random_normal({3 * kHidden, kHidden}, 1))),
          PackedInt8Weight(quantize_rows(random_normal({kHidden, kHidden}, 2)))};
}

// Sentences of 1 to 90 rows, and some without any.
std::vector<std::int64_t> lengths(std::int64_t sentences) {
  std::vector<std::int64_t> lengths;
  for (std::int64_t i = 0; i < sentences; ++i) lengths.push_back(i % 7 == 5 ? 0 : 1 + i * 31 % 90);
  return lengths;
}

AttentionKey key_of(const Tensor& asking, const Tensor& keys) {
  return {.heads = kHeads, .q_offsets = asking, .kv_offsets = keys, .kv_position = {}};
}

// Every second row, the first among them.
Kept every_second(const Packed& rows) {
  const Tensor mask = full({rows.tokens}, 1, DType::kBool);
  for (std::int64_t i = 1; i < rows.tokens; i += 2) mask.data<bool>()[i] = false;
  return keep(rows, mask);
}

template <class PackedKind>
void check_bits(const Weights<PackedKind>& weights) {
  for (const int threads : {1, 3}) {
    for (const std::int64_t sentences : {12, 60}) {
      INFO(sentences << " sentences, " << threads << " threads");
      const ThreadCount count(threads);
      const Packed rows = make_packed(lengths(sentences), std::vector<std::int32_t>(sentences));
      const Tensor x = random_normal({rows.tokens, kHidden}, 7), y = empty_like(x);
      const AttentionKey all = key_of(rows.offsets, rows.offsets);
      REQUIRE(attention_branch_pays(weights.first().dtype(), kHidden, all, rows.tokens, rows.tokens));
      attention_branch_into(y, x, Tensor(), all, weights.first(), weights.last());
      CHECK(same_bits(y, weights.expected(x, x, all)));

      const Kept some = every_second(rows);
      const AttentionKey asking = key_of(some.packed.offsets, rows.offsets);
      const Tensor expected = weights.expected(x, index_select(x, some.rows), asking);
      const Tensor in_order = empty({some.packed.tokens, kHidden}), place = x.clone();
      attention_branch_into(in_order, x, some.rows, asking, weights.first(), weights.last());
      CHECK(same_bits(in_order, expected));
      attention_branch_into(place, place, some.rows, asking, weights.first(), weights.last());
      CHECK(same_bits(place, index_copy(x, some.rows, expected)));
    }
  }
}

}  // namespace

TEST_CASE("attention_branch: the bits of the ops in turn, for all rows, and for some in order or where they lie") {
  for (const CpuIsa isa : kAllCpuIsas) {
    if (!has_cpu_isa(isa)) continue;
    INFO(name(isa));
    const WithCpuIsa used(isa);
    check_bits(int8_weights());
    if (isa < CpuIsa::kAmx) continue;
    const WithProductPrecision precision(ProductPrecision::kBFloat16);
    check_bits(float_weights());
  }
}

TEST_CASE("attention_branch: pays where products outrun memory, for sentences that are short and enough") {
  const Packed rows = make_packed({100, 100, 100}, {0, 1, 2}), longer = make_packed({300}, {0});
  const AttentionKey key = key_of(rows.offsets, rows.offsets);
  const ThreadCount threads(4);
  const auto pays = [&](DType dtype, std::int64_t hidden, const AttentionKey& key, std::int64_t n) {
    return attention_branch_pays(dtype, hidden, key, n, n);
  };
  CHECK(pays(DType::kInt8, 64, key, 300));
  CHECK_FALSE(pays(DType::kFloat32, 64, key, 300));
  CHECK_FALSE(pays(DType::kInt8, 40, key, 300));                                     // tiles are not whole
  CHECK_FALSE(pays(DType::kInt8, 64, key, 301));                                     // a row of no sentence
  CHECK_FALSE(pays(DType::kInt8, 64, key_of(longer.offsets, longer.offsets), 300));  // too long for a cache
  const ThreadCount more(5);
  CHECK_FALSE(pays(DType::kInt8, 64, key, 300));  // too few for the threads
}

TEST_CASE("attention_branch: what does not fit is refused") {
  const Weights<PackedInt8Weight> weights = int8_weights();
  const Packed rows = make_packed({100, 100}, {0, 1});
  const AttentionKey key = key_of(rows.offsets, rows.offsets);
  const Tensor x = zeros({200, kHidden});
  const ThreadCount one(1);
  const auto says = [&](const Tensor& y, const Tensor& x, const Tensor& rows) {
    return message_of([&] { attention_branch_into(y, x, rows, key, weights.first(), weights.last()); });
  };
  CHECK(says(zeros({199, kHidden}), x, Tensor()) ==
        "attention_branch: expected a contiguous float32 y [200, 64], got float32 [199, 64]");
  CHECK(says(x, x, full({200}, 200, DType::kInt32)) == "attention_branch: row 200 is out of range for 200 rows");
  CHECK(says(zeros({201, kHidden}), zeros({201, kHidden}), Tensor()) ==
        "attention_branch: no kernel for 201 rows of 2 sentences");
}
