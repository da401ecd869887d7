#include "transkimmer/skim/predictor.h"

#include "autograd/grad_mode.h"
#include "tensor/ops/gate_scores.h"
#include "tensor/packed_weight.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/golden.h"
#include "tests/support/tensors.h"
#include "tests/support/tolerances.h"

using namespace tk;
using namespace tk::test;

namespace {

SkimPredictor random_predictor(std::int64_t hidden, std::int64_t width, SkimGate gate) {
  Config config;
  config.hidden_size = hidden;
  config.skim_width = width;
  config.skim_gate = gate;
  SkimPredictor predictor(config);
  ParameterList parameters;
  predictor.collect(parameters, "p");
  std::uint32_t sequence = 0;
  for (const NamedParameter& named : parameters) {
    const bool is_scale = named.parameter->value().rank() == 1 && named.names[0].ends_with("weight");
    init_normal(named.parameter->value(), is_scale ? 1 : 0, is_scale ? 0.2 : 0.1, 7, sequence++);
  }
  return predictor;
}

}  // namespace

TEST_CASE("skim predictor: one kernel on CUDA for a BERT's shapes in bfloat16") {
  CHECK(has_gate_scores(Device::kCuda, DType::kBFloat16, 1024, 384));
  CHECK(has_gate_scores(Device::kCuda, DType::kBFloat16, 96, 5));
  CHECK_FALSE(has_gate_scores(Device::kCuda, DType::kBFloat16, 1056, 384));
  CHECK_FALSE(has_gate_scores(Device::kCuda, DType::kBFloat16, 768, 385));
  CHECK_FALSE(has_gate_scores(Device::kCuda, DType::kBFloat16, 80, 8));
  CHECK_FALSE(has_gate_scores(Device::kCuda, DType::kFloat32, 768, 384));
  CHECK_FALSE(has_gate_scores(Device::kCpu, DType::kBFloat16, 768, 384));
}

TEST_CASE("skim predictor: in evaluation on the CPU one kernel, with the bits of the ops in turn") {
  for (const SkimGate gate : {SkimGate::kLayer, SkimGate::kStaged}) {
    for (const std::int64_t rows : {0, 1, 63, 130, 700}) {
      INFO(rows << " rows, gate " << name(gate));
      SkimPredictor predictor = random_predictor(40, 10, gate);
      const Variable x(random_normal({rows, 40}, 8));
      CHECK(same_bits(predictor(x).value(), [&] {
        const NoGrad no_grad;
        return predictor(x).value();
      }()));
    }
  }
}

TEST_CASE("skim predictor: its packed kernel refuses what does not fit") {
  const PackedMatrix w = [] {
    PackedMatrix packed = PackedInt8Weight(quantize_rows(random_normal({10, 40}, 1))).matrix();
    packed.bias = zeros({10});
    return packed;
  }();
  PredictorWeights weights{.input_gamma = zeros({40}),
                           .input_beta = zeros({40}),
                           .w = {},
                           .b = {},
                           .hidden_gamma = zeros({10}),
                           .hidden_beta = zeros({10}),
                           .output_w = zeros({3, 10}),
                           .output_b = zeros({3})};
  CHECK(message_of([&] {
          gate_scores(zeros({2, 39}), w, weights);
        }) == "gate_scores: expected float32 x [n, 40] on the cpu, got float32 [2, 39] on cpu");
  weights.hidden_beta = zeros({11});
  CHECK(message_of([&] {
          gate_scores(zeros({2, 40}), w, weights);
        }) == "gate_scores: expected hidden_beta of float32 [10] on cpu, got float32 [11] on cpu");
}

TEST_CASE(
    "cuda skim predictor: in evaluation near the composed twin in float32, by one kernel where there is one, the same "
    "bits again") {
  if (!has_cuda()) return;
  struct Case {
    std::int64_t hidden, width, rows;
  };
  constexpr Case kCases[] = {
      {64, 5, 1},       {384, 96, 63},   {384, 192, 64},  {768, 192, 4500},
      {768, 384, 1089}, {768, 383, 65},  {1024, 97, 300},  // one kernel
      {100, 24, 33},    {1024, 900, 70},                   // op by op
  };
  for (const Case& c : kCases) {
    for (const SkimGate gate : {SkimGate::kLayer, SkimGate::kStaged}) {
      SkimPredictor predictor = random_predictor(c.hidden, c.width, gate);
      const Tensor x = empty({c.rows, c.hidden});
      init_normal(x, 0.3, 1.5, 8, 1);
      const Tensor rounded = x.to(DType::kBFloat16);
      const Tensor expected = predictor(Variable(rounded.to(DType::kFloat32))).value();
      ParameterList parameters;
      predictor.collect(parameters, "p");
      for (const NamedParameter& named : parameters) named.parameter->move_to(Device::kCuda);
      const NoGrad no_grad;
      const Variable rows(rounded.to(Device::kCuda));
      const Tensor got = predictor(rows).value();
      INFO(c.hidden << " -> " << c.width << ", " << c.rows << " rows, gate " << name(gate));
      CHECK(got.dtype() == DType::kFloat32);
      CHECK(got.shape() == expected.shape());
      const double scale = largest_difference(expected, zeros_like(expected));
      CHECK(largest_difference(got.to(Device::kCpu), expected) <= kBFloat16 * scale);
      CHECK(largest_difference(predictor(rows).value().to(Device::kCpu), got.to(Device::kCpu)) == 0);
    }
  }
}
