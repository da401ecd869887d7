#include "autograd/estimators/gumbel_softmax.h"

#include <cmath>
#include <limits>
#include <utility>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/gate.h"
#include "tensor/ops/join.h"
#include "tensor/ops/reduce.h"
#include "tests/autograd/samples.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/passes.h"

using namespace tk;
using namespace tk::test;

namespace {

// The single-sample gradient of (b - 0.45)^2 in the logit difference, b the keep gate: closed form (quadrature).
struct Oracle {
  double theta;
  double temperature;
  Moments straight_through;  // ST-GS
  Moments soft;
};
const Oracle kOracle[] = {
    {0, 0.1, {0.024799, 0.647203}, {0.024799, 0.293588}}, {0, 0.5, {0.021460, 0.279166}, {0.021460, 0.119350}},
    {0, 1, {0.016667, 0.182726}, {0.016667, 0.069408}},   {0, 2, {0.010730, 0.109492}, {0.010730, 0.032204}},
    {1, 0.1, {0.031980, 0.576387}, {0.028490, 0.263258}}, {1, 0.5, {0.063434, 0.249904}, {0.047953, 0.107903}},
    {1, 1, {0.068243, 0.162101}, {0.044723, 0.061613}},   {1, 2, {0.053399, 0.096381}, {0.027621, 0.028918}}};

Variable cost(const Variable& b) { return square(b - 0.45); }

}  // namespace

TEST_CASE("gumbel_softmax: straight-through and soft gradients have the closed form's mean and deviation") {
  const Tensor noise = gumbel_noise(sample_key(), 2);
  for (const Oracle& row : kOracle) {
    for (const bool hard : {true, false}) {
      // With logits (0, theta) the gradient in the second is that in the difference.
      const Variable logits(zeros({kSamples, 2}), true);
      logits.value().select(1, 1).fill(row.theta);
      const Variable sample = gumbel_softmax(logits, noise, row.temperature, hard);
      sum(cost(reshape(narrow(sample, 1, 1, 1), {kSamples}))).backward();
      INFO("theta " << row.theta << ", temperature " << row.temperature << ", hard " << hard);
      check_moments(moments(logits.grad().select(1, 1)), hard ? row.straight_through : row.soft);
    }
  }
}

TEST_CASE("gumbel_gate: the gradient has the closed form's mean and deviation") {
  const Tensor noise = logistic_noise(sample_key(), 1).squeeze(1);
  for (const Oracle& row : kOracle) {
    StepState state;
    state.temperature = row.temperature;
    const Variable z(full({kSamples}, row.theta), true);
    sum(cost(gumbel_gate(z, noise, make_step_state(state)))).backward();
    INFO("theta " << row.theta << ", temperature " << row.temperature);
    check_moments(moments(z.grad()), row.straight_through);
  }
}

TEST_CASE("gumbel_gate: keeps with probability sigmoid(z), as gumbel_softmax does") {
  const Tensor logistic = logistic_noise(sample_key(), 1).squeeze(1);
  const Tensor gumbel = gumbel_noise(sample_key(), 2);
  const Tensor state = make_step_state({});
  for (const float z : {-3.0f, 0.0f, 1.5f}) {
    const double p = 1 / (1 + std::exp(-double{z}));
    const double error = 5 * std::sqrt(p * (1 - p) / kSamples);
    CHECK(std::fabs(moments(gumbel_gate(Variable(full({kSamples}, z)), logistic, state).value()).mean - p) < error);
    const Variable logits(from_values<float>({0, z}).expand({kSamples, 2}));
    const Tensor one_hot = gumbel_softmax(logits, gumbel, 1, true).value();
    CHECK(std::fabs(moments(one_hot.narrow(1, 1, 1)).mean - p) < error);
  }
}

TEST_CASE("gumbel_gate: the state's factor scales the noise, and without noise the sign of z decides") {
  const Tensor noise = from_values<float>({-2, -2, 2, 2});
  const auto gate = [&](double factor) {
    const Variable z(from_values<float>({1.5, 0.5, -1.5, -0.5}), true);
    const Variable y = gumbel_gate(z, noise, make_step_state({.gate_noise = factor}));
    sum(y).backward();
    return std::pair(y.value().to_vector<float>(), z.grad().to_vector<float>());
  };
  CHECK(gate(1).first == std::vector<float>{0, 0, 1, 1});
  CHECK(gate(0.5).first == std::vector<float>{1, 0, 0, 1});
  const auto [hard, gradient] = gate(0);
  CHECK(hard == std::vector<float>{1, 1, 0, 0});
  const double soft = 1 / (1 + std::exp(-1.5));
  CHECK(gradient[0] == Approx(soft * (1 - soft)));
}

