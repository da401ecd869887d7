#include "nn/dropout.h"

#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("dropout: in evaluation it is the identity, in training its stream's numbers decide") {
  const Packed rows = make_packed({20}, {4});
  const Variable x(full({20, 50}, 1.0));
  const Dropout half{.p = 0.5, .stream = {Purpose::kHiddenDropout, 3}};
  CHECK(same_bits(half(x, rows, {}).value(), x.value()));
  const Context training{.training = true, .state = make_step_state({.seed = 7, .step = 3})};
  const Tensor y = half(x, rows, training).value();
  CHECK(same_bits(half(x, rows, training).value(), y));
  std::int64_t kept = 0;
  for (const float value : y.to_vector<float>()) {
    REQUIRE((value == 0 || value == 2));
    kept += value == 2;
  }
  CHECK(kept > 400);
  CHECK(kept < 600);
  const Dropout other{.p = 0.5, .stream = {Purpose::kHiddenDropout, 4}};
  CHECK_FALSE(same_bits(other(x, rows, training).value(), y));
}

TEST_CASE("dropout: a context's rate stands in for that of every module, in training alone") {
  const Packed rows = make_packed({20}, {4});
  const Variable x(full({20, 50}, 1.0));
  const Dropout half{.p = 0.5, .stream = {Purpose::kHiddenDropout, 3}}, tenth{.p = 0.1, .stream = half.stream};
  Context training{.training = true, .state = make_step_state({.seed = 7, .step = 3})};
  const Tensor y = tenth(x, rows, training).value();
  training.dropout_rate = 0.1;
  CHECK(same_bits(half(x, rows, training).value(), y));
  training.dropout_rate = 0;
  CHECK(same_bits(half(x, rows, training).value(), x.value()));
  CHECK(same_bits(half(x, rows, {.training = false, .state = {}, .dropout_rate = 0.5}).value(), x.value()));
}
