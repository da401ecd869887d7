#include "tensor/scalar_math.h"

#include <cmath>
#include <limits>

#include "tensor/ops/cross_entropy.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/softmax.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// The largest error of f against the double reference, over a fine grid; relative where asked.
template <class F, class Reference>
double largest_error(float from, float to, bool relative, F f, Reference reference) {
  double largest = 0;
  constexpr int kSteps = 400000;
  for (int i = 0; i <= kSteps; ++i) {
    const float x = from + (to - from) * static_cast<float>(i) / kSteps;
    const double expected = reference(double{x});
    const double error = std::fabs(double{f(x)} - expected);
    largest = std::max(largest, relative ? error / std::fabs(expected) : error);
  }
  return largest;
}

double gelu64(double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }
double gelu_derivative64(double x) {
  return 0.5 * (1 + std::erf(x / std::sqrt(2.0))) + x * std::exp(-0.5 * x * x) / std::sqrt(2 * std::acos(-1.0));
}

float one(Tensor (*op)(const Tensor&), float x) { return op(full({1}, x)).data<float>()[0]; }

}  // namespace

TEST_CASE("scalar math: exp is good to 2e-7 of its value over its whole range") {
  const auto exp = [](float x) { return math::exp(x); };
  CHECK(largest_error(-87, 88, true, exp, [](double x) { return std::exp(x); }) < 2e-7);
  CHECK(largest_error(-1, 1, true, exp, [](double x) { return std::exp(x); }) < 2e-7);
}

TEST_CASE("scalar math: exp at its ends") {
  CHECK(math::exp(0.0f) == 1.0f);
  CHECK(math::exp(-0.0f) == 1.0f);
  CHECK(math::exp(-kInfinity) == 0.0f);
  CHECK(math::exp(-1e30f) == 0.0f);
  CHECK(math::exp(-87.4f) == 0.0f);
  CHECK(math::exp(88.6f) < kInfinity);
  CHECK(math::exp(88.8f) == kInfinity);
  CHECK(math::exp(kInfinity) == kInfinity);
  CHECK(std::isnan(math::exp(kNan)));
}

TEST_CASE("scalar math: erf and gelu's derivative are good to 1e-6, gelu to three units of its last place") {
  const auto erf = [](float x) { return math::erf_from_gauss(x, math::exp(-x * x)); };
  CHECK(largest_error(-6, 6, false, erf, [](double x) { return std::erf(x); }) < 1e-6);
  CHECK(largest_error(
            -12, 12, false, [](float x) { return math::gelu(x); }, gelu64) < 1.5e-6);  // at 5
  CHECK(largest_error(
            -12, 12, false, [](float x) { return math::gelu_derivative(x); }, gelu_derivative64) < 1e-6);
  CHECK(largest_error(
            -30, 30, false, [](float x) { return math::sigmoid(x); }, [](double x) { return 1 / (1 + std::exp(-x)); }) <
        2e-7);
}

TEST_CASE("scalar math: tanh is good to 3e-7 of its value, odd, and 1 far out") {
  const auto tanh = [](float x) { return math::tanh(x); };
  const auto tanh64 = [](double x) { return std::tanh(x); };
  CHECK(largest_error(1e-6f, 12, true, tanh, tanh64) < 3e-7);
  CHECK(largest_error(1e-30f, 0.7f, true, tanh, tanh64) < 3e-7);
  for (const float x : {0.0f, 0.3f, 0.7f, 5.0f, 100.0f, 1e30f, kInfinity}) {
    CHECK(math::tanh(-x) == -math::tanh(x));
    CHECK(std::signbit(math::tanh(-x)));
    CHECK(std::fabs(math::tanh(x)) <= 1.0f);
  }
  CHECK(math::tanh(20.0f) == 1.0f);
  CHECK(math::tanh(kInfinity) == 1.0f);
  CHECK(std::isnan(math::tanh(kNan)));
}

TEST_CASE("scalar math: gelu by tanh and silu, and their derivatives, are good to 3e-6") {
  const double scale = std::sqrt(2 / std::acos(-1.0));
  const auto u = [&](double x) { return scale * (x + 0.044715 * x * x * x); };
  const auto gelu_tanh64 = [&](double x) { return 0.5 * x * (1 + std::tanh(u(x))); };
  const auto gelu_tanh_derivative64 = [&](double x) {
    const double t = std::tanh(u(x));
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * scale * (1 + 3 * 0.044715 * x * x);
  };
  const auto silu64 = [](double x) { return x / (1 + std::exp(-x)); };
  const auto silu_derivative64 = [](double x) {
    const double s = 1 / (1 + std::exp(-x));
    return s * (1 + x * (1 - s));
  };
  CHECK(largest_error(
            -12, 12, false, [](float x) { return GeluTanh::forward(x); }, gelu_tanh64) < 3e-6);
  CHECK(largest_error(
            -12, 12, false, [](float x) { return GeluTanh::derivative(x, 0.0f); }, gelu_tanh_derivative64) < 3e-6);
  CHECK(largest_error(
            -12, 12, false, [](float x) { return Silu::forward(x); }, silu64) < 3e-6);
  CHECK(largest_error(
            -12, 12, false, [](float x) { return Silu::derivative(x, 0.0f); }, silu_derivative64) < 3e-6);
  for (const float x : {100.0f, 1e4f, 1e30f}) {
    CHECK(GeluTanh::forward(x) == x);
    CHECK(GeluTanh::forward(-x) == 0.0f);
    CHECK(GeluTanh::derivative(x, x) == 1.0f);
    CHECK(GeluTanh::derivative(-x, x) == 0.0f);
    CHECK(Silu::forward(x) == x);
    CHECK(Silu::forward(-x) == 0.0f);
    CHECK(Silu::derivative(x, x) == 1.0f);
    CHECK(Silu::derivative(-x, x) == 0.0f);
  }
  for (const auto f : {GeluTanh::forward<float>, Silu::forward<float>}) CHECK(std::isnan(f(kNan)));
  for (const auto f : {GeluTanh::derivative<float>, Silu::derivative<float>}) CHECK(std::isnan(f(kNan, kNan)));
}

