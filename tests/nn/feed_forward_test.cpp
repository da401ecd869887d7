#include "nn/feed_forward.h"

#include "autograd/grad_mode.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/index.h"
#include "tests/nn/layer_names.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

// Weights under BERT's names, random.
std::vector<NamedTensor> fill(FeedForward& feed_forward) {
  ParameterList parameters;
  feed_forward.collect(parameters, "layer", kNames.feed_forward);
  std::uint32_t sequence = 0;
  for (const NamedTensor& named : named_values(parameters)) init_normal(named.tensor, 0, 0.5, 1, sequence++);
  return named_values(parameters);
}

}  // namespace

TEST_CASE("feed forward: its weights have BERT's names") {
  FeedForward feed_forward({.hidden = 4, .intermediate = 8});
  std::vector<std::string> names;
  for (const NamedTensor& named : fill(feed_forward)) names.push_back(named.name);
  CHECK(names == std::vector<std::string>{"layer.intermediate.dense.weight", "layer.intermediate.dense.bias",
                                          "layer.output.dense.weight", "layer.output.dense.bias",
                                          "layer.output.LayerNorm.weight", "layer.output.LayerNorm.bias"});
}

TEST_CASE("feed forward: a row of scale 0 is normalised and nothing else, one of scale 1 is as without") {
  const ThreadCount one(1);
  FeedForward feed_forward({.hidden = 4, .intermediate = 8});
  fill(feed_forward);
  const Variable y(random_normal({2, 4}, 2));
  const Packed rows = make_packed({2}, {0});
  const Tensor all = feed_forward(y, rows, Variable(), {}).value();
  const Tensor scaled = feed_forward(y, rows, Variable(from_values<float>({0, 1})), {}).value();
  CHECK(difference(scaled.narrow(0, 0, 1), feed_forward.norm(y).value().narrow(0, 0, 1), kFloat32) == "");
  CHECK(difference(scaled.narrow(0, 1, 1), all.narrow(0, 1, 1), kFloat32) == "");
  CHECK(difference(scaled.narrow(0, 0, 1), all.narrow(0, 0, 1), kFloat32) != "");
}

TEST_CASE("feed forward: some rows updated where they lie are those of all rows, and the others stay") {
  FeedForward feed_forward({.hidden = 4, .intermediate = 8});
  fill(feed_forward);
  const Tensor y = random_normal({5, 4}, 2), here = y.clone();
  const Packed rows = make_packed({3, 2}, {0, 1});
  const Kept some = keep(rows, greater(from_values<float>({1, 0, 1, 0, 1}), 0.5));
  const NoGrad no_grad;
  const Tensor all = feed_forward(Variable(y), rows, Variable(), {}).value();
  feed_forward.update(here, some, {});
  CHECK(difference(here, index_copy(y, some.rows, index_select(all, some.rows)), kFloat32) == "");
}
