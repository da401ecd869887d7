#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace tk {

class InputFile;

/// Where the bytes of an archive's entry lie in its file.
struct StoredEntry {
  std::int64_t begin = 0;
  std::int64_t size = 0;
};
using StoredEntries = std::map<std::string, StoredEntry, std::less<>>;

/// The entries of a zip archive (PKWARE's APPNOTE.TXT 6.3, with its 64-bit sizes) that holds them as they are, as
/// torch.save writes it. Throws tk::Error that starts with the file's path: not a zip archive, an entry that is
/// compressed or encrypted, two of one name, or one that does not lie in the file. Checksums are not looked at:
/// torch.save may leave them out.
StoredEntries read_stored_zip(const InputFile& file);

}  // namespace tk
