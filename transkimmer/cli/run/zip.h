#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

// Zip archives and gzip, by libarchive where the build has it.
namespace tk {

struct ZipEntry {
  std::string name;
  std::string bytes;

  bool operator==(const ZipEntry&) const = default;
};

/// Why nothing can be zipped and unzipped: the build knows no libarchive, or the machine has none. Empty where it can;
/// else the functions below throw.
std::string zip_problem();
inline bool can_zip() { return zip_problem().empty(); }

/// An archive of files, in their order; the same bytes each time.
std::string zipped(const std::vector<ZipEntry>& entries);

/// What is in an archive. Throws where it is none, or broken; `source` begins the message.
std::vector<ZipEntry> unzipped(std::string_view bytes, const std::string& source);

/// Writes the files FOLDER/NAME of an archive to `target`/NAME, for each of `names`; what else is in it, under whatever
/// names, is passed over. Throws where one is missing, or the archive is broken.
void unzip_files(const std::filesystem::path& archive, const std::string& folder, const std::vector<std::string>& names,
                 const std::filesystem::path& target);

/// What gzip made `bytes` of. Throws where it is none, or broken, or unfolds to more than `most` bytes; `source` begins
/// the message.
std::string gunzipped(std::string_view bytes, const std::string& source, std::size_t most);

}  // namespace tk
