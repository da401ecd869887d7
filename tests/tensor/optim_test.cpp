#include "tensor/ops/optim.h"

#include <cmath>

#include "tensor/ops/elementwise.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

StepState two_groups(std::int64_t step) {
  StepState state;
  state.step = step;
  state.learning_rate[0] = 1e-2;
  state.learning_rate[1] = 3e-3;
  state.weight_decay[0] = 0.1;
  return state;
}

// Rows of begin, end and group, all of which decay.
Tensor segments(const std::vector<std::int64_t>& rows) {
  const auto n = static_cast<std::int64_t>(rows.size()) / 3;
  const Tensor table = full({n, 4}, 1, DType::kInt64);
  table.narrow(1, 0, 3).copy_from(from_values(rows, {n, 3}));
  return table;
}

// AdamW as its paper writes it, in double: bias-corrected moments, decay decoupled from them.
struct Adam {
  std::vector<double> value, m, v;

  explicit Adam(const Tensor& x) : value(x.to(DType::kFloat64).to_vector<double>()), m(value.size()), v(value.size()) {}

  void step(const Tensor& grad, const StepState& state, int group, std::size_t begin, std::size_t end) {
    const double t = static_cast<double>(state.step);
    for (std::size_t i = begin; i < end; ++i) {
      const double g = grad.data<float>()[i] * state.clip_factor();
      m[i] = 0.9 * m[i] + 0.1 * g;
      v[i] = 0.999 * v[i] + 0.001 * g * g;
      const double m_hat = m[i] / (1 - std::pow(0.9, t));
      const double v_hat = v[i] / (1 - std::pow(0.999, t));
      value[i] -= state.learning_rate[group] * state.weight_decay[group] * value[i];
      value[i] -= state.learning_rate[group] * m_hat / (std::sqrt(v_hat) + 1e-8);
    }
  }
};

}  // namespace

TEST_CASE("adamw: equals the textbook over several steps, groups, with decay and clipping") {
  constexpr std::int64_t kN = 1003;
  const Tensor value = random_normal({kN}, 1);
  const Tensor m = zeros({kN}), v = zeros({kN});
  const Tensor before = value.clone();
  Adam expected(value);
  for (std::int64_t step = 1; step <= 6; ++step) {
    const Tensor grad = random_normal({kN}, 10 + static_cast<std::uint64_t>(step));
    StepState state = two_groups(step);
    state.max_grad_norm = step % 2 == 0 ? 1 : 0;
    state.grad_norm = norm_of(grad);
    expected.step(grad, state, 0, 0, 700);
    expected.step(grad, state, 1, 700, 1000);
    const std::uint64_t version = value.version();
    const Tensor read = grad.clone();
    adamw(value, grad, m, v, Tensor(), segments({0, 700, 0, 700, 1000, 1}), make_step_state(state), {});
    CHECK(value.version() == version + 1);
    CHECK(same_bits(grad, read));
  }
  CHECK(difference(value.narrow(0, 0, 1000), from_values(expected.value).narrow(0, 0, 1000), kFloat32) == "");
  CHECK(difference(m, from_values(expected.m), kFloat32) == "");
  CHECK(difference(v, from_values(expected.v), kFloat32) == "");
  CHECK(same_bits(value.narrow(0, 1000, 3), before.narrow(0, 1000, 3)));  // in no segment
}

TEST_CASE("adamw, sgd: a segment that does not decay moves as without weight decay, at its group's rate") {
  const auto run = [](std::int64_t decays, double decay, bool with_momentum) {
    StepState state = two_groups(1);
    state.weight_decay[0] = decay;
    const Tensor value = random_normal({100}, 1), grad = random_normal({100}, 2), m = zeros({100}), v = zeros({100});
    const Tensor segment = from_values<std::int64_t>({0, 100, 0, decays}, {1, 4});
    if (with_momentum) {
      sgd(value, grad, m, segment, make_step_state(state), 0.9);
    } else {
      adamw(value, grad, m, v, Tensor(), segment, make_step_state(state), {});
    }
    return value;
  };
  for (const bool with_momentum : {false, true}) {
    CHECK(same_bits(run(0, 0.1, with_momentum), run(1, 0, with_momentum)));
    CHECK_FALSE(same_bits(run(1, 0.1, with_momentum), run(1, 0, with_momentum)));
  }
}

