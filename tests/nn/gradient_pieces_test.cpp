#include "nn/gradient_pieces.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"
#include "nn/embedding.h"
#include "nn/linear.h"
#include "nn/optim/clip_grad.h"
#include "tensor/communicator.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/optim.h"
#include "tensor/ops/reduce.h"
#include "tensor/step_state.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

// A table that is sparse, one that is not, and layers of more than one chunk of a norm's sums. One layer is in no loss,
// and one is in it, but no gradient reaches it.
struct Model {
  Embedding words{50, 256, true}, types{3, 256};
  std::vector<Linear> layers;
  Linear unread{300, 200}, unreached{256, 256};

  explicit Model(Device device) {
    for (int i = 0; i < 6; ++i) layers.emplace_back(256, 256);
    for (const NamedParameter& named : list()) {
      init_normal(named.parameter->value(), 0, 0.05, 3, 1);
      named.parameter->move_to(device);
    }
  }
  Model(const Model&) = delete;

  ParameterList list() {
    ParameterList all;
    words.collect(all, "words");
    types.collect(all, "types");
    unread.collect(all, "unread");
    for (std::size_t i = 0; i < layers.size(); ++i) layers[i].collect(all, "layer." + std::to_string(i));
    unreached.collect(all, "unreached");
    return all;
  }

  Variable loss(Device device) const {
    const auto ids = [&](std::vector<std::int32_t> of) { return from_values(of).to(device); };
    Variable x = words(ids({4, 1, 4, 49, -1})) + types(ids({0, 1, 0, 2, 1}));
    for (const Linear& layer : layers) x = tanh(layer(x)) + x;
    const Variable stopped = record("stopped", unreached(x).value().clone(), {unreached(x)},
                                    [](const Tensor&) -> Tensors { return {Tensor()}; });
    return sum(x * x) + sum(stopped) * 0.5;
  }
};

double norm_of(const Gradients& gradients) {
  const Tensor state = make_step_state({}, gradients.dense.device());
  grad_norm(gradients, state);
  return read_step_state(state).grad_norm;
}

}  // namespace

TEST_CASE("gradient pieces: all of the flat gradient in whole chunks, from its end to its beginning") {
  Model model(Device::kCpu);
  const FlatParameters flat(model.list());
  const std::vector<GradientPiece> pieces = gradient_pieces(flat, 8);
  REQUIRE(pieces.size() == 8);
  CHECK(pieces.front().end == flat.grad.numel());
  CHECK(pieces.back().begin == 0);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    CHECK(pieces[i].begin % kNormChunk == 0);
    if (i > 0) CHECK(pieces[i].end == pieces[i - 1].begin);
  }
  CHECK(gradient_pieces(flat, 1000).size() == static_cast<std::size_t>(norm_chunks(flat.grad.numel())));
}

void check_gradients_of_loss(Device device) {
  Model model(device);
  const FlatParameters flat(model.list());
  for (const int turn : {0, 1}) {
    INFO("turn " << turn);
    flat.grad.fill(7);  // of an earlier step: must not be read
    model.loss(device).backward();
    const Gradients expected = flat.gather();
    const Tensor dense = expected.dense.clone();
    const double norm = norm_of(expected);
    flat.clear_gradients();
    flat.grad.fill(7);
    const Gradients gradients = gradients_of(model.loss(device), flat);
    CHECK(same_bits(gradients.dense, dense));
    CHECK(same_bits(gradients.sparse.at(0).rows, expected.sparse.at(0).rows));
    CHECK(gradients.squares.defined());
    CHECK(norm_of(gradients) == norm);
    flat.clear_gradients();
  }
}

TEST_CASE("gradients of a loss: those of a walk back, and the norm's sums with the same bits") {
  check_gradients_of_loss(Device::kCpu);
}

TEST_CASE("cuda gradients of a loss: those of a walk back, and the norm's sums with the same bits") {
  if (has_cuda()) check_gradients_of_loss(Device::kCuda);
}

TEST_CASE("gradients of a loss: where no gradient comes to the first op of all, its parameters are zeros in the norm") {
  Linear first(256, 256), second(256, 256);
  const FlatParameters flat(parameters_of(first, second));
  const Variable x(random_normal({4, 256}, 1));
  const Variable unreached = first(x);
  const Variable stopped =
      record("stopped", unreached.value().clone(), {unreached}, [](const Tensor&) -> Tensors { return {Tensor()}; });
  flat.grad.fill(7);
  const Gradients gradients = gradients_of(sum(second(x)) + sum(stopped), flat);
  CHECK(norm_of(gradients) == norm_of({.dense = gradients.dense, .sparse = {}}));
  CHECK(max(abs(first.weight.grad().dense())).item() == 0);
}

TEST_CASE("gradients of a loss: what is no loss is refused") {
  Model model(Device::kCpu);
  const FlatParameters flat(model.list());
  CHECK(message_of([&] { gradients_of(Variable(zeros({})), flat); }) ==
        "gradients_of: expected a loss of one element that was recorded");
}
