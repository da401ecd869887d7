#include "autograd/ops/im2col.h"

#include <cmath>
#include <limits>

#include "tensor/ops/elementwise.h"
#include "tensor/ops/im2col.h"
#include "tests/support/catch.h"
#include "tests/support/passes.h"

using namespace tk;
using namespace tk::test;

namespace {

// Few different values, so that windows hold equal ones.
Tensor coarse(const Shape& shape) {
  const Tensor x = random_normal(shape, 3, DType::kFloat64);
  for (std::int64_t i = 0; i < x.numel(); ++i) x.data<double>()[i] = std::round(2 * x.data<double>()[i]);
  return x;
}

}  // namespace

TEST_CASE("max_pool2d: equals its composed twin, forward and backward, where windows overlap or hold equal numbers") {
  struct Case {
    std::int64_t kernel, stride, padding;
  };
  for (const Case& of : {Case{2, 2, 0}, {3, 2, 1}, {3, 1, 1}, {2, 3, 1}, {4, 1, 2}, {1, 1, 0}}) {
    const Tensors inputs = {coarse({2, 3, 7, 6})};
    const Pass fused =
        run([&](const Variables& x) { return max_pool2d(x[0], of.kernel, of.stride, of.padding); }, inputs);
    const Pass composed =
        run([&](const Variables& x) { return max_pool2d_composed(x[0], of.kernel, of.stride, of.padding); }, inputs);
    INFO("kernel " << of.kernel << ", stride " << of.stride << ", padding " << of.padding);
    CHECK(difference(fused, composed, kSameInFloat64) == "");
  }
}

TEST_CASE("max_pool2d: a NaN is the largest, and the padding takes no gradient") {
  const double low = -std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  const Tensor x = from_values<double>({low, low, low, 1, nan, 2, 0, 3, nan}, {1, 1, 3, 3});
  const Window window{.height = 2, .width = 2, .stride = 2, .padding = 1};
  const Pooled pooled = max_pool2d(x, window);
  CHECK(pooled.y.data<double>()[0] == low);
  CHECK(std::isnan(pooled.y.data<double>()[3]));
  const Tensor dx = max_pool2d_backward(from_values<double>({1, 2, 3, 4}, {1, 1, 2, 2}), pooled.index, window, 3, 3);
  CHECK(dx.to_vector<double>() == std::vector<double>{1, 2, 0, 3, 4, 0, 0, 0, 0});
  CHECK(message_of([&] { max_pool2d(x, {.height = 2, .width = 2, .padding = 2}); }) ==
        "max_pool2d: expected a padding of at most half the window, 2 x 2, got 2, and a dilation of 1, got 1");
}
