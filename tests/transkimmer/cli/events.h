#pragma once

#include <algorithm>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/temporary_folder.h"
#include "transkimmer/cli/run/run_files.h"

namespace tk {

/// The files for TensorBoard below a folder, by their paths.
inline std::vector<std::filesystem::path> event_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (is_event_file(entry.path().filename().string())) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

/// The messages in such a file, which holds whole records.
inline std::vector<std::string> records_of(const std::filesystem::path& file) {
  const std::string bytes = read_bytes(file);
  std::vector<std::string> records;
  for (std::size_t at = 0; at < bytes.size();) {
    std::size_t size = 0;
    for (std::size_t i = 8; i-- > 0;) size = size << 8 | static_cast<unsigned char>(bytes.at(at + i));
    if (at + size + 16 > bytes.size()) throw std::runtime_error(file.string() + ": half a record");
    records.push_back(bytes.substr(at + 12, size));
    at += size + 16;
  }
  return records;
}

}  // namespace tk
