#pragma once

// Single instructions of the device, whose own functions take care of numbers that do not occur here.
namespace tk::cuda {

/// 2^x, to about two units in the last place; 0 below the normal numbers.
__device__ inline float exp2_of(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// log2(x), to 2^-22 of max(1, |log2 x|); -infinity below the normal numbers.
__device__ inline float log2_of(float x) {
  float y;
  asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// 1 / x, to about one unit in the last place; 0 below the normal numbers.
__device__ inline float reciprocal_of(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// The smaller one, and NaN where there is one.
__device__ inline float min_or_nan(float a, float b) {
  float y;
  asm("min.NaN.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b));
  return y;
}

}  // namespace tk::cuda
