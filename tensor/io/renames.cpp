#include "tensor/io/renames.h"

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "tensor/error.h"

namespace tk {
namespace fs = std::filesystem;

void Renames::add(const fs::path& from, const fs::path& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) {
    const std::string reason = std::generic_category().message(errno);
    throw Error(concat(from.string(), ": cannot rename to ", to.string(), ": ", reason));
  }
  done_.emplace_back(from, to);
}

bool Renames::undo() {
  bool all = true;
  for (; !done_.empty(); done_.pop_back()) {
    all = std::rename(done_.back().second.c_str(), done_.back().first.c_str()) == 0 && all;
  }
  return all;
}

}  // namespace tk
