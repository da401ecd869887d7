#include "autograd/ops/cross_entropy.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/softmax.h"
#include "tests/autograd/packed_rows.h"
#include "tests/support/catch.h"
#include "tests/support/passes.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("cross_entropy: equals the label's entry of -log_softmax") {
  const Tensor labels = from_values<std::int32_t>({2, 0, 1, 1, 2});
  const Tensor one_hot = zeros({5, 3}, DType::kFloat64);
  for (std::int64_t row = 0; row < 5; ++row) one_hot.data<double>()[3 * row + labels.data<std::int32_t>()[row]] = 1;
  const Tensors inputs = {normal({5, 3}, 1)};
  CHECK(difference(run([&](const Variables& x) { return cross_entropy(x[0], labels); }, inputs),
                   run([&](const Variables& x) { return -sum(log_softmax(x[0]) * Variable(one_hot), 1); }, inputs),
                   kSameInFloat64) == "");
}
