#include "tensor/read_back.h"

#include <utility>

#include "tensor/backend.h"

namespace tk {

ReadBack::ReadBack(const Tensor& x) {
  if (!x.defined()) return;
  const Tensor source = x.contiguous();
  elements_ = empty(x.shape(), x.dtype());
  if (x.numel() > 0) arrive_ = backend(x.device()).copy_out_later(source.raw_data(), source.bytes());
}

const Tensor& ReadBack::get() {
  if (const auto arrive = std::exchange(arrive_, nullptr)) arrive(elements_.raw_data());
  return elements_;
}

}  // namespace tk
