#pragma once

#include <functional>
#include <string>
#include <vector>

#include "autograd/variable.h"
#include "tests/support/tolerances.h"

namespace tk::test {

/// A differentiable op on example inputs. From a row follow (tests/autograd/op_cases_test.cpp): a gradient check in
/// float64, float32 against float64, the same results for strided inputs, and the same bits for any number of threads;
/// then (device_cases_test.cpp) the same on a device, in bfloat16 too.
struct OpCase {
  using Function = std::function<Variable(const Variables&)>;

  std::string name;
  Function f;                    ///< takes inputs of any float type and device, and reads constants in theirs
  Tensors inputs;                ///< float64
  Tolerance float32 = kFloat32;  ///< of float32 against float64, values and gradients
  bool large = false;            ///< too many elements for a gradient check; there to be cut into chunks and panels
  Function relaxed;              ///< where f chooses discretely: the function whose gradient it takes
  bool chooses = true;           ///< of f that is relaxed: whether its values are 0 and 1
  std::size_t columns = 0;       ///< how many of the last inputs belong to rows or columns: float32 beside bfloat16
  bool cpu_only = false;         ///< has no kernel on a device
};

/// Every op of autograd/ops and autograd/estimators.
const std::vector<OpCase>& op_cases();

}  // namespace tk::test
