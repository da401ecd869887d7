#pragma once

#include <cmath>
#include <vector>

#include "tensor/ops/gate.h"
#include "tests/autograd/packed_rows.h"
#include "tests/support/catch.h"

// Many samples of an estimator beside a closed form.
namespace tk::test {

inline constexpr std::int64_t kSamples = 200000;

/// Noise for kSamples independent samples: one sentence of an example each would do; positions stay below 2^16.
inline DropoutKey sample_key() {
  Packed packed;
  packed.tokens = kSamples;
  packed.example = arange(kSamples);
  packed.position = zeros({kSamples}, DType::kInt32);
  return dropout_key(0, packed, {Purpose::kGate, 0, 0});
}

/// Mean and standard deviation.
struct Moments {
  double mean;
  double deviation;
};

inline Moments moments(const Tensor& samples) {
  const std::vector<double> x = samples.to(DType::kFloat64).to_vector<double>();
  const auto n = static_cast<double>(x.size());
  double sum = 0;
  double squares = 0;
  for (const double value : x) sum += value;
  for (const double value : x) squares += (value - sum / n) * (value - sum / n);
  return {sum / n, std::sqrt(squares / n)};
}

/// At low temperatures few samples carry the gradient, so its deviation is estimated less well.
inline void check_moments(const Moments& got, const Moments& expected) {
  CHECK(std::fabs(got.mean - expected.mean) < 5 * expected.deviation / std::sqrt(double{kSamples}));
  CHECK(got.deviation == Approx(expected.deviation).epsilon(0.03));
}

}  // namespace tk::test
