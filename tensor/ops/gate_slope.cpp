#include "tensor/ops/gate_slope.h"

#include "tensor/kernels.h"
#include "tensor/ops/gate.h"

namespace tk {
namespace {

constexpr std::int64_t kMostSamples = 1 << 20;

void check_rule(const Tensor& z, const GateRule& rule) {
  if (!rule.draws()) return;
  TK_CHECK(rule.samples >= 1 && rule.samples <= kMostSamples, "gate_slope: expected 1 to ", kMostSamples,
           " samples, got ", rule.samples);
  check_gates_of_rows("gate_slope", z, rule.key);
}

}  // namespace

SlopedGate gate_slope(const Tensor& z, const Tensor& noise, const Tensor& state, const GateRule& rule) {
  TK_CHECK(z.shape() == noise.shape() && z.dtype() == noise.dtype(), "gate_slope: expected noise like z ", z.dtype(),
           ' ', z.shape(), ", got ", noise.dtype(), ' ', noise.shape());
  check_rule(z, rule);
  SlopedGate out{empty_like(z), empty_like(z)};
  gate_slope_kernel(z.device(), out.hard, out.slope, z.contiguous(), noise.contiguous(), state, {}, rule);
  return out;
}

SlopedGate gate_slope(const Tensor& z, const DropoutKey& key, const GateRule& rule) {
  check_gates_of_rows("gate_slope", z, key);
  check_rule(z, rule);
  TK_CHECK(!rule.draws() || rule.key.example.numel() == key.example.numel(), "gate_slope: noise of ",
           key.example.numel(), " rows and samples of ", rule.key.example.numel());
  SlopedGate out{empty_like(z), empty_like(z)};
  gate_slope_kernel(z.device(), out.hard, out.slope, z.contiguous(), {}, key.state, key, rule);
  return out;
}

}  // namespace tk
