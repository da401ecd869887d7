#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "tensor/tensor.h"

namespace tk {

/// A checksum of 64 bits that tells whether something is what it was; no defence against who wants it to seem so.
/// Words of eight bytes, little-endian, each mixed into what there is by a bijection.
class Fingerprint {
 public:
  /// Adds the bytes and how many they are.
  void add(std::span<const std::byte> bytes);
  void add(std::string_view text) { add(std::as_bytes(std::span(text))); }
  /// Dtype, shape and elements, wherever they lie.
  void add(const Tensor& tensor);

  /// Sixteen hexadecimal digits.
  std::string text() const;

 private:
  void add_word(std::uint64_t word);

  std::uint64_t value_ = 0;
};

}  // namespace tk
