#include "tensor/io/fingerprint.h"

#include <algorithm>
#include <cstring>

#include "tensor/error.h"

namespace tk {

// splitmix64's output function: Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators" (2014).
void Fingerprint::add_word(std::uint64_t word) {
  std::uint64_t z = (value_ ^ word) + 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  value_ = z ^ (z >> 31);
}

void Fingerprint::add(std::span<const std::byte> bytes) {
  add_word(bytes.size());
  while (!bytes.empty()) {
    std::uint64_t word = 0;
    const std::size_t size = std::min(sizeof(word), bytes.size());
    std::memcpy(&word, bytes.data(), size);
    add_word(word);
    bytes = bytes.subspan(size);
  }
}

void Fingerprint::add(const Tensor& tensor) {
  const Tensor here = tensor.to(Device::kCpu).contiguous();
  add(concat(name(here.dtype()), here.shape()));
  add({static_cast<const std::byte*>(here.raw_data()), static_cast<std::size_t>(here.bytes())});
}

std::string Fingerprint::text() const {
  std::string digits;
  for (int shift = 60; shift >= 0; shift -= 4) digits += "0123456789abcdef"[(value_ >> shift) & 15];
  return digits;
}

}  // namespace tk
