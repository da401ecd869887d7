#include "autograd/estimators/estimators.h"

#include <cmath>
#include <string>

#include "autograd/estimators/enumeration.h"
#include "autograd/estimators/rebar.h"
#include "autograd/estimators/sloped_gate.h"
#include "autograd/gradcheck.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"
#include "tensor/capture.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/gate.h"
#include "tensor/ops/gate_slope.h"
#include "tensor/ops/reduce.h"
#include "tests/autograd/samples.h"
#include "tests/support/devices.h"

using namespace tk;
using namespace tk::test;

namespace {

constexpr std::int64_t kMany = 1000000;

bool takes_counts_alone(const Estimator& e) {
  return e.gates == nullptr && e.classes == nullptr && e.surrogate == nullptr;
}

// One gate, cost (b - 0.45)^2: mean and deviation of a single sample's gradient in z, by quadrature. `rao` is the
// deviation of Gumbel-Rao with infinitely many samples, whose mean is that of straight-through Gumbel-softmax.
struct Oracle {
  double theta, temperature;
  Moments straight_through, reinmax, gumbel;
  double rao;
  Moments soft;
};
const Oracle kOracle[] = {
    {0, 0.1, {0.250000, 2.500000}, {0.025, 0.25}, {0.024799, 0.647203}, 0.247989, {0.024799, 0.293588}},
    {0, 0.5, {0.050000, 0.500000}, {0.025, 0.25}, {0.021460, 0.279166}, 0.214602, {0.021460, 0.119350}},
    {0, 1, {0.025000, 0.250000}, {0.025, 0.25}, {0.016667, 0.182726}, 0.166667, {0.016667, 0.069408}},
    {0, 2, {0.012500, 0.125000}, {0.025, 0.25}, {0.010730, 0.109492}, 0.107301, {0.010730, 0.032204}},
    {1, 0.1, {0.000255, 0.000403}, {-0.176247, 0.112377}, {0.031980, 0.576387}, 0.205771, {0.028490, 0.263258}},
    {1, 0.5, {0.118037, 0.186221}, {-0.084418, 0.164195}, {0.063434, 0.249904}, 0.176813, {0.047953, 0.107903}},
    {1, 1, {0.110519, 0.174359}, {0.019661, 0.211459}, {0.068243, 0.162101}, 0.140645, {0.044723, 0.061613}},
    {1, 2, {0.066050, 0.104203}, {0.087260, 0.233298}, {0.053399, 0.096381}, 0.093016, {0.027621, 0.028918}}};

// The gradients of many independent nodes with logit theta: rows of one Bernoulli node, or of one categorical node with
// logits (0, theta).
Moments gradients(const std::string& name, double theta, double temperature, bool categorical, std::int64_t rows) {
  const Tensor state = make_step_state({.seed = 11, .step = 3, .temperature = temperature});
  const Surrogate surrogate = make_surrogate(choose_estimator(name, {.temperature = temperature}));
  const Draws draws = draws_of_rows(state, rows);
  if (!categorical) {
    const Variable z(full({rows, 1}, theta), true);
    sum(surrogate([](const Variable& b) { return square(reshape(b, {b.size(0)}) - 0.45); }, z, draws)).backward();
    return moments(z.grad());
  }
  const Variable logits(zeros({rows, 1, 2}), true);
  logits.value().select(2, 1).fill(theta);
  const Cost cost = [](const Variable& d) { return square(reshape(narrow(d, 2, 1, 1), {d.size(0)}) - 0.45); };
  sum(surrogate(cost, logits, draws)).backward();
  return moments(logits.grad().select(2, 1));
}

// The table's six digits are half a unit of the last one off.
void check(const std::string& name, double theta, double temperature, const Moments& expected) {
  for (const bool categorical : {false, true}) {
    const std::int64_t rows = categorical ? kMany / 20 : kMany;
    const Moments got = gradients(name, theta, temperature, categorical, rows);
    INFO(name << (categorical ? " of classes" : " of gates") << ", theta " << theta << ", temperature " << temperature
              << ": " << got.mean << " +- " << got.deviation << ", expected " << expected.mean << " +- "
              << expected.deviation);
    CHECK(std::fabs(got.mean - expected.mean) < 4 * expected.deviation / std::sqrt(double(rows)) + 1e-6);
    CHECK(got.deviation == Approx(expected.deviation).epsilon(0.03).margin(1e-6));
  }
}

}  // namespace

