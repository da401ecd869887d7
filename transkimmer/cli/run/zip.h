#pragma once

#include <string>
#include <string_view>
#include <vector>

// Zip archives, by libarchive where the build has it.
namespace tk {

struct ZipEntry {
  std::string name;
  std::string bytes;

  bool operator==(const ZipEntry&) const = default;
};

/// Whether the build has libarchive; where it has none, the functions below throw.
bool can_zip();

/// An archive of files, in their order; the same bytes each time.
std::string zipped(const std::vector<ZipEntry>& entries);

/// What is in an archive. Throws where it is none, or broken; `source` begins the message.
std::vector<ZipEntry> unzipped(std::string_view bytes, const std::string& source);

}  // namespace tk
