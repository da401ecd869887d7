#include "autograd/ops/predictor_head.h"

#include <algorithm>
#include <cmath>

#include "autograd/grad_mode.h"
#include "tensor/ops/elementwise.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/passes.h"

using namespace tk;
using namespace tk::test;

namespace {

Variable head(const Variables& x) { return predictor_head(x[0], x[1], x[2], x[3], x[4], 1e-5); }
Variable composed(const Variables& x) { return predictor_head_composed(x[0], x[1], x[2], x[3], x[4], 1e-5); }

struct Size {
  std::int64_t rows, width, outputs;
};

// u, gamma, beta, output_w and output_b in float64, of numbers that bfloat16 has. The last layer's sums stay of size 1.
Tensors inputs_of(const Size& size) {
  const auto [rows, width, outputs] = size;
  const auto rounded = [](const Shape& shape, std::uint64_t seed, double scale, double shift) {
    const Tensor x = random_normal(shape, seed, DType::kFloat64) * scale + shift;
    return x.to(DType::kBFloat16).to(DType::kFloat64);
  };
  return {rounded({rows, width}, 1, 1.5, 0.2), rounded({width}, 2, 0.3, 1), rounded({width}, 3, 0.3, 0),
          rounded({outputs, width}, 4, 1 / std::sqrt(static_cast<double>(width)), 0), rounded({outputs}, 5, 1, 0)};
}

// The same on CUDA, u in `dtype` and the parameters in its row_dtype.
Tensors on_cuda(const Tensors& inputs, DType dtype) {
  Tensors moved;
  for (const Tensor& input : inputs) {
    moved.push_back(input.to(moved.empty() ? dtype : row_dtype(dtype)).to(Device::kCuda));
  }
  return moved;
}

Tensors results(const Pass& pass) {
  Tensors all = {pass.value};
  all.insert(all.end(), pass.grads.begin(), pass.grads.end());
  return all;
}

// What differs first by more than a part of a result's largest element, or of 1 if all are smaller. du, result 1, is
// rounded to u's dtype.
std::string apart(const Pass& got, const Pass& expected, double part, double part_of_du) {
  const Tensors a = results(got), b = results(expected);
  for (std::size_t i = 0; i < a.size(); ++i) {
    double largest = 1;
    for (const double value : b[i].to(DType::kFloat64).to_vector<double>())
      largest = std::max(largest, std::fabs(value));
    const double allowed = i == 1 ? part_of_du : part;
    const std::string text = difference(a[i].to(Device::kCpu), b[i], {allowed * largest, allowed});
    if (!text.empty()) return concat("result ", i, ": ", text);
  }
  return "";
}

// Widths: a thread's columns exactly, in part and in several, one warp for a row and more; one row for a block, and
// more columns than a thread's own unit covers. Rows: none, one, more than a block's, several blocks', several for a
// block's team.
constexpr Size kSizes[] = {{0, 64, 3},    {1, 64, 2},  {31, 64, 3},  {800, 64, 2},  {31, 100, 2},  {800, 100, 3},
                           {0, 192, 2},   {1, 192, 3}, {31, 192, 2}, {800, 192, 3}, {4096, 96, 3}, {31, 384, 3},
                           {800, 384, 2}, {5, 1, 3},   {7, 3, 3},    {13, 700, 3},  {9, 1000, 2},  {11, 2048, 3}};

std::string text(const Size& size) { return concat(size.rows, " x ", size.width, ", ", size.outputs, " outputs"); }

}  // namespace

TEST_CASE("predictor_head: equals its composed twin, forward and backward") {
  const ThreadCount one(1);
  for (const Size& size : kSizes) {
    INFO(text(size));
    const Tensors inputs = inputs_of(size);
    CHECK(apart(run(head, inputs), run(composed, inputs), 1e-12, 1e-12) == "");
  }
}

TEST_CASE("predictor_head: without a backward z has the same bits") {
  const Tensors inputs = inputs_of({31, 100, 3});
  Variables x;
  for (const Tensor& input : inputs) x.emplace_back(input, true);
  const Tensor recorded = head(x).value();
  const NoGrad no_grad;
  CHECK(same_bits(head(x).value(), recorded));
}