TEST_CASE("estimators: single-sample gradients have the closed form's mean and deviation", "[.slow]") {
  for (const Oracle& row : kOracle) {
    check("st", row.theta, row.temperature, row.straight_through);
    check("reinmax", row.theta, row.temperature, row.reinmax);
    check("st-gs", row.theta, row.temperature, row.gumbel);
    check("gs", row.theta, row.temperature, row.soft);
  }
  check("reinforce", 0, 1, {0.025000, 0.126250});
  check("reinforce", 1, 1, {0.019661, 0.101716});
}

TEST_CASE(
    "estimators: Gumbel-Rao has straight-through Gumbel-softmax's mean, and its variance falls as 1 / K to a rest",
    "[.slow]") {
  for (const Oracle& row : kOracle) {
    const double spread = row.gumbel.deviation * row.gumbel.deviation, rest = row.rao * row.rao;
    for (const int k : {1, 10}) {
      check("gr:" + std::to_string(k), row.theta, row.temperature,
            {row.gumbel.mean, std::sqrt(rest + (spread - rest) / k)});
    }
  }
}

TEST_CASE("estimators: zgr, fini-2 and ReinMax at temperature 1 are one estimator of gates, and of classes") {
  const Tensor z = random_normal({400, 1}, 5, DType::kFloat64);
  const Draws draws = draws_of_rows(make_step_state({.seed = 2}), 400);
  const auto gradient = [&](const char* name, const Tensor& logits, const Cost& cost) {
    const Variable x(logits, true);
    sum(make_surrogate(choose_estimator(name))(cost, x, draws)).backward();
    return x.grad();
  };
  const Cost gates = [](const Variable& b) { return exp(reshape(b, {b.size(0)}) * 0.7); };
  const Tensor expected = gradient("zgr", z, gates);
  CHECK(difference(gradient("fini-2", z, gates), expected, kSameInFloat64) == "");
  CHECK(difference(gradient("reinmax", z, gates), expected, kSameInFloat64) == "");
  const Tensor logits = random_normal({400, 2, 5}, 6, DType::kFloat64);
  const Tensor w = random_normal({10, 1}, 7, DType::kFloat64);
  const Cost classes = [w](const Variable& d) {
    return square(reshape(matmul(reshape(d, {400, 10}), Variable(w)), {400}));
  };
  CHECK(difference(gradient("reinmax", logits, classes), gradient("zgr", logits, classes), kSameInFloat64) == "");
}

TEST_CASE("estimators: Gumbel-Rao goes to zgr as its temperature falls") {
  const std::int64_t gates = 200;
  const Tensor z = random_normal({gates, 1}, 3, DType::kFloat64);
  const Tensor noise = logistic_noise(draws_of_rows(make_step_state({}), gates).key(0), 1, DType::kFloat64);
  const auto distance = [&](double temperature) {
    const Draws draws = draws_of_rows(make_step_state({.temperature = temperature}), gates);
    const GateRule rao{.slope = GateSlope::kGumbelRao, .samples = 20000, .key = draws.key(1)};
    const GateRule limit{.slope = GateSlope::kLeastNorm};
    const Tensor a = gate_slope(z, noise, draws.state, rao).slope, b = gate_slope(z, noise, draws.state, limit).slope;
    return moments(sub(a, b)).deviation;
  };
  CHECK(distance(1) > 0.05);
  CHECK(distance(0.3) < distance(1) / 2);
  CHECK(distance(0.05) < 0.02);
}

namespace {

// The mean over all states of nodes, each with its probability, of the gradient that an estimator without noise in its
// backward gives there.
Tensor mean_gradient(GateSlope slope, const Tensor& z, const Cost& cost) {
  const Tensor states = all_choices(z);
  Tensor mean = zeros_like(z);
  for (std::int64_t i = 0; i < states.shape()[0]; ++i) {
    const Tensor choice = states.narrow(0, i, 1);
    const Variable x(z, true);
    const Tensor decisive = affine(choice, 1000, -500);
    sum(cost(sloped_gate(x, decisive, make_step_state({}), {.slope = slope}))).backward();
    add_to(mean, mul(x.grad(), exp(log_probability(z, choice)).reshape({1, 1})));
  }
  return mean;
}

Tensor exact_gradient(const Tensor& logits, const Cost& cost) {
  const Variable x(logits, true);
  sum(enumerate(cost, x)).backward();
  return x.grad();
}

}  // namespace

