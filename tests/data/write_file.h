#pragma once

#include <string>

#include "tests/support/temporary_folder.h"

namespace tk {

/// Writes folder/name, making the folders on its way, and returns the path.
inline std::filesystem::path write_file(const TemporaryFolder& folder, const std::string& name,
                                        const std::string& content) {
  const std::filesystem::path file = folder / name;
  std::filesystem::create_directories(file.parent_path());
  write_bytes(file, content);
  return file;
}

}  // namespace tk
