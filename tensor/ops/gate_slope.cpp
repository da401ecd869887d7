#include "tensor/ops/gate_slope.h"

#include "tensor/kernels.h"

namespace tk {
namespace {

constexpr std::int64_t kMostSamples = 1 << 20;

void check_rule(const Tensor& z, const GateRule& rule) {
  if (!rule.draws()) return;
  TK_CHECK(rule.samples >= 1 && rule.samples <= kMostSamples, "gate_slope: expected 1 to ", kMostSamples,
           " samples, got ", rule.samples);
  const DropoutKey& key = rule.key;
  TK_CHECK(key.state.defined() && key.example.defined() && key.example.rank() == 1 &&
               key.position.shape() == key.example.shape(),
           "gate_slope: expected a step state and the ids of each row");
  const std::int64_t rows = key.example.numel();
  TK_CHECK(rows == 0 ? z.numel() == 0 : z.numel() % rows == 0, "gate_slope: expected gates ", z.shape(),
           " that belong to ", rows, " rows");
}

}  // namespace

SlopedGate gate_slope(const Tensor& z, const Tensor& noise, const Tensor& state, const GateRule& rule) {
  TK_CHECK(z.shape() == noise.shape() && z.dtype() == noise.dtype(), "gate_slope: expected noise like z ", z.dtype(),
           ' ', z.shape(), ", got ", noise.dtype(), ' ', noise.shape());
  check_rule(z, rule);
  SlopedGate out{empty_like(z), empty_like(z)};
  gate_slope_kernel(z.device(), out.hard, out.slope, z.contiguous(), noise.contiguous(), state, rule);
  return out;
}

}  // namespace tk
