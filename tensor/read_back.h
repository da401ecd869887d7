#pragma once

#include <functional>

#include "tensor/tensor.h"

namespace tk {

/// A tensor's elements on their way to the host: asked for when it is made, and waited for when they are read, while
/// the device goes on with what was asked for later.
class ReadBack {
 public:
  ReadBack() = default;
  /// An undefined tensor has nothing to read.
  explicit ReadBack(const Tensor& x);

  bool defined() const { return elements_.defined(); }
  /// The elements, on the CPU. Throws what went wrong on the device before them.
  const Tensor& get();

 private:
  Tensor elements_;
  std::function<void(void*)> arrive_;  // until they have
};

}  // namespace tk
