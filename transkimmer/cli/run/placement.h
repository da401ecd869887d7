#pragma once

#include "tensor/device.h"
#include "tensor/dtype.h"

namespace tk {

/// Where a model computes, and in what; how many batches it evaluates side by side.
struct Placement {
  Device device = Device::kCpu;
  DType dtype = DType::kFloat32;
  int queues = 1;
};

}  // namespace tk