TEST_CASE("estimators: ReinMax and fini-2 have no bias for quadratic costs, and some for cubic ones") {
  const Tensor z = random_normal({1, 4}, 8, DType::kFloat64);
  const Tensor w = random_normal({4, 3}, 9, DType::kFloat64);
  const auto power = [&](int n) -> Cost {
    return [w, n](const Variable& b) {
      const Variable x = matmul(b, Variable(w)) + 0.3;
      return sum(n == 2 ? square(x) : square(x) * x, 1);
    };
  };
  for (const GateSlope slope : {GateSlope::kReinMax, GateSlope::kLeastNorm}) {
    CHECK(difference(mean_gradient(slope, z, power(2)), exact_gradient(z, power(2)), kSameInFloat64) == "");
    CHECK(difference(mean_gradient(slope, z, power(3)), exact_gradient(z, power(3)), {1e-3, 1e-3}) != "");
  }
  CHECK(difference(mean_gradient(GateSlope::kStraightThrough, z, power(2)), exact_gradient(z, power(2)),
                   {1e-3, 1e-3}) != "");
}

namespace {

// tanh(b W1) . w2 with weights of a seed: a function of bits, or classes, that no polynomial of low degree is.
Cost random_function(std::int64_t inputs, std::uint64_t seed, DType dtype) {
  const Tensor w1 = random_normal({inputs, 8}, seed, DType::kFloat64).to(dtype);
  const Tensor w2 = random_normal({8, 1}, seed + 1, DType::kFloat64).to(dtype);
  return [=](const Variable& x) {
    const Variable flat = reshape(x, {x.size(0), inputs});
    return reshape(matmul(tanh(matmul(flat, Variable(w1)) - 0.2), Variable(w2)), {x.size(0)});
  };
}

// Many estimates beside the exact gradient, in standard errors of their mean: the largest distance of any element.
double most_errors_off(const Estimator& estimator, const Tensor& logits, std::uint64_t seed) {
  const ThreadCount one(1);  // small products: starting a team of threads would take longer than they do
  constexpr std::int64_t kRows = 2000, kCalls = 20;
  const std::int64_t inputs = logits.numel();
  Shape shape = logits.shape();
  shape[0] = kRows;
  const Tensor many = logits.to(DType::kFloat32).expand(shape).contiguous();
  const Surrogate surrogate = make_surrogate({&estimator, {.temperature = 0.5, .samples = 3}});
  const Cost cost = random_function(inputs, seed, DType::kFloat32);
  Tensor total = zeros({1, inputs}, DType::kFloat64), squares = total.clone();
  for (std::int64_t call = 0; call < kCalls; ++call) {
    const Variable x(many, true);
    const Tensor state = make_step_state({.seed = seed, .step = call, .temperature = 0.5});
    sum(surrogate(cost, x, draws_of_rows(state, kRows))).backward();
    const Tensor g = x.grad().reshape({kRows, inputs}).to(DType::kFloat64);
    add_to(total, sum(g, 0).reshape({1, inputs}));
    add_to(squares, sum(square(g), 0).reshape({1, inputs}));
  }
  const double n = kRows * kCalls;
  const Tensor exact = exact_gradient(logits, random_function(inputs, seed, DType::kFloat64)).reshape({1, inputs});
  double most = 0;
  for (std::int64_t i = 0; i < inputs; ++i) {
    const double mean = total.data<double>()[i] / n;
    const double error = std::sqrt((squares.data<double>()[i] / n - mean * mean) / n);
    most = std::max(most, std::fabs(mean - exact.data<double>()[i]) / (error + 1e-7));
  }
  return most;
}

}  // namespace

TEST_CASE("estimators: what says that it is unbiased equals enumeration on random functions of up to 10 bits") {
  for (const Estimator& estimator : estimators()) {
    if (estimator.bias != Bias::kUnbiased) continue;
    for (const std::int64_t bits : {1, 3, 10}) {
      INFO(estimator.name << ", " << bits << " bits");
      CHECK(most_errors_off(estimator, random_normal({1, bits}, 40, DType::kFloat64), 50) < 4.5);
    }
    if (estimator.bernoulli_only) continue;
    INFO(estimator.name << ", 3 nodes of 3 classes");
    CHECK(most_errors_off(estimator, random_normal({1, 3, 3}, 41, DType::kFloat64), 60) < 4.5);
  }
}

