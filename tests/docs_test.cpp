// The snippets of docs/, compiled and checked; readme_test.cpp insists that a snippet is here or in the sources.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "nn/context.h"
#include "nn/nn.h"
#include "tensor/profile.h"
#include "tests/support/catch.h"

namespace tk {
namespace {

Variable huber(const Variable& x) { return sqrt(square(x) + 1) - 1; }

Variable log_cosh(const Variable& x) {  // log((exp(x) + exp(-x)) / 2)
  const Tensor y = log(affine(add(exp(x.value()), exp(neg(x.value()))), 0.5));
  return record("log_cosh", y, {x}, [x = Saved(x)](const Tensor& dy) -> Tensors { return {mul(dy, tanh(x))}; });
}

struct Residual {
  Linear inner{8, 8};

  Variable operator()(const Variable& x) const { return x + tanh(inner(x)); }
  void collect(ParameterList& list, const std::string& path) { inner.collect(list, path + ".inner"); }
};

Variable sign_gate(const Variable& z) { return straight_through(greater(z.value(), 0).to(z.dtype()), sigmoid(z)); }

}  // namespace

TEST_CASE("docs: a tensor's views share elements and clones do not") {
  tk::Tensor x = tk::from_values<float>({1, 2, 3, 4, 5, 6}).reshape({2, 3});
  tk::Tensor column = x.select(1, 2);
  tk::Tensor copy = x.transpose(0, 1).clone();
  x.fill(0);
  CHECK(column.to_vector<float>() == std::vector<float>{0, 0});
  CHECK(copy.to_vector<float>() == std::vector<float>{1, 4, 2, 5, 3, 6});
}

TEST_CASE("docs: half the sum of squares has the gradient x") {
  tk::Variable x(tk::from_values<float>({1, 2, 3}), true);
  tk::Variable y = sum(square(x) * 0.5);
  y.backward();
  x.grad();
  CHECK(x.grad().to_vector<float>() == std::vector<float>{1, 2, 3});
}

TEST_CASE("docs: ops of one's own have right gradients") {
  const GradcheckResult result =
      gradcheck([](const Variables& in) { return log_cosh(in[0]); }, {from_values<double>({-1, 0.5, 2})});
  if (!result.passed) std::printf("%s\n", result.message.c_str());
  CHECK(result.passed);
  CHECK(gradcheck([](const Variables& in) { return huber(in[0]); }, {from_values<double>({-1, 0.5, 2})}).passed);
}

TEST_CASE("docs: an estimator has a name, and the gradient of the expected cost") {
  const Variable z(full({20000, 1}, 0.5), true);
  const Cost cost = [](const Variable& b) { return sum(b, 1) * 3.0; };
  const std::int64_t step = 1;
  const tk::Surrogate surrogate = tk::make_surrogate(tk::choose_estimator("rloo:8"));
  const tk::Tensor state = tk::make_step_state({.seed = 1, .step = step});
  tk::mean(surrogate(cost, z, tk::draws_of_rows(state, z.size(0)))).backward();  // z [rows, nodes]
  const double p = 1 / (1 + std::exp(-0.5));
  CHECK(tk::sum(z.grad()).item() == Approx(3 * p * (1 - p)).epsilon(0.02));
}

TEST_CASE("docs: the sign gate is hard forward and a sigmoid backward") {
  const Variable z(from_values<double>({-2, 2}), true);
  const Variable gate = sign_gate(z);
  CHECK(gate.value().to_vector<double>() == std::vector<double>{0, 1});
  sum(gate).backward();
  CHECK(z.grad().to_vector<double>()[0] == Approx(0.1049935854));  // sigmoid'(2)
}

TEST_CASE("docs: a network learns, one module of one's own is another's layer") {
  const Variable x(randn({30, 2}, {.seed = 1}));
  const Tensor labels = argmax(matmul(x.value(), from_values<float>({1, 0, -1, 0, 1, -1}, {2, 3})), 1);
  Sequential net(Linear(2, 32), UnaryOp::kTanh, Linear(32, 3));
  Adam adam(net.parameters(), 0.02);
  for (int step = 0; step < 200; ++step) {
    cross_entropy_loss(net(x), labels).backward();
    adam.step();
  }
  CHECK(cross_entropy_loss(net(x), labels).item() < 0.1);
  Sequential deep(Residual{}, Residual{});
  CHECK(named_values(deep.parameters()).back().name == "1.inner.bias");
}

TEST_CASE("docs: an optimizer has a schedule, and what is frozen stays") {
  const Variable x(randn({30, 2}, {.seed = 1}));
  const Tensor y = sum(x.value(), 1, true);
  Sequential net(Linear(2, 4), Linear(4, 1));
  const Tensor frozen = net.parameters().front().parameter->value().clone();
  freeze(net.parameters(), {"0"});
  CHECK(trainable(net.parameters()).size() == 2);
  freeze(net.parameters(), {"1"});
  freeze(net.parameters(), {"0.weight"});
  const double before = mse_loss(net(x), y).item();
  {
    const ParameterList all = net.parameters();
    Sgd one(trainable(all), {.learning_rate = 0.1});
    mse_loss(net(x), y).backward();
    one.step();
  }
  CHECK(net.parameters().front().parameter->value().to_vector<float>() == frozen.to_vector<float>());
  for (const NamedParameter& named : net.parameters()) named.parameter->set_trainable(true);
  Sgd sgd(net.parameters(), {.learning_rate = 0.1, .weight_decay = 0.01, .max_grad_norm = 1}, 0.9);
  for (int step = 0; step < 100; ++step) {
    sgd.set_learning_rate(0.1 * schedule_factor({.kind = LearningRateSchedule::kCosine, .total = 100}, step));
    mse_loss(net(x), y).backward();
    sgd.step();
  }
  CHECK(mse_loss(net(x), y).item() < 0.1 * before);
}

TEST_CASE("docs: a tied table takes the gradient of both its uses, and a hook changes one on its way") {
  const Embedding embedding(5, 3);
  const Tensor ids = from_values<std::int32_t>({1, 4});
  const Variable states = embedding(ids);
  const Variable logits = linear(states, embedding.weight, Variable());  // the table is the output's weight, too
  cross_entropy_loss(logits, ids).backward();
  CHECK(norm(embedding.weight.variable().grad()[0]).item() > 0);  // a row that only the output reads
  const Variable x(from_values<float>({1, 2, 3}), true);
  const Variable y = on_gradient(x, [](const Tensor& dy) { return clamp(dy, -1, 1); });
  sum(y * from_values<float>({5, 0.5, -3})).backward();
  CHECK(x.grad().to_vector<float>() == std::vector<float>{1, 0.5, -1});
}

TEST_CASE("docs: a profile names the kernels that ran") {
  const Linear linear(3, 2);
  const auto model = [&](const Variable& x, const Context&) { return linear(x); };
  const Variable inputs(zeros({4, 3}));
  const Context context;
  start_profile();
  model(inputs, context);
  for (const KernelProfile& kernel : stop_profile()) std::printf("%s %.3f s\n", kernel.name.c_str(), kernel.seconds);
  start_profile();
  model(inputs, context);
  const std::vector<KernelProfile> profile = stop_profile();
  CHECK(std::ranges::any_of(profile, [](const KernelProfile& kernel) { return kernel.name == "linear"; }));
}

}  // namespace tk