TEST_CASE("adamw: the same bits for one and two threads, and however the buffer is cut into segments") {
  constexpr std::int64_t kN = 100003;
  const auto run = [](int n, const std::vector<std::int64_t>& cuts) {
    const ThreadCount threads(n);
    const Tensor value = random_normal({kN}, 1), m = zeros({kN}), v = zeros({kN});
    for (std::int64_t step = 1; step <= 2; ++step) {
      adamw(value, random_normal({kN}, 5), m, v, Tensor(), segments(cuts), make_step_state(two_groups(step)), {});
    }
    return value;
  };
  const Tensor whole = run(1, {0, kN, 0});
  CHECK(same_bits(run(2, {0, kN, 0}), whole));
  CHECK(same_bits(run(2, {0, 17, 0, 17, 50001, 0, 50001, kN, 0}), whole));
}

TEST_CASE("adamw_rows: the same bits as the dense update of the scattered gradient") {
  constexpr std::int64_t kRows = 50;
  for (const double decay : {0.0, 0.1}) {
    for (const std::int64_t cols : {1, 5, 64}) {
      const Tensor dense = random_normal({kRows, cols}, 1);
      const Tensor sparse = dense.clone();
      const Tensor start = dense.clone();
      const Tensor m = zeros({kRows, cols}), v = zeros({kRows, cols});
      const Tensor m_flat = zeros({kRows * cols}), v_flat = zeros({kRows * cols});
      const Tensor touched = zeros({kRows}, DType::kBool);
      for (std::int64_t step = 1; step <= 5; ++step) {
        StepState state = two_groups(step);
        state.weight_decay[1] = decay;
        state.max_grad_norm = 1;
        state.grad_norm = 3;
        // Rows 0 to 29, some once, some in several steps, some never.
        const Tensor ids = empty({8}, DType::kInt32);
        for (std::int32_t i = 0; i < 8; ++i) {
          ids.data<std::int32_t>()[i] = (i * 7 + static_cast<std::int32_t>(step) * 3) % 30;
        }
        const SparseRows grad = coalesce({ids, random_normal({8, cols}, static_cast<std::uint64_t>(step))});
        const SparseRows named = named_rows(grad);
        const Tensor scattered = index_add(named.rows, named.ids, kRows).reshape({kRows * cols});
        adamw_rows(sparse, m, v, touched, grad, {1}, make_step_state(state), {});
        adamw(dense.reshape({kRows * cols}), scattered, m_flat, v_flat, Tensor(), segments({0, kRows * cols, 1}),
              make_step_state(state), {});
      }
      INFO("decay " << decay << ", cols " << cols);
      CHECK(same_bits(sparse, dense));
      CHECK(same_bits(m, m_flat.reshape({kRows, cols})));
      CHECK(same_bits(v, v_flat.reshape({kRows, cols})));
      CHECK(same_bits(sparse.narrow(0, 30, 20), start.narrow(0, 30, 20)) == (decay == 0));
      for (std::int64_t row = 30; row < kRows; ++row) CHECK_FALSE(touched.data<bool>()[row]);
      CHECK(difference(m.narrow(0, 30, 20), zeros({20, cols}), {0, 0}) == "");
    }
  }
}