TEST_CASE("gumbel_gate: equals the kept class of gumbel_softmax under the same difference of noise") {
  const Tensor noise = gumbel_noise(dropout_key(0, packed_rows()), 2, DType::kFloat64);
  const Tensor difference_of_noise = sub(noise.select(1, 1), noise.select(1, 0));
  for (const double temperature : {0.3, 1.0, 2.0}) {
    StepState state;
    state.temperature = temperature;
    const Tensor tensor = make_step_state(state);
    const auto gate = [&](const Variables& x) {
      const Variable z = reshape(narrow(x[0], 1, 1, 1) - narrow(x[0], 1, 0, 1), {15});
      return gumbel_gate(z, difference_of_noise, tensor);
    };
    const auto softmax_gate = [&](const Variables& x) {
      return reshape(narrow(gumbel_softmax(x[0], noise, temperature, true), 1, 1, 1), {15});
    };
    const Tensors logits = {normal({15, 2}, 1)};
    CHECK(difference(run(gate, logits), run(softmax_gate, logits), kSameInFloat64) == "");
  }
}

TEST_CASE("decoupled_gumbel_softmax: has the value of one temperature and the gradient of the other") {
  const Tensor noise = random_normal({20, 4}, 2, DType::kFloat64), x = random_normal({20, 4}, 1, DType::kFloat64);
  const auto sample = [&](double temperature) {
    return run([&](const Variables& in) { return gumbel_softmax(in[0], noise, temperature, false); }, {x});
  };
  const Pass got = run([&](const Variables& in) { return decoupled_gumbel_softmax(in[0], noise, 0.3, 1.5); }, {x});
  CHECK(same_bits(got.value, sample(0.3).value));
  CHECK(same_bits(got.grads[0], sample(1.5).grads[0]));
}

TEST_CASE("gumbel_softmax: classes come with their softmax probabilities") {
  const Tensor noise = gumbel_noise(sample_key(), 5);
  const std::vector<float> logits = {0.5f, -1, 2, 0, 1};
  double total = 0;
  for (const float x : logits) total += std::exp(double{x});
  const Tensor one_hot = gumbel_softmax(Variable(from_values(logits).expand({kSamples, 5})), noise, 0.5, true).value();
  for (std::int64_t c = 0; c < 5; ++c) {
    const double p = std::exp(double{logits[static_cast<std::size_t>(c)]}) / total;
    CHECK(std::fabs(moments(one_hot.narrow(1, c, 1)).mean - p) < 5 * std::sqrt(p * (1 - p) / kSamples));
  }
}

TEST_CASE("gumbel_softmax: hard samples are one-hot at the largest entry, soft ones sum to one") {
  for (const std::int64_t classes : {1, 2, 3, 7, 100}) {
    const Variable logits(random_normal({50, classes}, 1));
    const Tensor noise = random_normal({50, classes}, 2);
    const Tensor hard = gumbel_softmax(logits, noise, 0.7, true).value();
    const Tensor soft = gumbel_softmax(logits, noise, 0.7, false).value();
    const Tensor noisy = add(logits.value(), noise);
    CHECK(difference(sum(soft, 1), full({50}, 1), kFloat32) == "");
    for (std::int64_t row = 0; row < 50; ++row) {
      const float* x = noisy.data<float>() + row * classes;
      const auto largest = std::max_element(x, x + classes) - x;
      for (std::int64_t c = 0; c < classes; ++c) {
        if (hard.data<float>()[row * classes + c] != (c == largest ? 1.0f : 0.0f)) FAIL_CHECK("row " << row);
      }
    }
  }
}

TEST_CASE("gumbel_softmax: a tie goes to the first class") {
  const Tensor zero = zeros({1, 3});
  CHECK(gumbel_softmax(Variable(zero), zero, 1, true).value().to_vector<float>() == std::vector<float>{1, 0, 0});
  CHECK(gumbel_gate(Variable(zeros({1})), zeros({1}), make_step_state({})).item() == 0);  // z > 0 keeps
}

namespace {

// The slope of an open gate, of a shut one and of one that lies on its threshold is the soft sample's whole p (1 - p).
void check_slopes(Device device, DType dtype, double tolerance) {
  const std::vector<double> z = {2.5, -2.5, 0.25, -0.25, 0, 0.75, -0.75, 6, -6};
  const std::vector<double> noise = {0, 0, 0, 0, 0, -0.75, 0.75, -6, 0};  // z + noise is 0 in places: ties
  const auto on_device = [&](const std::vector<double>& x) { return from_values(x).to(dtype).to(device); };
  for (const double temperature : {1.0, 0.5}) {
    const Tensor state = make_step_state({.temperature = temperature}, device);
    const Variable score(on_device(z), true);
    const Variable gate = gumbel_gate(score, on_device(noise), state);
    sum(gate).backward();
    // The same gate as the kept one of two classes.
    const auto n = std::ssize(z);
    const Tensor zero = zeros({n, 1}, dtype, device);
    const auto classes = [&](const std::vector<double>& x) {
      return join(Tensors{zero, on_device(x).reshape({n, 1})}, 1);
    };
    const Variable logits(classes(z), true);
    sum(narrow(gumbel_softmax(logits, classes(noise), temperature, true), 1, 1, 1)).backward();
    const std::vector<double> open = gate.value().to(DType::kFloat64).to_vector<double>();
    const std::vector<double> slope = score.grad().to(DType::kFloat64).to_vector<double>();
    const std::vector<double> in_classes =
        logits.grad().select(1, 1).contiguous().to(DType::kFloat64).to_vector<double>();
    for (std::size_t i = 0; i < z.size(); ++i) {
      INFO("z " << z[i] << ", noise " << noise[i] << ", temperature " << temperature);
      const double p = 1 / (1 + std::exp(-(z[i] + noise[i]) / temperature));
      CHECK(open[i] == (z[i] + noise[i] > 0 ? 1 : 0));
      CHECK(slope[i] == Approx(p * (1 - p) / temperature).epsilon(tolerance).margin(tolerance));
      CHECK(in_classes[i] == Approx(p * (1 - p) / temperature).epsilon(tolerance).margin(tolerance));
    }
  }
}

}  // namespace

