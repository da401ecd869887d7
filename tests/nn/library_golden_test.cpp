// Modules, losses and optimizers beside PyTorch's (tests/golden/make_library_golden.py). Parameters are float32.
#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "nn/gru.h"
#include "nn/loss.h"
#include "nn/optim/adamw.h"
#include "nn/optim/sgd.h"
#include "nn/rms_norm.h"
#include "tests/support/catch.h"
#include "tests/support/golden.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

Tensor stored(const std::string& name) {
  static const SafetensorsFile library = golden("library");
  return library.tensor(name).to(DType::kFloat32);
}

}  // namespace

TEST_CASE("golden gru: states and all gradients are PyTorch's") {
  Gru gru(3, 4);
  ParameterList list;
  gru.collect(list, "gru");
  for (const NamedTensor& named : named_values(list)) named.tensor.copy_from(stored(named.name));
  const Variable x(stored("gru.x"), true), h(stored("gru.h"), true);
  const GruOutput out = gru(x, h);
  CHECK(difference(out.y.value(), stored("gru.y"), kFloat32) == "");
  CHECK(difference(out.h.value(), stored("gru.last"), kFloat32) == "");
  out.y.backward(stored("gru.dy"));
  CHECK(difference(x.grad(), stored("gru.grad.x"), kFloat32Sums) == "");
  CHECK(difference(h.grad(), stored("gru.grad.h"), kFloat32Sums) == "");
  for (const NamedTensor& named : named_gradients(list)) {
    CHECK(difference(named.tensor, stored("gru.grad." + named.name.substr(4)), kFloat32Sums) == "");
  }
}

TEST_CASE("golden rms_norm: value and gradients are PyTorch's") {
  RmsNorm norm(6, 1e-5);
  norm.weight.value().copy_from(stored("rms_norm.weight"));
  const Variable x(stored("rms_norm.x"), true);
  const Variable y = norm(x);
  CHECK(difference(y.value(), stored("rms_norm.y"), kFloat32) == "");
  y.backward(stored("rms_norm.dy"));
  CHECK(difference(x.grad(), stored("rms_norm.grad.x"), kFloat32Sums) == "");
  CHECK(difference(norm.weight.variable().grad(), stored("rms_norm.grad.weight"), kFloat32Sums) == "");
}

TEST_CASE("golden losses: binary cross-entropy and its gradient are PyTorch's") {
  const Variable x(stored("bce.x"), true);
  const Variable loss = binary_cross_entropy_with_logits(x, stored("bce.target"));
  CHECK(difference(loss.value(), stored("bce.loss"), kFloat32) == "");
  loss.backward();
  CHECK(difference(x.grad(), stored("bce.grad"), kFloat32) == "");
}

TEST_CASE("golden optimizers: five steps by rates of their own are PyTorch's") {
  const auto train = [](auto&& make) {
    Parameter w({6});
    w.value().copy_from(stored("steps.start"));
    auto optimizer = make(ParameterList{{{"w"}, &w}});
    for (int step = 0; step < 5; ++step) {
      sum(w * stored("steps.pull") + pow(w, 4) / 4).backward();
      optimizer.step();
    }
    return w.value().clone();
  };
  const Tensor adam = train([](const ParameterList& list) { return Adam(list, 0.1); });
  CHECK(difference(adam, stored("adam.w"), kFloat32Sums) == "");
  const Tensor sgd =
      train([](const ParameterList& list) { return Sgd(list, {.learning_rate = 0.1, .weight_decay = 0.01}, 0.5); });
  CHECK(difference(sgd, stored("sgd.w"), kFloat32Sums) == "");
}