TEST_CASE("adamw: what it needs is checked") {
  const Tensor x = zeros({10}), table = zeros({4, 3}), touched = zeros({4}, DType::kBool);
  const Tensor state = make_step_state(two_groups(1));
  CHECK(message_of([&] {
          adamw(x, x, x, x, Tensor(), segments({0, 10, 0}), make_step_state(two_groups(0)), {});
        }) == "adamw: expected a step of at least 1, got 0");
  CHECK(message_of([&] {
          adamw(x, zeros({9}), x, x, Tensor(), segments({0, 10, 0}), state, {});
        }) == "adamw: expected flat float32 buffers of [10], got float32 [9]");
  CHECK(message_of([&] {
          adamw(x, x, x, zeros({20}).reshape({10, 2}).select(1, 0), Tensor(), segments({0, 1, 0}), state, {});
        }) != "no error");
  CHECK(message_of([&] {
          adamw(x, x, x, x, Tensor(), segments({0, 11, 0}), state, {});
        }) == "adamw: segment 0 does not fit 10 elements and 2 groups");
  CHECK(message_of([&] {
          adamw(x, x, x, x, Tensor(), segments({0, 5, 0, 5, 10, 4}), state, {});
        }) == "adamw: segment 1 does not fit 10 elements and 2 groups");
  CHECK(message_of([&] {
          adamw(x, x, x, x, Tensor(), from_values<std::int64_t>({0, 5, 0, 2}, {1, 4}), state, {});
        }) == "adamw: segment 0 does not fit 10 elements and 2 groups");
  const auto rows = [&](const Tensor& ids, const Tensor& grad) {
    return message_of([&] { adamw_rows(table, table.clone(), table.clone(), touched, {ids, grad}, {0}, state, {}); });
  };
  CHECK(rows(from_values<std::int32_t>({4}), zeros({1, 3})) == "adamw_rows: index 4 is out of range for 4 rows");
  CHECK(rows(from_values<std::int32_t>({-2}), zeros({1, 3})) == "adamw_rows: index -2 is out of range for 4 rows");
  CHECK(rows(from_values<std::int32_t>({1, 1}), zeros({2, 3})) ==
        "adamw_rows: index 1 comes twice; coalesce the gradient first");
  CHECK(rows(from_values<std::int32_t>({1}), zeros({1, 2})) ==
        "adamw_rows: expected int32 ids [n] and float32 rows [n, 3], got int32 [1] and float32 [1, 2]");
  CHECK(rows(from_values<std::int32_t>({1}), zeros({1, 3}, DType::kFloat64)) ==
        "adamw_rows: expected int32 ids [n] and float32 rows [n, 3], got int32 [1] and float64 [1, 3]");
}

TEST_CASE("adamw: what began after some steps moves as at the first steps") {
  const auto run = [](std::int64_t start) {
    const Tensor value = random_normal({100}, 1), m = zeros({100}), v = zeros({100});
    for (std::int64_t step = 1; step <= 3; ++step) {
      StepState state = two_groups(start + step);
      state.optimizer_start = start;
      adamw(value, random_normal({100}, static_cast<std::uint64_t>(step)), m, v, Tensor(), segments({0, 100, 0}),
            make_step_state(state), {});
    }
    return value;
  };
  CHECK(same_bits(run(500), run(0)));
  StepState state = two_groups(7);
  state.optimizer_start = 7;
  const Tensor x = zeros({10});
  CHECK(message_of([&] {
          adamw(x, x, x, x, Tensor(), segments({0, 10, 0}), make_step_state(state), {});
        }) == "adamw: expected a step of at least 8, got 7");
}

namespace {

// After each of twenty updates of values that change.
std::vector<Tensor> averages(Device device, double decay, const Shape& shape) {
  const Tensor average = random_normal(shape, 1).to(device);
  std::vector<Tensor> all;
  for (std::int64_t step = 1; step <= 20; ++step) {
    const Tensor value = random_normal(shape, 100 + static_cast<std::uint64_t>(step)).to(device);
    moving_average(average, value, make_step_state(two_groups(step), device), decay);
    all.push_back(average.to(Device::kCpu).clone());
  }
  return all;
}

}  // namespace