TEST_CASE("predictor_head: parameters that do not fit are refused") {
  const auto say = [](const Tensors& x) {
    return message_of([&] { head({Variable(x[0]), Variable(x[1]), Variable(x[2]), Variable(x[3]), Variable(x[4])}); });
  };
  const Tensor u = zeros({4, 6}), column = zeros({6}), w = zeros({3, 6}), b = zeros({3});
  CHECK(say({column, column, column, w, b}) == "predictor_head: expected u [rows, width], got [6]");
  CHECK(say({u, zeros({5}), column, w, b}) == "predictor_head: expected gamma and beta of [6], got [5] and [6]");
  CHECK(say({u, column, column, zeros({4, 6}), zeros({4})}) ==
        "predictor_head: expected output_w of float32, [2, 6] or [3, 6], got float32 [4, 6]");
  CHECK(say({u, column, column, zeros({3, 5}), b}) ==
        "predictor_head: expected output_w of float32, [2, 6] or [3, 6], got float32 [3, 5]");
  CHECK(say({u, column, column, w, zeros({2})}) == "predictor_head: expected output_b of float32 [3], got float32 [2]");
  CHECK(say({u, column, column, w, b.to(DType::kFloat64)}) ==
        "predictor_head: expected output_b of float32 [3], got float64 [3]");
}

TEST_CASE("cuda predictor_head: is near the CPU's composed twin in float64, forward and backward, in every size") {
  if (!has_cuda()) return;
  for (const Size& size : kSizes) {
    const Tensors inputs = inputs_of(size);
    const Pass expected = run(composed, inputs);
    for (const DType dtype : {DType::kFloat64, DType::kFloat32, DType::kBFloat16}) {
      INFO(text(size) << ", " << dtype);
      const Pass got = run(head, on_cuda(inputs, dtype));
      CHECK(got.value.dtype() == row_dtype(dtype));
      CHECK(got.grads[0].dtype() == dtype);
      const double part = dtype == DType::kFloat64 ? kSameInFloat64.relative : kFloat32Sums.relative;
      CHECK(apart(got, expected, part, dtype == DType::kBFloat16 ? 4e-3 : part) == "");
    }
  }
}

TEST_CASE("cuda predictor_head: is near its composed twin in bfloat16, which rounds between its ops") {
  if (!has_cuda()) return;
  for (const Size& size : {Size{31, 192, 2}, Size{800, 192, 3}, Size{800, 384, 3}}) {
    INFO(text(size));
    const Tensors inputs = on_cuda(inputs_of(size), DType::kBFloat16);
    const Pass expected = run(composed, inputs);
    Pass moved{expected.value.to(Device::kCpu), {}};
    for (const Tensor& grad : expected.grads) moved.grads.push_back(grad.to(Device::kCpu));
    CHECK(apart(run(head, inputs), moved, kBFloat16, kBFloat16) == "");
  }
}

TEST_CASE("cuda predictor_head: two runs give the same bits, and z has them without a backward") {
  if (!has_cuda()) return;
  for (const Size& size : kSizes) {
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      INFO(text(size) << ", " << dtype);
      const Tensors inputs = on_cuda(inputs_of(size), dtype);
      const Tensors one = results(run(head, inputs)), two = results(run(head, inputs));
      for (std::size_t i = 0; i < one.size(); ++i) CHECK(same_bits(one[i], two[i]));
      Variables x;
      for (const Tensor& input : inputs) x.emplace_back(input, true);
      const NoGrad no_grad;
      CHECK(same_bits(head(x).value(), one[0]));
    }
  }
}

TEST_CASE("cuda predictor_head: gradients are added to those that stand") {
  if (!has_cuda()) return;
  for (const Size& size : {Size{0, 192, 3}, Size{31, 100, 2}, Size{800, 192, 3}}) {
    INFO(text(size));
    const Tensors inputs = on_cuda(inputs_of(size), DType::kBFloat16);
    const Pass once = run(head, inputs);
    Variables x;
    for (const Tensor& input : inputs) x.emplace_back(input, true);
    const Variable z = head(x);
    const Tensor dz = random_normal(z.shape(), 1, z.dtype()).to(Device::kCuda);
    z.backward(dz, true);
    z.backward(dz);
    for (std::size_t i = 0; i < x.size(); ++i) {
      INFO("gradient " << i);
      CHECK(same_bits(x[i].grad(), once.grads[i] + once.grads[i]));
    }
  }
}
