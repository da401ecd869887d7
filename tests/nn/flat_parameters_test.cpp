#include "nn/flat_parameters.h"

#include <optional>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "nn/embedding.h"
#include "nn/linear.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/golden.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("flat parameters: values move with their elements and gradients arrive in the flat buffer") {
  Linear linear(3, 2, true, Init::kZeros);
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
  flat.clear_gradients();
  sum(linear(x)).backward();
  CHECK(flat.grad.to_vector<float>()[0] == 4.0f);
}

TEST_CASE("flat parameters: a gradient that had arrived comes along") {
  Embedding words(3, 2, true, Init::kZeros);
  Linear linear(2, 2, true, Init::kZeros);
  const auto run = [&] { sum(linear(words(from_values<std::int32_t>({2})))).backward(); };
  linear.weight.value().fill(1);
  run();
  ParameterList list;
  linear.collect(list, "linear");
  words.collect(list, "words");
  const Tensor bias = linear.bias.variable().grad().clone();
  const FlatParameters flat(list);
  CHECK(linear.bias.grad().dense().shares_storage(flat.grad));
  CHECK(same_bits(linear.bias.grad().dense(), bias));
  run();
  CHECK(linear.bias.grad().dense().to_vector<float>() == std::vector<float>{2, 2});
  const Gradients gathered = flat.gather();
  CHECK(gathered.dense.shares_storage(flat.grad));
  CHECK(named_rows(gathered.sparse[0]).rows.to_vector<float>() == std::vector<float>{4, 4});  // of both runs
}

TEST_CASE("flat parameters: which lie in buffers that live are refused, and those of the dead are taken over") {
  Parameter weight({2}), table({2, 2}), other({2});
  table.make_sparse();
  weight.value().fill(5);
  std::optional<FlatParameters> first(FlatParameters({{{"weight"}, &weight}, {{"table"}, &table}}));
  CHECK(message_of([&] {
          FlatParameters({{{"other"}, &other}, {{"w", "again"}, &weight}});
        }) == "optimizer: w lies in the buffers of another optimizer that still lives");
  CHECK(message_of([&] {
          FlatParameters({{{"t"}, &table}});
        }) == "optimizer: t lies in the buffers of another optimizer that still lives");
  CHECK_FALSE(other.is_kept());  // nothing had moved
  sum(weight * 3.0).backward();
  first.reset();
  const FlatParameters second({{{"weight"}, &weight}, {{"table"}, &table}});
  CHECK(weight.value().shares_storage(second.value));
  CHECK(weight.value().to_vector<float>() == std::vector<float>{5, 5});
  CHECK(second.grad.to_vector<float>()[1] == 3);
}

TEST_CASE("flat parameters: one parameter under several names has one place") {
  Parameter tied({2, 2}), other({2});
  const FlatParameters flat({{{"a"}, &tied}, {{"other"}, &other}, {{"b"}, &tied}});
  REQUIRE(flat.dense.size() == 2);
  CHECK(flat.dense[0].names == std::vector<std::string>{"a"});
  (sum(tied) + sum(tied * 2.0)).backward();
  CHECK(flat.grad.to_vector<float>()[0] == 3);
}

TEST_CASE("flat parameters: a copy of a parameter, which would be torn from it, is refused") {
  Parameter parameter({2});
  Parameter copy = parameter;
  CHECK(message_of([&] {
          FlatParameters({{{"a"}, &parameter}, {{"b"}, &copy}});
        }) == "optimizer: b is a copy of a and would be torn from it; list one parameter under both names");
}

TEST_CASE("flat parameters: segments say the group, and what decays") {
  Linear linear(1, 1, true, Init::kZeros);
  Parameter predictor({1});
  predictor.set_group(ParameterGroup::kPredictor);
  ParameterList list;
  linear.collect(list, "linear");
  list.push_back({{"predictor"}, &predictor});
  CHECK(FlatParameters(list).segments.to_vector<std::int64_t>() ==
        std::vector<std::int64_t>{0, 1, 0, 1, 16, 17, 0, 0, 32, 33, 1, 1});
}

TEST_CASE("cuda flat parameters: on several devices are refused") {
  if (!has_cuda()) return;
  Parameter here({2}), there({2});
  there.move_to(Device::kCuda);
  CHECK(message_of([&] {
          FlatParameters({{{"here"}, &here}, {{"there"}, &there}});
        }) == "optimizer: there lies on cuda, others on cpu");
}

TEST_CASE("flat parameters: after a value was written the whole bfloat16 copy is made anew at once") {
  Parameter a({2}), b({3});
  const FlatParameters flat({{{"a"}, &a}, {{"b"}, &b}}, DType::kBFloat16);
  a.value().fill(2);
  b.value().fill(3);
  const Tensor first = a.as(DType::kBFloat16).value();  // a backward may have saved it
  const std::uint64_t version = first.version();
  const Tensor second = b.as(DType::kBFloat16).value();
  CHECK(first.version() == version);
  CHECK(first.to(DType::kFloat32).to_vector<float>() == std::vector<float>{2, 2});
  CHECK(second.to(DType::kFloat32).to_vector<float>() == std::vector<float>{3, 3, 3});
}
