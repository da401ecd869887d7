// The snippets of docs/, compiled and checked; readme_test.cpp insists that a snippet is here or in the sources.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include "autograd/estimators/estimators.h"
#include "autograd/estimators/straight_through.h"
#include "autograd/gradcheck.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/variable.h"
#include "nn/context.h"
#include "nn/linear.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/reduce.h"
#include "tensor/profile.h"
#include "tensor/tensor.h"
#include "tests/support/catch.h"

namespace tk {
namespace {

Variable huber(const Variable& x) { return sqrt(square(x) + 1) - 1; }

Variable log_cosh(const Variable& x) {  // log((exp(x) + exp(-x)) / 2)
  const Tensor y = log(affine(add(exp(x.value()), exp(neg(x.value()))), 0.5));
  return record("log_cosh", y, {x}, [x = Saved(x)](const Tensor& dy) -> Tensors { return {mul(dy, tanh(x))}; });
}

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
