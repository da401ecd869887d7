#include "nn/optim/adamw.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "nn/embedding.h"
#include "nn/linear.h"
#include "tests/nn/optim/states.h"
#include "tests/support/catch.h"
#include "tests/support/golden.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("adamw: the first step moves every element by the learning rate against its gradient's sign") {
  Linear linear(2, 1, true, Init::kZeros);
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
  Linear linear(1, 1, true, Init::kZeros);
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

TEST_CASE("adamw: a sparse embedding moves exactly as a dense one does") {
  Embedding sparse(6, 4, true, Init::kZeros), dense(6, 4, false, Init::kZeros);
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
