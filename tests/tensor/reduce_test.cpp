#include "tensor/ops/reduce.h"

#include <cmath>

#include "tensor/ops/cumsum.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/index.h"
#include "tensor/ops/join.h"
#include "tensor/ops/sort.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

using Floats = std::vector<float>;
using Longs = std::vector<std::int64_t>;

Tensor le_of_columns(const Tensor& x) { return x.unsqueeze(1) <= x.unsqueeze(2); }

}  // namespace

TEST_CASE("reductions: over any dimensions, which disappear or stay") {
  const Tensor x = arange(24, DType::kInt64).to(DType::kFloat32).reshape({2, 3, 4});
  CHECK(sum(x).shape() == Shape{});
  CHECK(sum(x, {}, true).shape() == Shape{1, 1, 1});
  CHECK(sum(x, 1).shape() == Shape{2, 4});
  CHECK(sum(x, {0, -1}).to_vector<float>() == Floats{60, 92, 124});
  CHECK(mean(x, {0, 2}, true).shape() == Shape{1, 3, 1});
  CHECK(max(x, {0, 1}).to_vector<float>() == Floats{20, 21, 22, 23});
  CHECK(min(x, {1, 2}, true).to_vector<float>() == Floats{0, 12});
  CHECK(var(x, 0).to_vector<float>() == Floats(12, 72));
  CHECK(var(x, 0, false, 0).to_vector<float>() == Floats(12, 36));
  CHECK(argmax(x, 1).to_vector<std::int64_t>() == Longs(8, 2));
  CHECK(argmin(x, -1, true).shape() == Shape{2, 3, 1});
  CHECK(norm(from_values<float>({3, 4})).item() == 5);
  CHECK(message_of([&] { sum(x, {0, -3}); }) == "sum: dimension -3 is named twice");
  CHECK(message_of([&] { mean(x, 3); }) == "mean: dimension 3 is out of range for rank 3");
  CHECK(message_of([&] { argmax(zeros({2, 0}), 1); }) == "argmax: the dimensions to go over have no entries in [2, 0]");
}

TEST_CASE("logsumexp: neither overflows nor loses what is small, and of nothing possible is -inf") {
  CHECK(logsumexp(from_values<float>({1000, 1000})).item() == Approx(1000 + std::log(2.0)));
  CHECK(logsumexp(from_values<double>({-1000, -1001})).item() == Approx(-1000 + std::log1p(std::exp(-1.0))));
  CHECK(logsumexp(full({3}, -INFINITY)).item() == -INFINITY);
  CHECK(logsumexp(from_values<float>({1, INFINITY})).item() == INFINITY);
}

TEST_CASE("sort: equal elements keep their order, and NaN is the largest") {
  const Tensor x = from_values<float>({2, 1, NAN, 2, 1, -INFINITY});
  CHECK(argsort(x).to_vector<std::int64_t>() == Longs{5, 1, 4, 0, 3, 2});
  CHECK(argsort(x, 0, true).to_vector<std::int64_t>() == Longs{2, 0, 3, 1, 4, 5});
  const Sorted two = topk(x.narrow(0, 3, 3), 2);
  CHECK(two.values.to_vector<float>() == Floats{2, 1});
  CHECK(two.index.to_vector<std::int64_t>() == Longs{0, 1});
  CHECK(message_of([&] { topk(x, 7); }) == "topk: 7 is out of range for dimension 0 of size 6");
}

TEST_CASE("gather: says which index is out of range") {
  const Tensor x = from_values<std::int32_t>({1, 2, 3, 4}, {2, 2});
  CHECK(gather(x, 1, from_values<std::int64_t>({1, 0, 0, 0}, {2, 2})).to_vector<std::int32_t>() ==
        std::vector<std::int32_t>{2, 1, 3, 3});
  CHECK(message_of([&] {
          gather(x, 0, from_values<std::int64_t>({-1, 0}, {1, 2}));
        }) == "gather: index -1 is out of range for a dimension of size 2");
  CHECK(message_of([&] { gather(x, 1, arange(2)); }) ==
        "gather: expected indices of [2, 2] but for dimension 1, got [2]");
}

TEST_CASE("cumsum: along a dimension, from either end") {
  const Tensor x = from_values<float>({1, 2, 3, 4}, {2, 2});
  CHECK(cumsum(x, 0).to_vector<float>() == Floats{1, 2, 4, 6});
  CHECK(cumsum(x, -1, true).to_vector<float>() == Floats{3, 2, 7, 4});
}

TEST_CASE("stack and split: braces for lists") {
  const Tensor a = from_values<float>({1, 2}), b = from_values<float>({3, 4});
  CHECK(stack({a, b}, 1).to_vector<float>() == Floats{1, 3, 2, 4});
  CHECK(join({a, b}).to_vector<float>() == Floats{1, 2, 3, 4});
  const Tensors parts = split(arange(5), 2);
  CHECK(parts.size() == 3);
  CHECK(parts[2].to_vector<std::int32_t>() == std::vector<std::int32_t>{4});
}

TEST_CASE("cuda: places, comparisons and choices are the CPU's, NaN and ties too") {
  if (!has_cuda()) return;
  for (const Shape& shape : std::vector<Shape>{{1, 1}, {3, 5}, {7, 700}}) {
    const Tensor x = affine(random_normal(shape, 1), 2).to(DType::kInt32).to(DType::kFloat32);  // with ties
    x.select(1, shape[1] / 2).fill(NAN);
    x.select(1, 0).copy_from(-1 * x.select(1, 0));  // a zero may be negative
    const Tensor y = x.to(Device::kCuda);
    for (const bool descending : {false, true}) {
      CHECK(same_bits(argsort(y, 1, descending), argsort(x, 1, descending)));
      CHECK(same_bits(argsort(y, 0, descending), argsort(x, 0, descending)));
    }
    CHECK(same_bits(argmax(y, 1), argmax(x, 1)));
    CHECK(same_bits(argmax(y, 0), argmax(x, 0)));
    CHECK(same_bits(y > 0, x > 0));
    CHECK(same_bits(le_of_columns(y), le_of_columns(x)));
    CHECK(same_bits(where(y < 1, y, -3), where(x < 1, x, -3)));
    const Tensor labels = argsort(x, 1);
    CHECK(same_bits(ne(labels.to(Device::kCuda), 2), ne(labels, 2)));
  }
}
