// What training under masks asks of a device.
#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/to.h"
#include "tensor/backend.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/transkimmer/small_model.h"

using namespace tk;
using namespace tk::test;

namespace {

// Kernels and copies of a pass forward and back over so many layers.
std::int64_t launches(const Skimming& gate, std::int64_t layers) {
  Config config = small_config(gate);
  config.hidden_size = 64;
  config.num_hidden_layers = layers;
  const auto model = mixing_model(config);
  model->place(Device::kCuda, DType::kBFloat16);
  PackedTokens inputs = random_inputs(16, 1);
  inputs = {to(inputs.rows, Device::kCuda), inputs.input_ids.to(Device::kCuda), inputs.token_types.to(Device::kCuda)};
  const Context context{.training = true, .state = make_step_state({.seed = 1, .step = 1}, Device::kCuda)};
  const auto step = [&] {
    const ClassifierOutput out = (*model)(inputs, context);
    const Variable loss = sum(to(out.logits, DType::kFloat32));
    (out.encoder.cost.defined() ? loss + out.encoder.cost : loss).backward();
  };
  step();
  const HostCalls before = backend(Device::kCuda).host_calls();
  step();
  return (backend(Device::kCuda).host_calls() - before).launches;
}

std::int64_t launches_of_layer(const Skimming& gate) { return (launches(gate, 6) - launches(gate, 4)) / 2; }

}  // namespace

TEST_CASE("cuda masked rows: a gate adds few kernels to a layer's step") {
  if (!has_cuda()) return;
  const std::int64_t dense = launches_of_layer(SkimGate::kNone);
  const std::int64_t staged = launches_of_layer(kStagedFree), layer = launches_of_layer(SkimGate::kLayer);
  INFO("dense " << dense << ", staged " << staged << ", layer " << layer);
  CHECK(staged - dense <= 40);
  CHECK(layer - dense <= 40);
}
