#include "nn/parameter.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/index.h"
#include "autograd/ops/reduce.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

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

TEST_CASE("named parameters: a matrix that is listed twice is counted once") {
  Parameter tied({6, 2}), other({3});
  CHECK(count_elements({{{"a"}, &tied}, {{"b"}, &other}, {{"c"}, &tied}}) == 15);
}

TEST_CASE("parameter: a gradient, and a graph that was recorded before, move with the value into other storage") {
  Parameter parameter({2});
  parameter.value().fill(3);
  const Variable before = sum(square(parameter));
  sum(parameter * 10.0).backward();
  const Tensor value = zeros({2}), grad = zeros({2});
  parameter.move_to(value, grad);
  CHECK(grad.to_vector<float>() == std::vector<float>{10, 10});
  before.backward();
  CHECK(grad.to_vector<float>() == std::vector<float>{16, 16});
  sum(parameter * 1.0).backward();
  CHECK(grad.to_vector<float>() == std::vector<float>{17, 17});
}

TEST_CASE("parameter: without other storage for it a gradient stays where it is") {
  Parameter parameter({2});
  sum(parameter * 10.0).backward();
  const Tensor value = zeros({2});
  parameter.move_to(value, Tensor());
  CHECK(parameter.value().shares_storage(value));
  CHECK(parameter.variable().grad().to_vector<float>() == std::vector<float>{10, 10});
}

TEST_CASE("parameter: whose storage is kept does not move before the keeper has gone") {
  Parameter parameter({2});
  auto keeper = std::make_shared<int>();
  parameter.keep(keeper);
  CHECK(
      message_of([&] { parameter.move_to(zeros({2}), zeros({2})); }) ==
      "parameter: an optimizer keeps the values [2] in its buffers and would go on with those; move them before it is "
      "made");
  keeper.reset();
  parameter.move_to(zeros({2}), zeros({2}));
}

TEST_CASE("cuda parameter: gradients, dense and in rows, move with the value to a device") {
  if (!has_cuda()) return;
  Parameter dense({2}), table({4, 1});
  table.make_sparse();
  sum(dense * 10.0).backward();
  sum(index_select(table, from_values<std::int32_t>({1, 3}))).backward();
  for (Parameter* p : {&dense, &table}) p->move_to(Device::kCuda);
  sum(dense * 1.0).backward();
  CHECK(dense.variable().grad().device() == Device::kCuda);
  CHECK(dense.variable().grad().to_vector<float>() == std::vector<float>{11, 11});
  const std::vector<NamedTensor> rows = named_gradients({{{"table"}, &table}});
  CHECK(rows[0].tensor.device() == Device::kCuda);
  CHECK(rows[0].tensor.to_vector<float>() == std::vector<float>{0, 1, 0, 1});
}

TEST_CASE("freeze: by whole parts of names, and frozen parameters take no gradient, and others what they had") {
  Parameter words({2}), first({2}), tenth({2});
  const ParameterList list = {{{"bert.embeddings.weight"}, &words},
                              {{"bert.layer.1.query", "bert.layer.1.key"}, &first},
                              {{"bert.layer.10.bias"}, &tenth}};
  const auto trained = [&](const std::vector<std::string>& frozen) {
    freeze(list, frozen);
    std::vector<std::string> names;
    for (const NamedParameter& named : trainable(list)) names.push_back(named.names.front());
    return names;
  };
  CHECK(trained({"layer.1"}) == std::vector<std::string>{"bert.embeddings.weight", "bert.layer.10.bias"});
  sum(words.variable() * first.variable() + tenth.variable()).backward();
  CHECK(words.grad().filled());
  CHECK(message_of([&] { first.grad(); }) == "parameter: one of shape [2] is frozen and has no gradient");
  CHECK(named_gradients(list)[1].tensor.to_vector<float>() == std::vector<float>{0});
  CHECK(trained({"embeddings", "layer.10"}) == std::vector<std::string>{"bert.layer.1.query"});
  CHECK_FALSE(words.trainable());
  CHECK(trained({"bert"}).empty());
  CHECK(trained({}).size() == 3);
  CHECK(message_of([&] { freeze(list, std::vector<std::string>{"layer.2"}); }) ==
        "freeze: no parameter has layer.2 in its name, such as bert.embeddings.weight");
  CHECK(message_of([&] {
          freeze(list, std::vector<std::string>{"layer.10", "key"});
        }) ==
        "freeze: key is in the name of a part of one matrix with bert.layer.1.query and bert.layer.1.key; they are "
        "frozen together or not at all");
  CHECK(tenth.trainable());
}

TEST_CASE("copy by name: copies what has the same name, in any order") {
  const Tensor a = zeros({2}), b = zeros({1});
  copy_by_name("test", std::vector<NamedTensor>{{"a", a}, {"b", b}},
               std::vector<NamedTensor>{{"b", full({1}, 2.0)}, {"a", full({2}, 1.0)}});
  CHECK(a.to_vector<float>() == std::vector<float>{1, 1});
  CHECK(b.to_vector<float>() == std::vector<float>{2});
}