TEST_CASE("estimators: the check of unbiasedness sees a bias") {
  const Tensor z = random_normal({1, 10}, 40, DType::kFloat64);
  CHECK(most_errors_off(*choose_estimator("st").estimator, z, 50) > 10);
  CHECK(most_errors_off(*choose_estimator("st-gs").estimator, random_normal({1, 3, 3}, 41, DType::kFloat64), 60) > 10);
}

TEST_CASE("estimators: control variates lower the variance of the score function") {
  const Tensor z = random_normal({1, 6}, 42, DType::kFloat64);
  const auto deviation = [&](const char* name) {
    constexpr std::int64_t kRows = 2000;
    const int calls = name == std::string("relax") ? 100 : 3;  // it learns
    const Surrogate surrogate = make_surrogate(choose_estimator(name, {.temperature = 0.5}));
    const Cost cost = random_function(6, 70, DType::kFloat32);
    Moments last{};
    for (std::int64_t call = 0; call < calls; ++call) {
      const Variable x(z.to(DType::kFloat32).expand({kRows, 6}).contiguous(), true);
      sum(surrogate([&](const Variable& b) { return cost(b) + 2.0; }, x,
                    draws_of_rows(make_step_state({.step = call}), kRows)))
          .backward();
      last = moments(x.grad().select(1, 0));
    }
    return last.deviation;
  };
  const double plain = deviation("reinforce");
  for (const char* name : {"reinforce-ma", "rloo", "disarm", "rebar", "relax", "double-cv"}) {
    const double controlled = deviation(name);
    INFO(name << ' ' << controlled << " against " << plain);
    CHECK(controlled < 0.8 * plain);
  }
}

TEST_CASE("rebar: the learnt weight goes to where the variance is least") {
  // A cost that is far from its relaxation, so that the least is not near 1.
  const Cost cost = [](const Variable& b) { return square(reshape(b, {b.size(0)}) * 3.0 - 1.0); };
  constexpr std::int64_t kRows = 20000;
  const auto variance = [&](double weight) {
    const Variable z(full({kRows, 1}, 0.4), true);
    sum(rebar(cost, z, draws_of_rows(make_step_state({.seed = 3}), kRows), 0.5, weight)).backward();
    const Moments m = moments(z.grad());
    return m.deviation * m.deviation + m.mean * m.mean;
  };
  // The square of r + w c is quadratic in w.
  const double at0 = variance(0), at1 = variance(1), at2 = variance(2);
  const double curvature = at2 - 2 * at1 + at0, least = 1 - (at2 - at0) / (2 * curvature);
  const Rebar learning({.temperature = 0.5, .learning_rate = 0.02});
  CHECK(learning.weight() == 1);
  for (std::int64_t step = 0; step < 800; ++step) {
    const Variable z(full({1000, 1}, 0.4), true);
    sum(learning(cost, z, draws_of_rows(make_step_state({.seed = 4, .step = step}), 1000))).backward();
  }
  INFO("learnt " << learning.weight() << ", least at " << least);
  CHECK(std::fabs(least - 1) > 0.1);
  CHECK(learning.weight() == Approx(least).epsilon(0.05));
}

TEST_CASE("estimators: what a cost else depends on has its gradient, whatever the estimator") {
  const std::int64_t rows = 20000;
  for (const Estimator& estimator : estimators()) {
    if (estimator.name == std::string("gs")) continue;  // its choices are soft, and have another mean
    if (takes_counts_alone(estimator)) continue;
    const Variable z(full({rows, 2}, 0.4), true);
    const Variable w(from_values<float>({2}), true);
    const Surrogate surrogate = make_surrogate(choose_estimator(estimator.name));
    const Cost cost = [&](const Variable& b) { return sum(b * w, 1); };
    mean(surrogate(cost, z, draws_of_rows(make_step_state({}), rows))).backward();
    INFO(estimator.name);
    CHECK(w.grad().item() == Approx(2 / (1 + std::exp(-0.4))).epsilon(0.02));
  }
}

