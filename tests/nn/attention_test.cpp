#include "nn/attention.h"

#include "autograd/grad_mode.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/index.h"
#include "tests/nn/layer_names.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

Attention random_attention(std::int64_t hidden = 8) {
  Attention attention({.hidden = hidden, .heads = 2});
  ParameterList parameters;
  attention.collect(parameters, "attention", kNames.attention);
  std::uint32_t sequence = 0;
  for (const NamedTensor& named : named_values(parameters)) init_normal(named.tensor, 0, 0.5, 1, sequence++);
  return attention;
}

}  // namespace

TEST_CASE("attention: its weights have BERT's names") {
  Attention attention({.hidden = 8, .heads = 2});
  ParameterList parameters;
  attention.collect(parameters, "layer", kNames.attention);
  std::vector<std::string> names;
  for (const NamedTensor& named : named_values(parameters)) names.push_back(named.name);
  CHECK(names == std::vector<std::string>{"layer.attention.self.query.weight", "layer.attention.self.key.weight",
                                          "layer.attention.self.value.weight", "layer.attention.self.query.bias",
                                          "layer.attention.self.key.bias", "layer.attention.self.value.bias",
                                          "layer.attention.output.dense.weight", "layer.attention.output.dense.bias",
                                          "layer.attention.output.LayerNorm.weight",
                                          "layer.attention.output.LayerNorm.bias"});
}

TEST_CASE("attention: a sentence gives in a batch what it gives alone") {
  const ThreadCount one(1);
  const Attention attention = random_attention();
  const Tensor x = random_normal({9, 8}, 2);
  const Tensor both = attention(Variable(x), make_packed({4, 5}, {0, 1}), nullptr, Variable(), {}).value();
  const Tensor alone = attention(Variable(x.narrow(0, 4, 5)), make_packed({5}, {1}), nullptr, Variable(), {}).value();
  CHECK(difference(both.narrow(0, 4, 5), alone, kFloat32) == "");
}

TEST_CASE("attention: a key of weight 0 is one that is not there") {
  const ThreadCount one(1);
  const Attention attention = random_attention();
  const Tensor x = random_normal({4, 8}, 2);
  const Variable weight(from_values<float>({1, 1, 1, 0}));
  const Tensor masked = attention(Variable(x), make_packed({4}, {0}), nullptr, weight, {}).value();
  const Tensor shorter = attention(Variable(x.narrow(0, 0, 3)), make_packed({3}, {0}), nullptr, Variable(), {}).value();
  CHECK(difference(masked.narrow(0, 0, 3), shorter, kFloat32) == "");
}

TEST_CASE("attention: few rows that ask get the same without keys and values") {
  const Attention attention = random_attention();
  const Tensor x = random_normal({9, 8}, 2);
  const Packed rows = make_packed({4, 5}, {0, 1});
  const Kept some = keep(rows, greater(from_values<float>({1, 0, 0, 1, 0, 1, 0, 0, 0}), 0.5));
  const Tensor expected = attention(Variable(x), rows, &some, Variable(), {}).value();
  CHECK(difference(attention.unprojected(Variable(x), rows, some, {}).value(), expected, kFloat32Sums) == "");
}

TEST_CASE("attention: from known queries, keys and values it gives what it gives from rows") {
  const Attention attention = random_attention();
  const Variable x(random_normal({9, 8}, 2));
  const Packed rows = make_packed({4, 5}, {0, 1});
  const Tensor expected = attention(x, rows, nullptr, Variable(), {}).value();
  CHECK(same_bits(attention.projected(x, attention.query_key_value(x), rows, {}).value(), expected));
}

TEST_CASE("attention: rows that ask, updated where they lie, are those that operator() makes, and the others stay") {
  const Attention attention = random_attention();
  const Tensor x = random_normal({9, 8}, 2), here = x.clone();
  const Packed rows = make_packed({4, 5}, {0, 1});
  const Kept asking = keep(rows, greater(from_values<float>({1, 0, 1, 0, 1, 1, 0, 0, 1}), 0.5));
  const NoGrad no_grad;
  const Tensor some = attention(Variable(x), rows, &asking, Variable(), {}).value();
  attention.update(here, rows, asking, {});
  CHECK(difference(here, index_copy(x, asking.rows, some), kFloat32) == "");
}

TEST_CASE("attention: in int8 a sentence gives in a batch of one kernel what it gives alone, to the bit") {
  const ThreadCount one(1);
  Attention attention = random_attention(64);
  for (Parameter* weight : {&attention.query_key_value.weight, &attention.output.weight}) weight->quantize();
  const Tensor x = random_normal({150, 64}, 2), here = x.clone();
  const Packed rows = make_packed({110, 40}, {0, 1});
  const Packed alone = make_packed({40}, {1});
  const Tensor last = x.narrow(0, 110, 40);
  const Tensor all = attention(Variable(x), rows, nullptr, Variable(), {}).value();
  CHECK(same_bits(all.narrow(0, 110, 40), attention(Variable(last), alone, nullptr, Variable(), {}).value()));

  const Kept asking = first_rows(rows), its = first_rows(alone);
  const Tensor first = attention(Variable(x), rows, &asking, Variable(), {}).value();
  CHECK(same_bits(first.narrow(0, 1, 1), attention(Variable(last), alone, &its, Variable(), {}).value()));
  attention.update(here, rows, asking, {});
  CHECK(same_bits(here, index_copy(x, asking.rows, first)));
}
