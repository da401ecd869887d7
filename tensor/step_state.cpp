#include "tensor/step_state.h"

#include <cstddef>
#include <cstring>

#include "tensor/backend.h"

namespace tk {
namespace {

static_assert(sizeof(StepState) % sizeof(std::int64_t) == 0);
constexpr std::int64_t kWords = sizeof(StepState) / sizeof(std::int64_t);

void check(const Tensor& state) {
  TK_CHECK(state.defined() && state.shape() == Shape{kWords} && state.dtype() == DType::kInt64,
           "step_state: expected a tensor from make_step_state, got ", state.dtype(), ' ', state.shape());
}

}  // namespace

Tensor make_step_state(const StepState& state, Device device) {
  const Tensor tensor = empty({kWords}, DType::kInt64);
  std::memcpy(tensor.raw_data(), &state, sizeof(state));
  return tensor.to(device);
}

StepState& step_state(const Tensor& state) {
  check(state);
  TK_CHECK(state.device() == Device::kCpu, "step_state: the state lies on ", state.device(), "; read a copy of it");
  return *static_cast<StepState*>(state.raw_data());
}

StepState read_step_state(const Tensor& state) {
  check(state);
  StepState copy;
  backend(state.device()).copy_out(&copy, state.raw_data(), sizeof(copy));
  return copy;
}

void write_step_state(const Tensor& state, const StepState& values) {
  check(state);
  backend(state.device()).copy_in(state.raw_data(), &values, sizeof(values));
}

void set_step(const Tensor& state, const StepState& settings) {
  check(state);
  backend(state.device()).copy_in(state.raw_data(), &settings, offsetof(StepState, grad_norm));
}

}  // namespace tk
