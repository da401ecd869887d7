#include "autograd/gradcheck.h"

#include "autograd/ops/elementwise.h"
#include "tensor/ops/elementwise.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("gradcheck: a wrong gradient is caught") {
  const auto wrong_exp = [](const Variables& x) {
    const Tensor y = exp(x[0].value());
    return record("wrong_exp", y, {x[0]}, [y](const Tensor& dy) -> Tensors { return {affine(mul(dy, y), 1.001)}; });
  };
  const Tensor x = random_normal({3, 2}, 5, DType::kFloat64);
  const GradcheckResult result = gradcheck(wrong_exp, {x});
  CHECK_FALSE(result.passed);
  CHECK_THAT(result.message, ContainsSubstring("input 0, element 0: analytic "));
  CHECK(gradcheck([](const Variables& v) { return exp(v[0]); }, {x}).passed);
}

TEST_CASE("gradcheck: a missing gradient is caught") {
  const auto forgetful = [](const Variables& x) { return x[0] * x[0].detach(); };
  CHECK_FALSE(gradcheck(forgetful, {random_normal({3}, 5, DType::kFloat64)}).passed);
  const auto constant = [](const Variables& x) { return x[0].detach(); };
  CHECK_FALSE(gradcheck(constant, {random_normal({3}, 5, DType::kFloat64)}).passed);
}

TEST_CASE("gradcheck: inputs must be float64") {
  CHECK(message_of([] { gradcheck([](const Variables& v) { return v[0]; }, {zeros({1})}); }) ==
        "gradcheck: expected float64 inputs, got float32");
}
