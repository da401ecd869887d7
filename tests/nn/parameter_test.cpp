#include "nn/flat_parameters.h"
#include "nn/embedding.h"
#include "nn/linear.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "tests/support/catch.h"
#include "tests/support/golden.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("flat parameters: values move with their elements and gradients arrive in the flat buffer") {
  Linear linear(3, 2);
  init_normal(linear.weight.value(), 0, 1, 7, 0);
  const Tensor before = linear.weight.value().clone();
  ParameterList list;
  linear.collect(list, "linear");
  const FlatParameters flat(list);
  CHECK(largest_difference(linear.weight.value(), before) == 0);
  CHECK(linear.weight.value().shares_storage(flat.value));
  const Variable x(full({4, 3}, 1.0));
  sum(linear(x)).backward();
  CHECK(linear.weight.grad().dense().shares_storage(flat.grad));
  CHECK(flat.grad.to_vector<float>()[0] == 4.0f);
  sum(linear(x)).backward();
  CHECK(flat.grad.to_vector<float>()[0] == 8.0f);
  flat.clear_gradients(false);
  sum(linear(x)).backward();
  CHECK(flat.grad.to_vector<float>()[0] == 4.0f);
}

TEST_CASE("a parameter's bfloat16 copy is made once, and anew after the value was written") {
  const Parameter parameter({2});
  const Tensor copy = parameter.as(DType::kBFloat16).value();
  copy.copy_from(full({2}, 7.0));  // whoever makes the copy anew overwrites this
  CHECK(parameter.as(DType::kBFloat16).value().to(DType::kFloat32).to_vector<float>() == std::vector<float>{7, 7});
  parameter.value().copy_from(full({2}, 3.0));
  CHECK(parameter.as(DType::kBFloat16).value().to(DType::kFloat32).to_vector<float>() == std::vector<float>{3, 3});
}

TEST_CASE("named parameters: one matrix under three published names gives three ranges") {
  Parameter matrix({6, 2});
  matrix.value().copy_from(arange(6).to(DType::kFloat32).reshape({6, 1}));
  const ParameterList list = {{{"query", "key", "value"}, &matrix}};
  const std::vector<NamedTensor> values = named_values(list);
  REQUIRE(values.size() == 3);
  CHECK(values[1].name == "key");
  CHECK(values[1].tensor.shape() == Shape{2, 2});
  CHECK(values[1].tensor.to_vector<float>() == std::vector<float>{2, 2, 3, 3});
}

TEST_CASE("embedding: a sparse gradient is the dense one, row by row") {
  Embedding sparse(5, 2, true);
  Embedding dense(5, 2, false);
  const Tensor ids = from_values(std::vector<std::int32_t>{3, 1, 3});
  const Variable weight(arange(3).to(DType::kFloat32).reshape({3, 1}));
  sum(sparse(ids) * weight).backward();
  sum(dense(ids) * weight).backward();
  ParameterList sparse_list, dense_list;
  sparse.collect(sparse_list, "e");
  dense.collect(dense_list, "e");
  CHECK_FALSE(sparse.weight.grad().dense().defined());
  CHECK(largest_difference(named_gradients(sparse_list)[0].tensor, named_gradients(dense_list)[0].tensor) == 0);
}
