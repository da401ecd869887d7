#include "autograd/ops/mac_share.h"

#include <vector>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "tests/autograd/leaves.h"
#include "tests/support/catch.h"
#include "tests/support/mac_coefficients.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

Packed sentences() { return make_packed({3, 1, 5}, {4, 7, 9}); }

// The formula op by op, on the rows of each sentence.
Variable layer_cost(const Variable& keys, const Variable& updated, const Variable& fed) {
  const MacCoefficients& c = kMacCoefficients;
  return (keys + updated) * c.row + (updated * keys) * c.pair + fed * c.feed;
}
Variable predictor_cost(const Variable& entering) {
  return (entering - kMacCoefficients.unasked) * kMacCoefficients.predict;
}

}  // namespace

TEST_CASE("mac_share: staged layers cost what the formula says op by op, and so do its slopes") {
  const Packed rows = sentences();
  const auto mask = [&](std::uint64_t seed) {
    return Variable(random_normal({rows.tokens}, seed, DType::kFloat64), true);
  };
  const Variable f0 = mask(1), r1 = mask(2), u1 = mask(3), f1 = mask(4), r2 = mask(5);
  const auto count = [&](const Variable& x) { return segment_sum(x, rows.offsets); };
  const Variable n = count(Variable(full({rows.tokens}, 1, DType::kFloat64)));
  const Variable one(full({rows.sentences}, 1, DType::kFloat64));
  const double head = 3 * kMacCoefficients.head_sentence + 9 * kMacCoefficients.head_row;
  const Variable total = sum(layer_cost(n, n, count(f0)) + predictor_cost(n)) +
                         sum(layer_cost(count(r1), count(u1), count(f1)) + predictor_cost(count(r1))) +
                         sum(layer_cost(count(r2), one, one)) + head;
  const Variable dense = sum(layer_cost(n, n, n)) * 3.0 + head;
  (total / dense).backward();
  const Variables all = {f0, r1, u1, f1, r2};
  Tensors expected;
  for (const Variable& x : all) {
    expected.push_back(x.grad().clone());
    x.zero_grad();
  }

  using Predicted = MaskedLayer::Predicted;
  const MacShareOutput out = mac_share(
      {{{{}, {}, f0}, Predicted::kKeys}, {{r1, u1, f1}, Predicted::kKeys}, {{r2, {}, {}}, Predicted::kNone, true}},
      rows.offsets, kMacCoefficients);
  CHECK(out.share.item() == Approx((total / dense).item()).epsilon(1e-12));
  CHECK(out.dense.item() == Approx(dense.item()).epsilon(1e-12));
  out.share.backward();
  for (std::size_t i = 0; i < all.size(); ++i) {
    INFO("mask " << i);
    CHECK(difference(all[i].grad(), expected[i], kSameInFloat64) == "");
  }
}

TEST_CASE("mac_share: a published gate's predictor is entered by the keys of the layer before") {
  const Packed rows = sentences();
  const Variable first(full({rows.tokens}, 0.5, DType::kFloat64)), second(full({rows.tokens}, 0.25, DType::kFloat64));
  const auto count = [&](double share) {
    return segment_sum(Variable(full({rows.tokens}, share, DType::kFloat64)), rows.offsets);
  };
  const Variable n = count(1), a = count(0.5), b = count(0.25);
  const double head = 3 * kMacCoefficients.head_sentence + 9 * kMacCoefficients.head_row;
  const Variable total =
      sum(layer_cost(a, a, a) + predictor_cost(n)) + sum(layer_cost(b, b, b) + predictor_cost(a)) + head;
  using Predicted = MaskedLayer::Predicted;
  const MacShareOutput out =
      mac_share({{{first, {}, {}}, Predicted::kKeysBefore}, {{second, {}, {}}, Predicted::kKeysBefore}}, rows.offsets,
                kMacCoefficients);
  CHECK(out.share.item() == Approx((total / (sum(layer_cost(n, n, n)) * 2.0 + head)).item()).epsilon(1e-12));
}

TEST_CASE("mac_share: of no layers is refused") {
  CHECK(message_of([] { mac_share(std::vector<MaskedLayerVariables>(), sentences().offsets, kMacCoefficients); }) ==
        "mac_share: expected layers, got none");
}
