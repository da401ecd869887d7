#pragma once

#include <type_traits>

#include "tensor/activation.h"
#include "tensor/cuda/gelu.h"

// The activations as their functors have them; GELU, BERT's own, as gelu.h does.
namespace tk::cuda {

template <class F, class C>
__device__ C activate(C x) {
  if constexpr (std::is_same_v<F, Gelu>) {
    return gelu(x);
  } else {
    return F::forward(x);
  }
}
/// The same, where what follows rounds it to bfloat16.
template <class F>
__device__ float activate_to_bfloat16(float x) {
  if constexpr (std::is_same_v<F, Gelu>) {
    return gelu_to_bfloat16(x);
  } else {
    return F::forward(x);
  }
}
template <class F, class C>
__device__ C activation_derivative(C x) {
  if constexpr (std::is_same_v<F, Gelu>) {
    return gelu_derivative(x);
  } else {
    return F::derivative(x, C());
  }
}

}  // namespace tk::cuda
