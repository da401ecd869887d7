#pragma once

#include <cmath>
#include <span>
#include <string>

#include "tensor/io/safetensors.h"
#include "tensor/named_tensor.h"
#include "tensor/packed.h"

namespace tk::test {

/// tests/golden/NAME.
inline std::string golden_path(const std::string& name) { return std::string(TK_SOURCE_DIR) + "/tests/golden/" + name; }

inline SafetensorsFile golden(const std::string& name) { return SafetensorsFile::open(golden_path(name + ".safetensors")); }

/// The packed batch that a golden file holds under `prefix`: sentence s is example s.
inline Packed golden_packed(const SafetensorsFile& file, const std::string& prefix = "") {
  const std::vector<std::int32_t> offsets = file.tensor(prefix + "offsets").to_vector<std::int32_t>();
  std::vector<std::int64_t> lengths;
  std::vector<std::int32_t> examples;
  for (std::size_t s = 0; s + 1 < offsets.size(); ++s) {
    lengths.push_back(offsets[s + 1] - offsets[s]);
    examples.push_back(static_cast<std::int32_t>(s));
  }
  return make_packed(lengths, examples);
}

/// The largest |a - b| over all elements; infinity when shapes differ or an element is not a number.
inline double largest_difference(const Tensor& a, const Tensor& b) {
  if (!(a.shape() == b.shape())) return INFINITY;
  const std::vector<double> x = a.to(DType::kFloat64).to_vector<double>();
  const std::vector<double> y = b.to(DType::kFloat64).to_vector<double>();
  double largest = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double difference = std::fabs(x[i] - y[i]);
    if (!(difference <= largest)) largest = std::isnan(difference) ? INFINITY : difference;
  }
  return largest;
}

/// The first of `tensors` that differs from the file's PREFIX + name by more than `tolerance` (absolute, plus relative to
/// the largest golden element), as a message; empty when none does.
inline std::string first_difference(std::span<const NamedTensor> tensors, const SafetensorsFile& file,
                                    const std::string& prefix, double tolerance) {
  for (const NamedTensor& named : tensors) {
    const Tensor expected = file.tensor(prefix + named.name);
    const double scale = std::max(1.0, largest_difference(expected, zeros_like(expected)));
    const double difference = largest_difference(named.tensor, expected);
    if (!(difference <= tolerance * scale)) return concat(named.name, " differs by ", difference);
  }
  return "";
}

}  // namespace tk::test
