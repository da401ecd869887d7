#include "tensor/step_state.h"

#include <new>

namespace tk {

static_assert(sizeof(StepState) % sizeof(std::int64_t) == 0);
constexpr std::int64_t kWords = sizeof(StepState) / sizeof(std::int64_t);

Tensor make_step_state(const StepState& state, Device device) {
  const Tensor tensor = empty({kWords}, DType::kInt64, device);
  new (tensor.raw_data()) StepState(state);
  return tensor;
}

StepState& step_state(const Tensor& state) {
  TK_CHECK(state.defined() && state.shape() == Shape{kWords} && state.dtype() == DType::kInt64,
           "step_state: expected a tensor from make_step_state, got ", state.dtype(), ' ', state.shape());
  return *static_cast<StepState*>(state.raw_data());
}

}  // namespace tk
