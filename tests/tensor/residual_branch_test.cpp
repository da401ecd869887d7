#include "tensor/ops/residual_branch.h"

#include <functional>

#include "tensor/cpu_isa.h"
#include "tensor/ops/index.h"
#include "tensor/ops/matmul.h"
#include "tensor/ops/residual_dropout_layer_norm.h"
#include "tensor/packed_weight.h"
#include "tensor/precision.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

constexpr std::int64_t kHidden = 40, kInner = 100;

// Weights of one kind, and the branch in ops that take one row after the other.
template <class Packed>
struct Weights {
  Packed inner, last;
  Tensor inner_bias = random_normal({kInner}, 3);
  ResidualNorm norm{random_normal({kHidden}, 4), random_normal({kHidden}, 5), random_normal({kHidden}, 6), 1e-6};

  ResidualBranch branch(bool two_products) const {
    ResidualBranch branch{.inner = {}, .last = last.matrix(), .norm = norm};
    if (!two_products) return branch;
    branch.inner = inner.matrix();
    branch.inner.bias = inner_bias;
    return branch;
  }

  Tensor expected(const Tensor& x, const Tensor& input) const {
    const Tensor between = input.defined() ? input : linear(x, inner, inner_bias, Activation::kGelu);
    return residual_dropout_layer_norm(linear(between, last, Tensor()), norm.bias, x, Tensor(), norm.gamma, norm.beta,
                                       norm.epsilon, {}, false)
        .y;
  }
};

Weights<PackedWeight> float_weights() {
  return {PackedWeight(random_normal({kInner, kHidden}, 1)), PackedWeight(random_normal({kHidden, kInner}, 2))};
}
Weights<PackedInt8Weight> int8_weights() {
  return {PackedInt8Weight(quantize_rows(random_normal({kInner, kHidden}, 1))),
          PackedInt8Weight(quantize_rows(random_normal({kHidden, kInner}, 2)))};
}

// Every third row from the end of x on, and one that names none.
Tensor some_rows(std::int64_t n) {
  std::vector<std::int32_t> rows;
  for (std::int64_t i = n - 1; i >= 0; i -= 3) rows.push_back(static_cast<std::int32_t>(i));
  rows.push_back(-1);
  return from_values(rows);
}

// No row, fewer than a tile has, more than a slab has on one thread and on many.
template <class Packed>
void check_bits(const Weights<Packed>& weights) {
  for (const std::int64_t n : {0, 1, 31, 65, 200, 1700}) {
    for (const int threads : {1, 3}) {
      for (const bool two_products : {false, true}) {
        INFO(n << " rows, " << threads << " threads, " << (two_products ? "two products" : "one"));
        const ThreadCount count(threads);
        const ResidualBranch branch = weights.branch(two_products);
        const Tensor x = random_normal({n, kHidden}, 7);
        const Tensor input = two_products ? Tensor() : random_normal({n, kInner}, 8);
        const Tensor all = weights.expected(x, input), y = empty_like(x);
        residual_branch_into(y, x, Tensor(), input, branch);
        CHECK(same_bits(y, all));

        const Tensor rows = some_rows(n), place = x.clone();
        const Tensor named = two_products ? Tensor() : index_select(input, rows);
        residual_branch_into(place, place, rows, named, branch);
        CHECK(same_bits(place, index_copy(x, rows, index_select(all, rows))));
      }
    }
  }
}

}  // namespace

TEST_CASE(
    "residual_branch: the bits of the ops in turn, for all rows and for some where they lie, in every kind of "
    "product") {
  for (const CpuIsa isa : kAllCpuIsas) {
    if (!has_cpu_isa(isa)) continue;
    INFO(name(isa));
    const WithCpuIsa used(isa);
    check_bits(int8_weights());
    if (const Weights<PackedWeight> weights = float_weights(); weights.last.serves()) check_bits(weights);
    if (isa < CpuIsa::kAvx512Bf16) continue;
    const WithProductPrecision precision(ProductPrecision::kBFloat16);
    check_bits(float_weights());
  }
}

TEST_CASE("residual_branch: a row with a NaN becomes one and no other does") {
  const Weights<PackedInt8Weight> weights = int8_weights();
  const Tensor x = random_normal({100, kHidden}, 7), y = empty_like(x);
  x.narrow(0, 17, 1).fill(std::numeric_limits<double>::quiet_NaN());
  residual_branch_into(y, x, Tensor(), Tensor(), weights.branch(true));
  CHECK(same_bits(y, weights.expected(x, Tensor())));
  CHECK(std::isnan(y.data<float>()[17 * kHidden]));
}

TEST_CASE("residual_branch: what does not fit is refused") {
  const Weights<PackedInt8Weight> weights = int8_weights();
  const Tensor x = zeros({4, kHidden});
  CHECK(message_of([&] {
          residual_branch_into(x, x, from_values<std::int32_t>({4}), Tensor(), weights.branch(true));
        }) == "residual_branch: row 4 is out of range for 4 rows");
  CHECK(message_of([&] { residual_branch_into(x, x, zeros({1}), Tensor(), weights.branch(true)); }) ==
        "residual_branch: expected int32 rows, got float32 [1]");
  CHECK(message_of([&] {
          residual_branch_into(x, x, Tensor(), zeros({3, kInner}), weights.branch(false));
        }) == "residual_branch: expected a float32 input [4, 100], got float32 [3, 100]");
  CHECK(message_of([&] {
          residual_branch_into(x, x, Tensor(), Tensor(), ResidualBranch{.inner = {}, .last = {}, .norm = weights.norm});
        }) == "residual_branch: expected a last weight of 40 outputs, whose bias is the norm's");
  CHECK(message_of([&] {
          residual_branch_into(zeros({5, kHidden}), x, Tensor(), Tensor(), weights.branch(true));
        }) ==
        "residual_branch: expected contiguous float32 x and y [n, hidden], got float32 [4, 40] and float32 [5, 40]");
}
