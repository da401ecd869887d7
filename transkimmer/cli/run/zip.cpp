#include "transkimmer/cli/run/zip.h"

#ifdef TK_HAS_LIBARCHIVE
#include <archive.h>
#include <archive_entry.h>
#endif

#include <cerrno>
#include <ctime>
#include <memory>
#include <new>

#include "tensor/error.h"

namespace tk {

#ifdef TK_HAS_LIBARCHIVE

namespace {

using Writer = std::unique_ptr<archive, decltype(&archive_write_free)>;
using Reading = std::unique_ptr<archive, decltype(&archive_read_free)>;
using Entry = std::unique_ptr<archive_entry, decltype(&archive_entry_free)>;

void check(archive* handle, la_ssize_t result, const std::string& what) {
  if (result >= ARCHIVE_OK) return;
  const char* why = archive_error_string(handle);
  throw Error(concat(what, ": ", why != nullptr ? why : "out of memory"));
}

la_ssize_t append(archive* handle, void* bytes, const void* data, std::size_t size) {
  try {
    static_cast<std::string*>(bytes)->append(static_cast<const char*>(data), size);
    return static_cast<la_ssize_t>(size);
  } catch (const std::bad_alloc&) {  // which must not go through C
    archive_set_error(handle, ENOMEM, "out of memory");
    return -1;
  }
}

void add(archive* writer, const ZipEntry& file) {
  constexpr std::time_t kTime = 946728000;  // noon of 2000-01-01: the archive says nothing of when it was made
  const Entry entry(archive_entry_new(), archive_entry_free);
  if (!entry) throw std::bad_alloc();
  archive_entry_set_pathname(entry.get(), file.name.c_str());
  archive_entry_set_size(entry.get(), static_cast<la_int64_t>(file.bytes.size()));
  archive_entry_set_filetype(entry.get(), AE_IFREG);
  archive_entry_set_perm(entry.get(), 0644);
  archive_entry_set_mtime(entry.get(), kTime, 0);
  check(writer, archive_write_header(writer, entry.get()), file.name);
  check(writer, archive_write_data(writer, file.bytes.data(), file.bytes.size()), file.name);
}

}  // namespace

bool can_zip() { return true; }

std::string zipped(const std::vector<ZipEntry>& entries) {
  std::string bytes;
  const Writer writer(archive_write_new(), archive_write_free);
  if (!writer) throw std::bad_alloc();
  check(writer.get(), archive_write_set_format_zip(writer.get()), "zip");
  check(writer.get(), archive_write_set_bytes_in_last_block(writer.get(), 1), "zip");  // nothing behind its end
  check(writer.get(), archive_write_open(writer.get(), &bytes, nullptr, append, nullptr), "zip");
  for (const ZipEntry& entry : entries) add(writer.get(), entry);
  check(writer.get(), archive_write_close(writer.get()), "zip");
  return bytes;
}

std::vector<ZipEntry> unzipped(std::string_view bytes, const std::string& source) {
  const Reading reader(archive_read_new(), archive_read_free);
  if (!reader) throw std::bad_alloc();
  check(reader.get(), archive_read_support_format_zip(reader.get()), source);
  check(reader.get(), archive_read_open_memory(reader.get(), bytes.data(), bytes.size()), source);
  std::vector<ZipEntry> entries;
  archive_entry* entry = nullptr;
  for (;;) {
    const int result = archive_read_next_header(reader.get(), &entry);
    if (result == ARCHIVE_EOF) return entries;
    check(reader.get(), result, source);
    const char* name = archive_entry_pathname(entry);
    ZipEntry& file = entries.emplace_back(ZipEntry{name != nullptr ? name : "", ""});
    std::string part(std::size_t{1} << 16, '\0');
    la_ssize_t size = 0;
    while ((size = archive_read_data(reader.get(), part.data(), part.size())) > 0) {
      file.bytes.append(part.data(), static_cast<std::size_t>(size));
    }
    check(reader.get(), size, source + ": " + file.name);
  }
}

#else

bool can_zip() { return false; }

std::string zipped(const std::vector<ZipEntry>&) { throw Error("zip: this build has no libarchive"); }

std::vector<ZipEntry> unzipped(std::string_view, const std::string& source) {
  throw Error(source + ": this build has no libarchive");
}

#endif

}  // namespace tk
