#include "autograd/estimators/enumeration.h"

#include "autograd/gradcheck.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

Cost function_of(std::int64_t inputs) {
  const Tensor w = random_normal({inputs, 1}, 3, DType::kFloat64);
  return [w, inputs](const Variable& x) {
    return reshape(exp(matmul(reshape(x, {x.size(0), inputs}), Variable(w))), {x.size(0)});
  };
}

}  // namespace

TEST_CASE("enumerate: the gradient is that of the exact expectation, by finite differences") {
  for (const Shape& shape : {Shape{1, 1}, Shape{2, 4}, Shape{2, 2, 3}, Shape{1, 1, 4}}) {
    const Cost cost = function_of(shape.rank() == 3 ? shape[1] * shape[2] : shape[1]);
    const GradcheckResult result = gradcheck([&](const Variables& in) { return enumerate(cost, in[0]); },
                                             {random_normal(shape, 1, DType::kFloat64)});
    CHECK(result.message == "");
  }
}

TEST_CASE("enumerate: the value is the sum over all states, weighted by their probabilities") {
  // z = 0 and log 3: probabilities 1/2 and 3/4 of f = 1 + 2 b0 + 4 b1.
  const Variable z(from_values<double>({0, 1.0986122886681098}, {1, 2}));
  const Cost cost = [](const Variable& b) { return sum(b * Variable(from_values<double>({2, 4}, {1, 2})), 1) + 1.0; };
  CHECK(enumerate(cost, z).item() == Approx(1 + 2 * 0.5 + 4 * 0.75));
}

TEST_CASE("enumerate: states come each once, and too many are refused") {
  CHECK(all_choices(zeros({1, 2})).to_vector<float>() == std::vector<float>{0, 0, 1, 0, 0, 1, 1, 1});
  CHECK(all_choices(zeros({1, 1, 3})).to_vector<float>() == std::vector<float>{1, 0, 0, 0, 1, 0, 0, 0, 1});
  CHECK(message_of([] {
          all_choices(zeros({1, 40}));
        }) == "enumerate: more than 1048576 states of 40 nodes with 2 values each");
  CHECK(message_of([] { all_choices(zeros({3})); }) ==
        "enumerate: expected logits [rows, nodes] or [rows, nodes, classes], got [3]");
}
