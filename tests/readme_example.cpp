#include <cstdio>

#include "autograd/estimators/gumbel_softmax.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "nn/optim/adamw.h"
#include "tensor/ops/gate.h"

int main() {  // which of eight inputs does the target need? Each has a gate, and an open gate costs 0.1
  using namespace tk;
  const Variable truth(from_values<float>({3, 0, 0, 0, 0, -2, 0, 0}).reshape({8, 1}));
  Parameter weight({8, 1}), z({8, 1});  // z: how much each gate wants to be open
  AdamW adam({{{"weight"}, &weight}, {{"z"}, &z}});
  const Tensor state = make_step_state({.seed = 1, .learning_rate = {0.02}});
  for (std::uint32_t step = 1; step <= 600; ++step) {
    step_state(state).step = step;
    const Tensor x = empty({64, 8});
    init_normal(x, 0, 1, /*seed=*/2, step);
    const Tensor noise = logistic_noise({.state = state, .example = arange(8), .position = arange(8), .stream = {}}, 1);
    const Variable gate = gumbel_gate(z, noise, state);  // forward exactly 0 or 1, backward a sigmoid's slope
    const Variable error = matmul(Variable(x), weight * gate - truth);
    const Variable loss = mean(square(error)) + sum(gate) * 0.1;
    loss.backward();
    adam.step(state);
  }
  for (int i = 0; i < 8; ++i)
    if (z.value().data<float>()[i] > 0) std::printf("input %d, weight %.1f\n", i, weight.value().data<float>()[i]);
}
