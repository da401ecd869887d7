#pragma once

#include "tensor/activation.h"

namespace tk::test {

/// An activation and the elementwise function that it is.
struct ActivationCase {
  Activation activation;
  UnaryOp op;
};

inline constexpr ActivationCase kEveryActivation[] = {{Activation::kGelu, UnaryOp::kGelu},
                                                      {Activation::kGeluTanh, UnaryOp::kGeluTanh},
                                                      {Activation::kRelu, UnaryOp::kRelu},
                                                      {Activation::kSilu, UnaryOp::kSilu}};

}  // namespace tk::test
