#pragma once

namespace tk::test {

/// |got - expected| <= absolute + relative |expected|
struct Tolerance {
  double absolute;
  double relative;
};

// One table for all tests of numbers, with the reason for each.

/// The same arithmetic in another order, in float64.
inline constexpr Tolerance kSameInFloat64{1e-12, 1e-12};
/// float64 beside PyTorch's float64, whose elementary functions round otherwise.
inline constexpr Tolerance kPyTorchInFloat64{1e-11, 1e-11};
/// A few float32 roundings (6e-8 each), and the polynomials of tensor/scalar_math.h, whose error is below 1e-6.
inline constexpr Tolerance kFloat32{2e-6, 2e-6};
/// float32 sums of up to a hundred products of size 1, and what divides by such sums: each addition rounds a sum of
/// size sqrt(n) to 6e-8 of it, and n such roundings add up to n 6e-8.
inline constexpr Tolerance kFloat32Sums{2e-5, 2e-5};
/// The same for up to a thousand terms.
inline constexpr Tolerance kFloat32LongSums{1e-4, 2e-5};
/// bfloat16 beside float64, in parts of the tensor's largest element: each value is rounded to 2e-3 of itself, inputs
/// of a sum, intermediate results and the result.
inline constexpr double kBFloat16 = 2e-2;
/// A value that is stored as float32 beside one computed in float64.
inline constexpr Tolerance kStoredAsFloat32{1e-7, 1e-7};

}  // namespace tk::test
