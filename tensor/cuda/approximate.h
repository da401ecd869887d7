#pragma once

// Single instructions of the device, whose own functions take care of numbers that do not occur here.
namespace tk::cuda {

/// 2^x, to about two units in the last place; 0 below the normal numbers.
__device__ inline float exp2_of(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// 1 / x, to about one unit in the last place; 0 below the normal numbers.
__device__ inline float reciprocal_of(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

}  // namespace tk::cuda
