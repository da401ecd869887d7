#pragma once

#include <sys/resource.h>

#include <cstdint>
#include <limits>

#include "tensor/host_memory.h"

namespace tk::test {

/// As long as this lives the process may take that many bytes of address space more.
class AddressSpace {
 public:
  explicit AddressSpace(std::int64_t more) {
    ::getrlimit(RLIMIT_AS, &before_);
    // What is used follows from a limit that is surely above it.
    constexpr std::int64_t kLarge = std::numeric_limits<std::int64_t>::max() / 2;
    set(kLarge);
    set(kLarge - bytes_within_limits() + more);
  }
  ~AddressSpace() { ::setrlimit(RLIMIT_AS, &before_); }
  AddressSpace(const AddressSpace&) = delete;
  AddressSpace& operator=(const AddressSpace&) = delete;

 private:
  void set(std::int64_t bytes) const {
    const rlimit limit{static_cast<rlim_t>(bytes), before_.rlim_max};
    ::setrlimit(RLIMIT_AS, &limit);
  }

  rlimit before_ = {};
};

}  // namespace tk::test