TEST_CASE("moving_average: (1 + t) / (10 + t) of what was, until that is more than the decay") {
  constexpr double kDecay = 0.5;  // reached at the eighth update
  const std::vector<Tensor> all = averages(Device::kCpu, kDecay, {7});
  std::vector<double> expected = random_normal({7}, 1).to(DType::kFloat64).to_vector<double>();
  for (std::int64_t t = 1; t <= 20; ++t) {
    const Tensor value = random_normal({7}, 100 + static_cast<std::uint64_t>(t));
    const double decay = t < 8 ? (1.0 + static_cast<double>(t)) / (10.0 + static_cast<double>(t)) : kDecay;
    for (std::size_t i = 0; i < 7; ++i)
      expected[i] = decay * expected[i] + (1 - decay) * double{value.data<float>()[i]};
    CHECK(difference(all[static_cast<std::size_t>(t - 1)], from_values(expected), kFloat32) == "");
  }
}

TEST_CASE("moving_average: of one value is that value, exactly, and the same for one and two threads") {
  const Tensor value = random_normal({1003}, 1), average = value.clone();
  for (std::int64_t step = 1; step <= 3; ++step)
    moving_average(average, value, make_step_state(two_groups(step)), 0.999);
  CHECK(same_bits(average, value));
  const auto run = [](int n) {
    const ThreadCount threads(n);
    return averages(Device::kCpu, 0.99, {100003}).back();
  };
  CHECK(same_bits(run(2), run(1)));
  CHECK(message_of([&] { moving_average(average, zeros({4}), make_step_state(two_groups(1)), 0.9); }) ==
        "moving_average: expected contiguous float32 tensors of one shape, got float32 [1003] beside [4]");
}

TEST_CASE("cuda moving_average: near the CPU's, in any size") {
  if (!has_cuda()) return;
  for (const std::int64_t n : {1, 7, 4096, 10001}) {
    const std::vector<Tensor> cpu = averages(Device::kCpu, 0.6, {n}), cuda = averages(Device::kCuda, 0.6, {n});
    for (std::size_t i = 0; i < cpu.size(); ++i) CHECK(difference(cuda[i], cpu[i], kFloat32) == "");
  }
}

TEST_CASE("sgd: momentum gathers the clipped gradient and the decay") {
  const Tensor value = random_normal({100}, 1);
  const Tensor momentum = zeros({100});
  std::vector<double> x = value.to(DType::kFloat64).to_vector<double>();
  std::vector<double> gathered(100);
  for (std::int64_t step = 1; step <= 4; ++step) {
    const Tensor grad = random_normal({100}, 2 + static_cast<std::uint64_t>(step));
    StepState state = two_groups(step);
    state.max_grad_norm = 0.5;
    state.grad_norm = 2;
    for (std::size_t i = 0; i < 100; ++i) {
      const double g = grad.data<float>()[i] * state.clip_factor() + 0.1 * x[i];
      gathered[i] = 0.8 * gathered[i] + g;
      x[i] -= 1e-2 * gathered[i];
    }
    sgd(value, grad, momentum, segments({0, 100, 0}), make_step_state(state), 0.8);
  }
  CHECK(difference(value, from_values(x), kFloat32) == "");
}

TEST_CASE("grad_norm: in double, with a tree fixed by the size") {
  const Tensor x = random_normal({50001}, 1);
  double expected = 0;
  for (const float value : x.to_vector<float>()) expected += double{value} * value;
  const auto with_threads = [&](int n) {
    const ThreadCount threads(n);
    return norm_of(x);
  };
  CHECK(with_threads(1) == Approx(std::sqrt(expected)).epsilon(1e-12));
  CHECK(with_threads(1) == with_threads(2));
  CHECK(norm_of(zeros({0})) == 0);
  CHECK(norm_of(from_values<float>({3, 1, 4, 1}, {2, 2}).select(1, 0)) == 5);
}

