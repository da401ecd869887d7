#include <cmath>
#include <limits>

#include "tensor/ops/elementwise.h"
#include "tensor/ops/mask.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

using Floats = std::vector<float>;
using Bools = std::vector<bool>;

Floats floats(const Tensor& x) { return x.to_vector<float>(); }
Bools bools(const Tensor& x) { return x.to_vector<bool>(); }

}  // namespace

TEST_CASE("operators: tensors and numbers on both sides") {
  const Tensor x = from_values<float>({1, 2, 4});
  CHECK(floats(1 - x) == Floats{0, -1, -3});
  CHECK(floats(x - 1) == Floats{0, 1, 3});
  CHECK(floats(8 / x) == Floats{8, 4, 2});
  CHECK(floats(x / 2) == Floats{0.5, 1, 2});
  CHECK(floats(3 * x + x * x - -x / x) == Floats{5, 11, 29});
}

TEST_CASE("operators: in place every tensor that shares the elements sees it") {
  const Tensor x = from_values<float>({1, 2, 3, 4}, {2, 2});
  const Tensor row = x[1];
  row += 1;
  CHECK(floats(x) == Floats{1, 2, 4, 5});
  x *= from_values<float>({2, 3});
  CHECK(floats(row) == Floats{8, 15});
  x -= row;
  CHECK(floats(x) == Floats{-6, -9, 0, 0});
  const std::uint64_t before = x.version();
  x /= 3;
  CHECK(floats(x) == Floats{-2, -3, 0, 0});
  CHECK(x.version() > before);
  CHECK(message_of([&] { row += x; }) == "expand: [2, 2] does not expand to [2]");
}

TEST_CASE("comparisons: broadcast, of every dtype, and false beside NaN but for ne") {
  const Tensor a = from_values<std::int64_t>({1, 2, 3}), b = from_values<std::int64_t>({2});
  CHECK(bools(a < b) == Bools{true, false, false});
  CHECK(bools(a <= b) == Bools{true, true, false});
  CHECK(bools(a > b) == Bools{false, false, true});
  CHECK(bools(a >= 2) == Bools{false, true, true});
  CHECK(bools(eq(a, b)) == Bools{false, true, false});
  CHECK(bools(ne(a, 2.5)) == Bools{true, true, true});
  CHECK(bools(eq(a > b, a < b)) == Bools{false, true, false});
  const Tensor nan = from_values<float>({std::nanf(""), 1});
  CHECK(bools(nan < nan.unsqueeze(1)) == Bools{false, false, false, false});
  CHECK(bools(eq(nan, nan)) == Bools{false, true});
  CHECK(bools(ne(nan, nan)) == Bools{true, false});
  CHECK(message_of([&] { eq(a, nan); }) == "eq: dtypes differ: int64 and float32");
}

TEST_CASE("where: broadcasts all three, keeps the dtype, and takes nothing of what was not chosen") {
  const Tensor mask = from_values<float>({1, 0}) > 0;
  const Tensor labels = from_values<std::int64_t>({7, 8, 9}, {3, 1});
  CHECK(where(mask, labels, -1).to_vector<std::int64_t>() == std::vector<std::int64_t>{7, -1, 8, -1, 9, -1});
  CHECK(floats(where(mask, from_values<float>({1, NAN}), 0)) == Floats{1, 0});
  CHECK(message_of([&] { where(labels, labels, labels); }) == "where: expected a bool mask, got int64");
}

TEST_CASE("masks: triangles, the identity and one-hot rows") {
  const Tensor x = ones({2, 3});
  CHECK(floats(triu(x)) == Floats{1, 1, 1, 0, 1, 1});
  CHECK(floats(triu(x, 1)) == Floats{0, 1, 1, 0, 0, 1});
  CHECK(floats(triu(x, -1)) == Floats{1, 1, 1, 1, 1, 1});
  CHECK(floats(tril(x)) == Floats{1, 0, 0, 1, 1, 0});
  CHECK(floats(tril(x, -1)) == Floats{0, 0, 0, 1, 0, 0});
  CHECK(floats(triu(full({2, 2}, NAN), 2)) == Floats{0, 0, 0, 0});
  CHECK(floats(eye(2)) == Floats{1, 0, 0, 1});
  CHECK(floats(one_hot(from_values<std::int32_t>({2, -1, 0}), 3)) == Floats{0, 0, 1, 0, 0, 0, 1, 0, 0});
  CHECK(floats(masked_fill(x, upper_triangle(2, 3, 1), -INFINITY)) == Floats{1, -INFINITY, -INFINITY, 1, 1, -INFINITY});
}
