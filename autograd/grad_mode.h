#pragma once

namespace tk {

/// Whether ops on this thread record a graph; true at the start.
bool grad_enabled();

/// Ops record nothing while one of these lives: evaluation, and arithmetic on parameters.
class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool before_;
};

}  // namespace tk