TEST_CASE("estimators: names find them, numbers of samples follow a colon, and what there is not is said") {
  CHECK(choose_estimator("gr").options.samples == 10);
  CHECK(choose_estimator("gr:100").options.samples == 100);
  CHECK(choose_estimator("rloo", {.samples = 7}).options.samples == 7);
  CHECK(message_of([] { choose_estimator("st:4"); }) == "estimator \"st:4\": st takes no number of samples");
  CHECK(message_of([] { choose_estimator("gr:x"); }) ==
        "estimator \"gr:x\": expected a number of samples from 1 to 100000 after the colon");
  CHECK(message_of([] { choose_estimator("gumbel"); }).starts_with("unknown estimator \"gumbel\"; known: st-gs, gs, "));
  CHECK(message_of([] {
          make_surrogate(choose_estimator("disarm"))([](const Variable& x) { return x; }, Variable(zeros({2, 1, 3})),
                                                     draws_of_rows(make_step_state({}), 2));
        }) == "disarm: expected logits [rows, nodes], got [2, 1, 3]");
  CHECK(message_of([] {
          make_surrogate(choose_estimator("fini-3"))([](const Variable& x) { return x; }, Variable(zeros({2, 1})),
                                                     draws_of_rows(make_step_state({}), 2));
        }) == "fini-3: takes counts alone");
}

TEST_CASE("estimators: the same draws give the same bits, whatever the number of threads") {
  for (const Estimator& estimator : estimators()) {
    if (takes_counts_alone(estimator)) continue;
    const auto run = [&](int threads) {
      const ThreadCount count(threads);
      const Variable z(random_normal({3000, 3}, 12), true);
      const Draws draws = draws_of_rows(make_step_state({.seed = 4}), 3000);
      sum(make_surrogate(choose_estimator(estimator.name))(random_function(3, 13, DType::kFloat32), z, draws))
          .backward();
      return z.grad();
    };
    INFO(estimator.name);
    CHECK(same_bits(run(1), run(2)));
  }
}

TEST_CASE("cuda estimators: choices and gradients are the CPU's") {
  if (!has_cuda()) return;
  for (const Estimator& estimator : estimators()) {
    for (const bool categorical : {false, true}) {
      if (takes_counts_alone(estimator)) continue;
      if (categorical &&
          (estimator.classes == nullptr && (estimator.surrogate == nullptr || estimator.bernoulli_only))) {
        continue;
      }
      const auto run = [&](Device device) {
        const Shape shape = categorical ? Shape{300, 2, 3} : Shape{300, 6};
        const Variable z(random_normal(shape, 12, DType::kFloat64).to(device), true);
        const Tensor w = random_normal({6, 1}, 13, DType::kFloat64).to(device);
        const Cost cost = [w](const Variable& d) {
          return reshape(square(matmul(reshape(d, {d.size(0), 6}), Variable(w))), {d.size(0)});
        };
        const Draws draws = draws_of_rows(make_step_state({.seed = 4, .temperature = 0.8}, device), 300);
        sum(make_surrogate(choose_estimator(estimator.name, {.temperature = 0.8}))(cost, z, draws)).backward();
        return z.grad().to(Device::kCpu);
      };
      INFO(estimator.name << (categorical ? " of classes" : " of gates"));
      CHECK(difference(run(Device::kCuda), run(Device::kCpu), {1e-5, 1e-5}) == "");
    }
  }
}

TEST_CASE("cuda estimators: a recorded step draws anew and follows the state's temperature at each replay") {
  if (!has_cuda()) return;
  const std::int64_t rows = 100;
  for (const char* name :
       {"st-gs", "gs", "st", "gr", "zgr", "gst-1", "gst-p", "reinmax", "reinmax-rao", "reinmax-cv"}) {
    const Tensor state = make_step_state({.seed = 4, .step = 1}, Device::kCuda);
    const Tensor z = random_normal({rows, 2}, 3).to(Device::kCuda);
    const Tensor slopes = zeros({rows, 2}, DType::kFloat32, Device::kCuda);
    const Draws draws = draws_of_rows(state, rows);
    const ChosenEstimator chosen = choose_estimator(name);
    const auto step = [&] {
      const Variable x(z, true);
      sum(chosen.estimator->gates(x, {}, draws, chosen.options)).backward();
      slopes.copy_from(x.grad());
    };
    step();
    const Capture capture = Capture::record(Device::kCuda, step);
    for (const StepState& now :
         {StepState{.seed = 4, .step = 2}, StepState{.seed = 4, .step = 2, .temperature = 0.5}}) {
      write_step_state(state, now);
      capture.replay();
      const Tensor replayed = slopes.to(Device::kCpu);
      step();
      INFO(name);
      CHECK(same_bits(replayed, slopes.to(Device::kCpu)));
    }
  }
}
