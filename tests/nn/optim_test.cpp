#include "nn/optim/adamw.h"
#include "nn/optim/schedule.h"
#include "nn/optim/sgd.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "nn/embedding.h"
#include "nn/linear.h"
#include "nn/loss.h"
#include "tensor/ops/elementwise.h"
#include "tests/support/catch.h"
#include "tests/support/golden.h"

using namespace tk;
using namespace tk::test;

namespace {

Tensor state_at(std::int64_t step, double rate, double decay, double clip) {
  StepState state;
  state.step = step;
  state.max_grad_norm = clip;
  for (int group = 0; group < StepState::kGroups; ++group) state.learning_rate[group] = rate;
  state.weight_decay[0] = state.weight_decay[2] = decay;
  return make_step_state(state);
}

}  // namespace

TEST_CASE("linear schedule: warms up from zero and decays to zero, as transformers' does") {
  CHECK(linear_schedule(0, 2, 10) == 0.0);
  CHECK(linear_schedule(1, 2, 10) == 0.5);
  CHECK(linear_schedule(2, 2, 10) == 1.0);
  CHECK(linear_schedule(6, 2, 10) == 0.5);
  CHECK(linear_schedule(10, 2, 10) == 0.0);
  CHECK(linear_schedule(0, 0, 10) == 1.0);
}

TEST_CASE("budget schedule: falls from one to the target over the ramp, then stays") {
  CHECK(budget_schedule(0, 40, 0.5) == 1.0);
  CHECK(budget_schedule(20, 40, 0.5) == 0.75);
  CHECK(budget_schedule(40, 40, 0.5) == 0.5);
  CHECK(budget_schedule(99, 40, 0.5) == 0.5);
}

TEST_CASE("gate noise schedule: fades to nothing by nine tenths of the steps, or stays") {
  CHECK(gate_noise_schedule(0, 100, 0.4) == 1.0);
  CHECK(gate_noise_schedule(50, 100, 0.4) == 1.0);
  CHECK(gate_noise_schedule(70, 100, 0.4) == Approx(0.5));
  CHECK(gate_noise_schedule(90, 100, 0.4) == 0.0);
  CHECK(gate_noise_schedule(99, 100, 0.4) == 0.0);
  CHECK(gate_noise_schedule(99, 100, 0) == 1.0);
}

TEST_CASE("adamw: the first step moves every element by the learning rate against its gradient's sign") {
  Linear linear(2, 1);
  ParameterList list;
  linear.collect(list, "linear");
  AdamW optimizer(list);
  const Variable x(from_values(std::vector<float>{1, -3}, {1, 2}));
  sum(linear(x)).backward();
  optimizer.step(state_at(1, 0.1, 0, 0));
  CHECK(linear.weight.value().to_vector<float>()[0] == Approx(-0.1).epsilon(1e-5));
  CHECK(linear.weight.value().to_vector<float>()[1] == Approx(0.1).epsilon(1e-5));
}

TEST_CASE("adamw: decay reaches weights and not biases, and gradients are zeros after a step") {
  Linear linear(1, 1);
  linear.weight.value().fill(1);
  linear.bias.value().fill(1);
  ParameterList list;
  linear.collect(list, "linear");
  AdamW optimizer(list);
  sum(linear(Variable(full({1, 1}, 0.0))) * 0.0).backward();
  optimizer.step(state_at(1, 0.1, 0.5, 0));
  CHECK(linear.weight.value().to_vector<float>()[0] == Approx(0.95));
  CHECK(linear.bias.value().to_vector<float>()[0] == Approx(1.0));
  CHECK(largest_difference(optimizer.parameters().grad, zeros_like(optimizer.parameters().grad)) == 0);
}

TEST_CASE("clipping: the gradient's norm is written to the state and scales the update") {
  Linear linear(2, 1);
  ParameterList list;
  linear.collect(list, "linear");
  Sgd optimizer(list);
  const Tensor state = state_at(1, 1, 0, 1);
  sum(linear(Variable(from_values(std::vector<float>{2, 2}, {1, 2})))).backward();
  optimizer.step(state);
  CHECK(step_state(state).grad_norm == Approx(3.0));  // weights 2, 2 and bias 1
  CHECK(linear.weight.value().to_vector<float>()[0] == Approx(-2.0 / 3).epsilon(1e-5));
}

TEST_CASE("sgd: momentum gathers earlier gradients") {
  Linear linear(1, 1);
  ParameterList list;
  linear.collect(list, "linear");
  Sgd optimizer(list, 0.5);
  for (int step = 1; step <= 2; ++step) {
    sum(linear(Variable(full({1, 1}, 1.0)))).backward();
    optimizer.step(state_at(step, 1, 0, 0));
  }
  CHECK(linear.weight.value().to_vector<float>()[0] == Approx(-2.5));  // 1, then 0.5 + 1
}

TEST_CASE("optimizers: a parameter's bfloat16 copy follows each step without another conversion") {
  const auto check = [](auto make) {
    Linear linear(3, 2);
    init_normal(linear.weight.value(), 0, 1, 3, 0);
    ParameterList list;
    linear.collect(list, "linear");
    auto optimizer = make(list);
    const Tensor copy = linear.weight.as(DType::kBFloat16).value();
    sum(linear(Variable(full({1, 3}, 1.0)))).backward();
    optimizer.step(state_at(1, 0.5, 0, 0));
    CHECK(largest_difference(copy, linear.weight.value().to(DType::kBFloat16)) == 0);
    const std::uint64_t version = copy.version();
    CHECK(linear.weight.as(DType::kBFloat16).value().shares_storage(copy));
    CHECK(copy.version() == version);
  };
  check([](const ParameterList& list) { return Sgd(list, 0.5, DType::kBFloat16); });
  check([](const ParameterList& list) { return AdamW(list, {}, DType::kBFloat16); });
}

TEST_CASE("adamw: a sparse embedding moves exactly as a dense one does") {
  Embedding sparse(6, 4, true), dense(6, 4, false);
  init_normal(sparse.weight.value(), 0, 1, 3, 0);
  dense.weight.value().copy_from(sparse.weight.value());
  ParameterList sparse_list, dense_list;
  sparse.collect(sparse_list, "e");
  dense.collect(dense_list, "e");
  AdamW sparse_optimizer(sparse_list), dense_optimizer(dense_list);
  const std::vector<std::vector<std::int32_t>> batches = {{1, 2, 1}, {4, 4}, {1, 5}, {2}};
  for (std::size_t i = 0; i < batches.size(); ++i) {
    const Tensor ids = from_values(batches[i]);
    sum(square(sparse(ids))).backward();
    sum(square(dense(ids))).backward();
    const Tensor state = state_at(static_cast<std::int64_t>(i) + 1, 0.01, i < 2 ? 0.0 : 0.1, 0);
    sparse_optimizer.step(state);
    dense_optimizer.step(state);
    CHECK(largest_difference(sparse.weight.value(), dense.weight.value()) == 0);
  }
}

TEST_CASE("losses: distillation is zero for equal logits and its gradient pulls towards the teacher") {
  const Tensor teacher = from_values(std::vector<float>{2, -1, 0.5f, 0}, {2, 2});
  CHECK(distillation_loss(Variable(teacher), teacher, 2).item() == Approx(0).margin(1e-7));
  const Variable student(zeros({2, 2}), true);
  distillation_loss(student, teacher, 2).backward();
  CHECK(student.grad().to_vector<float>()[0] < 0);
  CHECK(student.grad().to_vector<float>()[1] > 0);
}