TEST_CASE("step state: clips as PyTorch does") {
  StepState state;
  state.grad_norm = 10;
  CHECK(state.clip_factor() == 1);  // no limit
  state.max_grad_norm = 1;
  CHECK(state.clip_factor() == Approx(1 / (10 + 1e-6)).epsilon(1e-15));
  state.grad_norm = 0.5;
  CHECK(state.clip_factor() == 1);
  state.grad_norm = std::nan("");
  CHECK(state.clip_factor() == 1);  // the NaN itself reaches the parameters, and is seen
}

TEST_CASE("step state: a learning rate is one when it was given, zero too") {
  const StepState state = read_step_state(make_step_state({.learning_rate = {0}}));
  CHECK(state.learning_rate[0].is_given());
  CHECK_FALSE(state.learning_rate[1].is_given());
}

TEST_CASE("step state: the host sets a step, and what the step wrote stays") {
  const Tensor tensor = make_step_state({.seed = 1});
  step_state(tensor).grad_norm = 3;
  step_state(tensor).multiplier = 4;
  set_step(tensor, {.seed = 7, .step = 2, .budget = 0.5});
  const StepState state = read_step_state(tensor);
  CHECK(state.seed == 7);
  CHECK(state.step == 2);
  CHECK(state.budget == 0.5);
  CHECK(state.grad_norm == 3);
  CHECK(state.multiplier == 4);
  CHECK(message_of([] { read_step_state(zeros({3})); }) ==
        "step_state: expected a tensor from make_step_state, got float32 [3]");
}

TEST_CASE("budget: loss, slope and controller") {
  StepState state;
  state.budget = 0.5;
  state.multiplier = 2;
  const Tensor tensor = make_step_state(state);
  const BudgetOutput above = budget_loss(full({}, 0.7, DType::kFloat64), tensor);
  CHECK(above.loss.item() == Approx(2 * 0.2 + 5 * 0.04));
  CHECK(above.dcost.item() == Approx(2 + 10 * 0.2));
  const BudgetOutput below = budget_loss(full({}, 0.4, DType::kFloat64), tensor);
  CHECK(below.loss.item() == Approx(-0.2));
  CHECK(below.dcost.item() == Approx(2));
  CHECK(message_of([&] { budget_loss(zeros({2}), tensor); }) == "budget_loss: expected one cost, got [2]");

  CHECK(std::isnan(budget_loss(full({}, std::nan("")), tensor).dcost.item()));

  budget_controller(tensor, full({}, 0.7));
  CHECK(step_state(tensor).multiplier == Approx(2 + 0.02 * 0.2));
  for (int i = 0; i < 2000; ++i) budget_controller(tensor, full({}, 1.0));
  CHECK(step_state(tensor).multiplier == 10);
  for (int i = 0; i < 3000; ++i) budget_controller(tensor, full({}, 0.0));
  CHECK(step_state(tensor).multiplier == 0);
}

TEST_CASE("budget: where budgets vary the multiplier is linear in the tightness, and each end moves by its share") {
  const Tensor tensor = make_step_state({.budget = 0.25, .tightness = 0.75, .multiplier = 1, .tightest_multiplier = 3});
  const BudgetOutput out = budget_loss(full({}, 0.35, DType::kFloat64), tensor);
  CHECK(out.loss.item() == Approx(2.5 * 0.1 + 5 * 0.01));
  CHECK(out.dcost.item() == Approx(2.5 + 10 * 0.1));
  budget_controller(tensor, full({}, 0.35, DType::kFloat64));
  CHECK(step_state(tensor).multiplier == Approx(1 + 0.02 * 0.25 * 0.1));
  CHECK(step_state(tensor).tightest_multiplier == Approx(3 + 0.02 * 0.75 * 0.1));
  for (int i = 0; i < 6000; ++i) budget_controller(tensor, full({}, 0.0));
  CHECK(step_state(tensor).multiplier == 0);
  CHECK(step_state(tensor).tightest_multiplier == 0);
}
