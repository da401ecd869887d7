#include "nn/init.h"

#include "tensor/ops/elementwise.h"
#include "tensor/ops/random.h"

namespace tk {
namespace {

thread_local Draw next_draw{.seed = 0, .step = 0, .stream = Purpose::kInit, .state = {}};

Draw take_draw() {
  ++next_draw.step;
  return next_draw;
}

}  // namespace

void manual_seed(std::uint64_t seed) {
  next_draw.seed = seed;
  next_draw.step = 0;
}

void init_uniform(const Tensor& x, double bound) {
  x.copy_from(rand(x.shape(), take_draw(), x.dtype()) * (2 * bound) - bound);
}

void init_normal(const Tensor& x, double deviation) {
  x.copy_from(randn(x.shape(), take_draw(), x.dtype()) * deviation);
}

}  // namespace tk
