#include "tensor/io/renames.h"

#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "tensor/error.h"

namespace tk {
namespace fs = std::filesystem;

// Nothing is allocated between the first rename and the last: a process without memory can end where no exception may
// pass, and nobody would undo what is done.
void Renames::add(fs::path from, fs::path to) { all_.emplace_back(std::move(from), std::move(to)); }

void Renames::make() {
  for (; done_ < all_.size(); ++done_) {
    const auto& [from, to] = all_[done_];
    if (std::rename(from.c_str(), to.c_str()) == 0) continue;
    const int error = errno;
    throw Error(
        concat(from.string(), ": cannot rename to ", to.string(), ": ", std::generic_category().message(error)));
  }
}

bool Renames::undo() {
  bool all = true;
  for (; done_ > 0; --done_) {
    const auto& [from, to] = all_[done_ - 1];
    all = std::rename(to.c_str(), from.c_str()) == 0 && all;
  }
  return all;
}

}  // namespace tk
