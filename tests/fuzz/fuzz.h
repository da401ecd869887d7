#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/temporary_folder.h"

// A fuzz target is a program that reads one input and must end: by a result that holds what its contract says, or by
// tk::Error. Anything else (another exception, a sanitizer's report, a promise that does not hold) ends it with a
// crash.
//   extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
namespace tk::fuzz {

/// Ends the program where a promise of the library does not hold.
inline void require(bool holds, const char* promise) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", promise);
  std::abort();
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// The pieces of an input between zero bytes.
inline std::vector<std::string> pieces(std::string_view text) {
  std::vector<std::string> result;
  for (std::size_t zero = text.find('\0'); zero != text.npos; zero = text.find('\0')) {
    result.emplace_back(text.substr(0, zero));
    text.remove_prefix(zero + 1);
  }
  result.emplace_back(text);
  return result;
}

/// A folder for files that a target reads, for the life of the program.
inline const TemporaryFolder& folder() {
  static const TemporaryFolder made;
  return made;
}

}  // namespace tk::fuzz
