#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>
#include <vector>

namespace tk {

/// One line of the self-test.
struct SelfCheck {
  std::string what;
  double tolerance = 0;
  std::function<double()> error;  ///< computes the largest difference
};

struct SelfCheckGroup {
  std::string title;
  std::vector<SelfCheck> checks;
};

/// Every differentiable op on small float64 inputs: its gradient beside central differences.
SelfCheckGroup gradient_checks();
/// Kernels in float32 beside values from mathematics, from publications, or from exact arithmetic.
SelfCheckGroup value_checks();
/// A small BERT with given weights beside what transformers and PyTorch compute for it.
SelfCheckGroup model_checks();

/// Runs the checks and writes a line for each: what, largest error, tolerance, ok or FAILED. A check fails, too, when
/// it throws and when its error is not a number. Returns how many failed.
std::int64_t run_checks(const SelfCheckGroup& group, std::ostream& out);

}  // namespace tk
