// Values that a backward computes again instead of keeping them.
#include "autograd/ops/bias_activation.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/layer_norm.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/residual_dropout_layer_norm.h"
#include "tensor/allocator.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/layer_norm.h"
#include "tensor/ops/residual_dropout_layer_norm.h"
#include "tests/autograd/leaves.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

// 2 x, whose value is computed again by each backward that reads it; counts how often.
Variable twice(const Variable& x, int& times) {
  const auto again = [x = Saved(x), &times] {
    ++times;
    return affine(x.get(), 2);
  };
  return record("twice", {affine(x.value(), 2), again}, {x},
                [](const Tensor& dy) -> Tensors { return {affine(dy, 2)}; });
}

// The same value, which backwards keep.
Variable kept(const Variable& x) {
  return record("kept", x.value(), {x}, [](const Tensor& dy) -> Tensors { return {dy}; });
}

// A feed-forward and a linear behind it: all gradients. On a GPU with values large enough that it computes them again.
Tensors feed_forward_gradients(DType dtype, Device device, const std::function<Variable(const Variable&)>& between) {
  const std::int64_t n = device == Device::kCpu ? 24 : 64 << 10;
  const auto input = [&](const Shape& shape, std::uint64_t seed, DType type) {
    return Variable(random_normal(shape, seed).to(type).to(device), true);
  };
  const DType row = row_dtype(dtype);
  const Variable x = input({n, 32}, 1, dtype), w1 = input({64, 32}, 2, dtype), w2 = input({32, 64}, 3, dtype),
                 w3 = input({16, 32}, 4, dtype), b1 = input({64}, 5, row), b2 = input({32}, 6, row),
                 gamma = input({32}, 7, row), beta = input({32}, 8, row);
  const Packed rows = make_packed({5, 9, n - 14}, {1, 2, 3});
  const DropoutKey key = to(dropout_key(0.1, rows), device);
  const Variable h = between(bias_activation(linear(x, w1, Variable()), b1, Activation::kGelu));
  const Variable y =
      between(residual_dropout_layer_norm(linear(h, w2, Variable()), b2, x, Variable(), gamma, beta, 1e-12, key));
  const Variable z = linear(between(layer_norm(y, gamma, beta, 1e-12)), w3, Variable());
  z.backward(random_normal({n, 16}, 9).to(dtype).to(device));
  Tensors gradients;
  for (const Variable& v : {x, w1, w2, w3, b1, b2, gamma, beta}) gradients.push_back(v.grad());
  return gradients;
}

void check_gradients(DType dtype, Device device) {
  INFO(dtype << " on " << device);
  const Tensors again = feed_forward_gradients(dtype, device, [](const Variable& x) { return x; });
  const Tensors before = feed_forward_gradients(dtype, device, kept);
  for (std::size_t i = 0; i < again.size(); ++i) {
    INFO("gradient " << i);
    CHECK(same_bits(again[i], before[i]));
  }
}

constexpr std::int64_t kRows = 1024, kInner = 1024, kCols = 64;  // values large enough that a GPU computes them again

// Bytes that x [kRows, kCols] -> linear -> f -> linear [kRows, kCols] keeps for its backward.
std::int64_t kept_between_linears(Device device, const std::function<Variable(const Variable&)>& f) {
  const auto input = [&](const Shape& shape, bool trained) {
    return Variable(random_normal(shape, 1).to(device), trained);
  };
  const Variable x = input({kRows, kCols}, false), w1 = input({kInner, kCols}, true), w2 = input({kCols, kInner}, true);
  const auto forward = [&] { return linear(f(linear(x, w1, Variable())), w2, Variable()); };
  forward();  // a device makes its workspace
  const std::int64_t before = allocator_stats(device).allocated;
  const Variable y = forward();
  const std::int64_t kept = allocator_stats(device).allocated - before - y.value().bytes();
  y.backward(full(y.shape(), 1, DType::kFloat32, device));
  for (const Variable& w : {w1, w2}) CHECK(w.grad().shape() == w.shape());
  return kept;
}

// The output of residual_dropout_layer_norm beside the layer norm of the sum that it keeps.
void check_layer_norm_of_sum(DType dtype, Device device, std::int64_t cols) {
  INFO(dtype << " on " << device << ", " << cols << " columns");
  const auto input = [&](const Shape& shape, std::uint64_t seed, DType type) {
    return random_normal(shape, seed).to(type).to(device);
  };
  const DType row = row_dtype(dtype);
  const Tensor x = input({24, cols}, 1, dtype), residual = input({24, cols}, 2, dtype), bias = input({cols}, 3, row),
               scale = input({24}, 4, row), gamma = input({cols}, 5, row), beta = input({cols}, 6, row);
  const DropoutKey key = to(dropout_key(0.1, make_packed({5, 9, 10}, {1, 2, 3})), device);
  const auto output = [&](bool for_backward) {
    return residual_dropout_layer_norm(x, bias, residual, scale, gamma, beta, 1e-12, key, for_backward);
  };
  const ResidualOutput out = output(true);
  const LayerNormOutput again = layer_norm(out.z, gamma, beta, 1e-12);
  CHECK(same_bits(out.y, again.y));
  CHECK(same_bits(out.mean, again.mean));
  CHECK(same_bits(out.rstd, again.rstd));
  CHECK(same_bits(out.y, output(false).y));
}

}  // namespace