TEST_CASE("gumbel_gate: an open gate, a shut one and a tie have the whole slope p (1 - p), to rounding") {
  check_slopes(Device::kCpu, DType::kFloat64, 1e-15);
  check_slopes(Device::kCpu, DType::kFloat32, 2e-7);
}

TEST_CASE("cuda gumbel_gate: an open gate, a shut one and a tie have the whole slope p (1 - p), to rounding") {
  if (!has_cuda()) return;
  check_slopes(Device::kCuda, DType::kFloat64, 1e-15);
  check_slopes(Device::kCuda, DType::kFloat32, 2e-7);
}

TEST_CASE("gumbel_softmax: temperature sharpens and flattens the sample") {
  const Variable logits(from_values<float>({0, 1, 2}, {1, 3}));
  const Tensor noise = zeros({1, 3});
  const Tensor cold = gumbel_softmax(logits, noise, 0.01, false).value();
  CHECK(difference(cold, from_values<float>({0, 0, 1}, {1, 3}), kFloat32) == "");
  const Tensor hot = gumbel_softmax(logits, noise, 1e6, false).value();
  CHECK(difference(hot, full({1, 3}, 1.0 / 3), kFloat32) == "");
  CHECK(message_of([&] { gumbel_softmax(logits, noise, 0, true); }) ==
        "gumbel_softmax: expected a temperature above 0, got 0");
  StepState state;
  state.temperature = 0;
  CHECK(message_of([&] { gumbel_gate(Variable(zeros({1})), zeros({1}), make_step_state(state)); }) ==
        "hard_gate: expected a temperature above 0, got 0");
}

TEST_CASE("gumbel_softmax: extreme logits and low temperatures make no NaN") {
  const float huge = 1e30f;
  const float never = -std::numeric_limits<float>::infinity();
  const std::vector<float> values = {huge, 0, -huge, 1e4f, never, 88, 0, never, -huge};
  const Tensor noise = gumbel_noise(dropout_key(0, make_packed({3}, {5})), 3);
  for (const double temperature : {1.0, 0.1, 1e-3}) {
    for (const bool hard : {true, false}) {
      const Variable x(from_values(values, {3, 3}), true);
      const Variable y = gumbel_softmax(x, noise, temperature, hard);
      y.backward(random_normal({3, 3}, 1));
      for (const float v : y.value().to_vector<float>()) CHECK(std::isfinite(v));
      for (const float v : x.grad().to_vector<float>()) CHECK(std::isfinite(v));
    }
    StepState state;
    state.temperature = temperature;
    const Variable z(from_values<float>({huge, -huge, 1e4f, never}), true);
    const Variable gate =
        gumbel_gate(z, logistic_noise(dropout_key(0, make_packed({4}, {5})), 1).squeeze(1), make_step_state(state));
    gate.backward(full({4}, 1));
    CHECK(gate.value().to_vector<float>() == std::vector<float>{1, 0, 1, 0});
    CHECK(z.grad().to_vector<float>() == std::vector<float>{0, 0, 0, 0});
  }
}

TEST_CASE("noise: the smallest and largest uniform numbers give finite noise") {
  for (const std::uint32_t word : {0u, 0xffffffffu}) {
    const float u = open_uniform(word);
    CHECK(std::isfinite(std::log(u) - std::log1p(-u)));
    CHECK(std::isfinite(-std::log(-std::log(u))));
  }
}

TEST_CASE("noise: moments are those of the Gumbel and the logistic distribution") {
  const Moments gumbel = moments(gumbel_noise(sample_key(), 1));
  const double pi = std::acos(-1.0);
  CHECK(gumbel.mean == Approx(0.577216).margin(5 * pi / std::sqrt(6.0 * kSamples)));
  CHECK(gumbel.deviation == Approx(pi / std::sqrt(6)).epsilon(0.02));
  const Moments logistic = moments(logistic_noise(sample_key(), 1));
  CHECK(logistic.mean == Approx(0).margin(5 * pi / std::sqrt(3.0 * kSamples)));
  CHECK(logistic.deviation == Approx(pi / std::sqrt(3)).epsilon(0.02));
}