TEST_CASE("scalar math: gelu and sigmoid far out") {
  for (const float x : {20.0f, 1e4f, 1e30f}) {
    CHECK(math::gelu(x) == x);
    CHECK(math::gelu(-x) == 0.0f);
    CHECK(math::gelu_derivative(x) == 1.0f);
    CHECK(math::gelu_derivative(-x) == 0.0f);
    CHECK(math::sigmoid(10 * x) == 1.0f);
  }
  CHECK(math::sigmoid(-kInfinity) == 0.0f);
  CHECK(math::sigmoid(kInfinity) == 1.0f);
  CHECK(std::isnan(math::gelu(kNan)));
  CHECK(std::isnan(math::sigmoid(kNan)));
  CHECK(math::gelu(0.0f) == 0.0f);
}

TEST_CASE("elementwise: the vectorised loops give what the scalar functions give, also for special values") {
  std::vector<float> values = {0, -0.0f, 1, -1, 88.7f, -87.3f, 1e30f, -1e30f, kInfinity, -kInfinity};
  for (int i = 0; i < 30; ++i) values.push_back(static_cast<float>(i) * 0.37f - 5);
  const Tensor x = from_values(values);
  const Tensor e = exp(x);
  const Tensor s = sigmoid(x);
  for (std::size_t i = 0; i < values.size(); ++i) {
    CHECK(e.data<float>()[i] == Approx(math::exp(values[i])).epsilon(3e-7));
    CHECK(s.data<float>()[i] == Approx(math::sigmoid(values[i])).epsilon(3e-7));
  }
  CHECK(std::isnan(one(exp, kNan)));
  CHECK(std::isnan(one(gelu, kNan)));
  CHECK(one(relu, -kInfinity) == 0);
  CHECK(one(log, 0) == -kInfinity);
  CHECK(std::isnan(one(log, -1)));
  CHECK(std::isnan(one(sqrt, -1)));
}

TEST_CASE("elementwise: relu and maximum let NaN pass, forward and back, in loops of every length") {
  for (const std::int64_t n : {1, 100}) {
    const Tensor nan = full({n}, kNan), x = full({n}, 2), dy = full({n}, 3);
    CHECK(same_bits(relu(nan), nan));
    CHECK(same_bits(unary_backward(UnaryOp::kRelu, dy, nan, nan), dy));
    CHECK(same_bits(maximum(nan, x), nan));
    CHECK(same_bits(maximum(x, nan), nan));
    CHECK(same_bits(binary_backward(BinaryOp::kMaximum, false, dy, nan, x), dy));
    CHECK(same_bits(binary_backward(BinaryOp::kMaximum, true, dy, nan, x), zeros({n})));
    CHECK(same_bits(binary_backward(BinaryOp::kMaximum, true, dy, x, nan), dy));
  }
  CHECK(!std::signbit(one(relu, -0.0f)));
}

TEST_CASE("softmax: rows sum to one, and -inf has no share") {
  const Tensor x = from_values<float>({0, -kInfinity, 1, 1e30f, 0, -1e30f, -100, -100, -100}, {3, 3});
  const Tensor y = softmax(x);
  CHECK(y.data<float>()[1] == 0);
  CHECK(difference(y.select(0, 1), from_values<float>({1, 0, 0}), {0, 0}) == "");
  CHECK(difference(y.select(0, 2), full({3}, 1.0 / 3), kFloat32) == "");
  const Tensor wide = softmax(random_normal({7, 1000}, 3));
  for (std::int64_t row = 0; row < 7; ++row) {
    double sum = 0;
    for (std::int64_t i = 0; i < 1000; ++i) sum += wide.data<float>()[1000 * row + i];
    CHECK(sum == Approx(1).epsilon(2e-6));
  }
}

TEST_CASE("log_softmax and cross_entropy: a large common offset costs no digits") {
  const Tensor near = from_values<float>({0, 1, -2}, {1, 3});
  const Tensor far = from_values<float>({1e6f, 1e6f + 1, 1e6f - 2}, {1, 3});
  CHECK(difference(log_softmax(far), log_softmax(near), kFloat32) == "");
  const Tensor label = from_values<std::int32_t>({0});
  CHECK(difference(cross_entropy(far, label).loss, cross_entropy(near, label).loss, kFloat32) == "");
}

TEST_CASE("cross_entropy: a certain wrong answer costs its distance, a certain right one nothing") {
  const Tensor logits = from_values<float>({1e4f, -1e4f, 1e4f, -1e4f}, {2, 2});
  const Tensor loss = cross_entropy(logits, from_values<std::int32_t>({0, 1})).loss;
  CHECK(loss.to_vector<float>() == std::vector<float>{0, 2e4f});
  CHECK(message_of([&] {
          cross_entropy(logits, from_values<std::int32_t>({0, 2}));
        }) == "cross_entropy: label 2 is out of range for 2 classes");
  CHECK(message_of([&] {
          cross_entropy(logits, from_values<std::int32_t>({-1, 1}));
        }) == "cross_entropy: label -1 is out of range for 2 classes");
  CHECK(message_of([&] { cross_entropy(logits, from_values<std::int32_t>({0})); }) ==
        "cross_entropy: expected logits [rows, classes] and int32 labels [rows], got [2, 2] and int32 [1]");
}
