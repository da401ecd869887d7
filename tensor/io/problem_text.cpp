#include "tensor/io/problem_text.h"

#include <filesystem>
#include <new>
#include <stdexcept>
#include <system_error>

namespace tk {

std::string problem_text(const std::exception& error) {
  if (const auto* file = dynamic_cast<const std::filesystem::filesystem_error*>(&error)) {
    return file->path1().string() + ": " + file->code().message();
  }
  if (const auto* system = dynamic_cast<const std::system_error*>(&error)) return system->code().message();
  const bool is_size = dynamic_cast<const std::length_error*>(&error) != nullptr;  // beyond every memory
  if (is_size || dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return "out of memory";
  return error.what();
}

}  // namespace tk
