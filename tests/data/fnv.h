#pragma once

#include <cstdint>
#include <iomanip>
#include <sstream>
#include <string>
#include <string_view>

namespace tk {

constexpr std::uint64_t kFnvBasis = 0xCBF29CE484222325;

/// The 64-bit FNV-1a hash of a text, going on from the hash of what came before it.
inline std::uint64_t fnv1a(std::string_view text, std::uint64_t hash = kFnvBasis) {
  for (const char byte : text) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001B3;
  return hash;
}

inline std::string to_hex(std::uint64_t hash) {
  std::ostringstream out;
  out << std::hex << std::setfill('0') << std::setw(16) << hash;
  return out.str();
}

inline std::string fnv1a_hex(std::string_view text) { return to_hex(fnv1a(text)); }

}  // namespace tk