TEST_CASE("recipe: a backward computes the value again, each time that it is walked") {
  const Variable x = leaf({1, 3});
  int times = 0;
  const Variable y = sum(square(twice(x, times)));  // 4 x^2
  CHECK(times == 0);
  y.backward(true);
  CHECK(times == 1);
  CHECK(grad(x) == Values{8, 24});
  y.backward();
  CHECK(times == 2);
  CHECK(grad(x) == Values{16, 48});
}

TEST_CASE("recipe: a product that reads a value twice computes it once an input") {
  const Variable x = leaf({1, 3});
  int times = 0;
  const Variable y = twice(x, times);
  sum(y * y).backward();
  CHECK(times == 2);
  CHECK(grad(x) == Values{8, 24});
}

TEST_CASE("recipe: what it reads may not change either") {
  const Variable x = leaf({1, 3});
  int times = 0;
  const Variable y = sum(square(twice(x, times)));
  x.value().fill(5);
  CHECK(message_of([&] { y.backward(); }) ==
        "backward of square: a saved tensor of shape [2] was changed since the forward pass (version 1, saved at 0)");
}

TEST_CASE("recipe: a value that was written after it was computed is kept") {
  const Variable x = leaf({1, 3});
  int times = 0;
  const Variable y = twice(x, times);
  CHECK(y.has_recipe());
  y.value().fill(7);
  CHECK_FALSE(y.has_recipe());
  sum(square(y)).backward();
  CHECK(times == 0);
  CHECK(grad(x) == Values{28, 28});
}

TEST_CASE("recipe: nothing has one that takes no gradient, left the graph or whose graph is used up") {
  int times = 0;
  CHECK_FALSE(twice(Variable(from_values<float>({1})), times).has_recipe());
  const Variable y = twice(leaf({1}), times);
  CHECK_FALSE(y.detach().has_recipe());
  y.backward(true);
  CHECK(y.has_recipe());
  y.backward();
  CHECK_FALSE(y.has_recipe());
}

TEST_CASE("recipe: of ops in a row every second value is kept") {
  const Variable one = leaf({1, 1}), zero = leaf({0, 0});
  const Variable first = layer_norm(leaf({1, 2}), one, zero, 1e-12), second = layer_norm(first, one, zero, 1e-12);
  CHECK(first.has_recipe());
  CHECK_FALSE(second.has_recipe());
  CHECK(layer_norm(second, one, zero, 1e-12).has_recipe());
}

TEST_CASE("recipe: a layer norm between two linears keeps one tensor, not two") {
  const ThreadCount one(1);
  const Variable gamma = Variable(full({kInner}, 1), true), beta = Variable(zeros({kInner}), true);
  const auto norm = [&](const Variable& x) { return layer_norm(x, gamma, beta, 1e-12); };
  CHECK(kept_between_linears(Device::kCpu, norm) == 4 * (kRows * kInner + 2 * kRows));  // and its mean and rstd
}

TEST_CASE("recipe: gradients have the bits of those from values that were kept") {
  const ThreadCount one(1);
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) check_gradients(dtype, Device::kCpu);
}

TEST_CASE("recipe: the layer norm of its sum is residual_dropout_layer_norm's output to the bit") {
  const ThreadCount one(1);
  for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
    for (const std::int64_t cols : {1, 7, 32, 768}) check_layer_norm_of_sum(dtype, Device::kCpu, cols);
  }
}

TEST_CASE("cuda recipe: gradients have the bits of those from values that were kept") {
  if (!has_cuda()) return;
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) check_gradients(dtype, Device::kCuda);
}

TEST_CASE("cuda recipe: the layer norm of its sum is residual_dropout_layer_norm's output to the bit") {
  if (!has_cuda()) return;
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    for (const std::int64_t cols : {7, 32, 384, 768, 5000}) check_layer_norm_of_sum(dtype, Device::kCuda, cols);
  }
}

TEST_CASE("cuda recipe: GELU between two linears keeps one tensor, not two") {
  if (!has_cuda()) return;
  const Variable bias(zeros({kInner}, DType::kFloat32, Device::kCuda), true);
  const auto gelu = [&](const Variable& x) { return bias_activation(x, bias, Activation::kGelu); };
  CHECK(kept_between_linears(Device::kCuda, gelu) == 4 * kRows * kInner);
}
