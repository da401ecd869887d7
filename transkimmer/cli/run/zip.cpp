#include "transkimmer/cli/run/zip.h"

#ifdef TK_HAS_LIBARCHIVE
#include <archive.h>
#include <archive_entry.h>
#endif

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <memory>
#include <new>

#include "tensor/error.h"
#include "tensor/io/atomic_file.h"
#include "tensor/lazy_library.h"
#include "transkimmer/cli/run/signals.h"

namespace tk {
namespace fs = std::filesystem;

#ifdef TK_HAS_LIBARCHIVE

namespace {

// The functions of libarchive that are called here.
struct LibArchive {
  LazyLibrary library{"libarchive.so.13"};
  TK_LAZY_FUNCTION(archive_entry_filetype);
  TK_LAZY_FUNCTION(archive_entry_free);
  TK_LAZY_FUNCTION(archive_entry_new);
  TK_LAZY_FUNCTION(archive_entry_pathname);
  TK_LAZY_FUNCTION(archive_entry_set_filetype);
  TK_LAZY_FUNCTION(archive_entry_set_mtime);
  TK_LAZY_FUNCTION(archive_entry_set_pathname);
  TK_LAZY_FUNCTION(archive_entry_set_perm);
  TK_LAZY_FUNCTION(archive_entry_set_size);
  TK_LAZY_FUNCTION(archive_error_string);
  TK_LAZY_FUNCTION(archive_read_data);
  TK_LAZY_FUNCTION(archive_read_free);
  TK_LAZY_FUNCTION(archive_read_new);
  TK_LAZY_FUNCTION(archive_read_next_header);
  TK_LAZY_FUNCTION(archive_read_open_filename);
  TK_LAZY_FUNCTION(archive_read_open_memory);
  TK_LAZY_FUNCTION(archive_read_support_filter_gzip);
  TK_LAZY_FUNCTION(archive_read_support_format_raw);
  TK_LAZY_FUNCTION(archive_read_support_format_zip);
  TK_LAZY_FUNCTION(archive_set_error);
  TK_LAZY_FUNCTION(archive_write_close);
  TK_LAZY_FUNCTION(archive_write_data);
  TK_LAZY_FUNCTION(archive_write_free);
  TK_LAZY_FUNCTION(archive_write_header);
  TK_LAZY_FUNCTION(archive_write_new);
  TK_LAZY_FUNCTION(archive_write_open);
  TK_LAZY_FUNCTION(archive_write_set_bytes_in_last_block);
  TK_LAZY_FUNCTION(archive_write_set_format_zip);
};

// Throws where it is not there.
const LibArchive& lib() {
  static const LibArchive library;
  return library;
}

using Writer = std::unique_ptr<archive, decltype(&::archive_write_free)>;
using Reading = std::unique_ptr<archive, decltype(&::archive_read_free)>;
using Entry = std::unique_ptr<archive_entry, decltype(&::archive_entry_free)>;

void check(archive* handle, la_ssize_t result, const std::string& what) {
  if (result >= ARCHIVE_OK) return;
  const char* why = lib().archive_error_string(handle);
  throw Error(concat(what, ": ", why != nullptr ? why : "out of memory"));
}

la_ssize_t append(archive* handle, void* bytes, const void* data, std::size_t size) {
  try {
    static_cast<std::string*>(bytes)->append(static_cast<const char*>(data), size);
    return static_cast<la_ssize_t>(size);
  } catch (const std::bad_alloc&) {  // which must not go through C
    lib().archive_set_error(handle, ENOMEM, "out of memory");
    return -1;
  }
}

void add(archive* writer, const ZipEntry& file) {
  constexpr std::time_t kTime = 946728000;  // noon of 2000-01-01: the archive says nothing of when it was made
  const Entry entry(lib().archive_entry_new(), lib().archive_entry_free);
  if (!entry) throw std::bad_alloc();
  lib().archive_entry_set_pathname(entry.get(), file.name.c_str());
  lib().archive_entry_set_size(entry.get(), static_cast<la_int64_t>(file.bytes.size()));
  lib().archive_entry_set_filetype(entry.get(), AE_IFREG);
  lib().archive_entry_set_perm(entry.get(), 0644);
  lib().archive_entry_set_mtime(entry.get(), kTime, 0);
  check(writer, lib().archive_write_header(writer, entry.get()), file.name);
  check(writer, lib().archive_write_data(writer, file.bytes.data(), file.bytes.size()), file.name);
}

Reading new_reader() {
  Reading reader(lib().archive_read_new(), lib().archive_read_free);
  if (!reader) throw std::bad_alloc();
  return reader;
}

Reading zip_reader(const std::string& source) {
  Reading reader = new_reader();
  check(reader.get(), lib().archive_read_support_format_zip(reader.get()), source);
  return reader;
}

// Hands on the bytes of the entry, part by part.
template <class Take>
void read_all(const Reading& reader, const std::string& what, const Take& take) {
  std::string part(std::size_t{1} << 16, '\0');
  la_ssize_t size = 0;
  while ((size = lib().archive_read_data(reader.get(), part.data(), part.size())) > 0) {
    throw_if_stopped();
    take(std::string_view(part.data(), static_cast<std::size_t>(size)));
  }
  check(reader.get(), size, what);
}

}  // namespace

std::string zip_problem() {
  try {
    lib();
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

std::string zipped(const std::vector<ZipEntry>& entries) {
  std::string bytes;
  const Writer writer(lib().archive_write_new(), lib().archive_write_free);
  if (!writer) throw std::bad_alloc();
  check(writer.get(), lib().archive_write_set_format_zip(writer.get()), "zip");
  check(writer.get(), lib().archive_write_set_bytes_in_last_block(writer.get(), 1), "zip");  // nothing behind its end
  check(writer.get(), lib().archive_write_open(writer.get(), &bytes, nullptr, append, nullptr), "zip");
  for (const ZipEntry& entry : entries) add(writer.get(), entry);
  check(writer.get(), lib().archive_write_close(writer.get()), "zip");
  return bytes;
}

std::vector<ZipEntry> unzipped(std::string_view bytes, const std::string& source) {
  const Reading reader = zip_reader(source);
  check(reader.get(), lib().archive_read_open_memory(reader.get(), bytes.data(), bytes.size()), source);
  std::vector<ZipEntry> entries;
  archive_entry* entry = nullptr;
  for (;;) {
    const int result = lib().archive_read_next_header(reader.get(), &entry);
    if (result == ARCHIVE_EOF) return entries;
    check(reader.get(), result, source);
    const char* name = lib().archive_entry_pathname(entry);
    ZipEntry& file = entries.emplace_back(ZipEntry{name != nullptr ? name : "", ""});
    read_all(reader, source + ": " + file.name, [&](std::string_view part) { file.bytes += part; });
  }
}

// Names come from `names` alone, so that none in the archive leads anywhere.
void unzip_files(const fs::path& path, const std::string& folder, const std::vector<std::string>& names,
                 const fs::path& target) {
  const std::string source = path.string();
  const Reading reader = zip_reader(source);
  check(reader.get(), lib().archive_read_open_filename(reader.get(), path.c_str(), std::size_t{1} << 16), source);
  std::vector<std::string> missing = names;
  archive_entry* entry = nullptr;
  for (;;) {
    const int result = lib().archive_read_next_header(reader.get(), &entry);
    if (result == ARCHIVE_EOF) break;
    check(reader.get(), result, source);
    const char* name = lib().archive_entry_pathname(entry);
    const auto found = std::ranges::find_if(
        missing, [&](const std::string& file) { return name != nullptr && folder + '/' + file == name; });
    if (found == missing.end() || lib().archive_entry_filetype(entry) != AE_IFREG) continue;
    AtomicFile file(target / *found);
    read_all(reader, source + ": " + name, [&](std::string_view part) { file.write(part); });
    file.commit();
    missing.erase(found);
  }
  TK_CHECK(missing.empty(), source, ": has no ", folder, '/', missing.front());
}

std::string gunzipped(std::string_view bytes, const std::string& source, std::size_t most) {
  // Of other bytes the raw format would make a copy.
  TK_CHECK(bytes.starts_with("\x1f\x8b"), source, ": is no gzip file");
  const Reading reader = new_reader();
  check(reader.get(), lib().archive_read_support_filter_gzip(reader.get()), source);
  check(reader.get(), lib().archive_read_support_format_raw(reader.get()), source);
  check(reader.get(), lib().archive_read_open_memory(reader.get(), bytes.data(), bytes.size()), source);
  archive_entry* entry = nullptr;
  check(reader.get(), lib().archive_read_next_header(reader.get(), &entry), source);
  std::string unfolded;
  read_all(reader, source, [&](std::string_view part) {
    TK_CHECK(part.size() <= most - unfolded.size(), source, ": unfolds to more than ", most, " bytes");
    unfolded += part;
  });
  return unfolded;
}

#else

std::string zip_problem() { return "this build has no libarchive; install libarchive-dev and build again"; }

std::string zipped(const std::vector<ZipEntry>&) { throw Error("zip: this build has no libarchive"); }

std::vector<ZipEntry> unzipped(std::string_view, const std::string& source) {
  throw Error(source + ": this build has no libarchive");
}

void unzip_files(const fs::path& archive, const std::string&, const std::vector<std::string>&, const fs::path&) {
  throw Error(archive.string() + ": this build has no libarchive");
}

std::string gunzipped(std::string_view, const std::string& source, std::size_t) {
  throw Error(source + ": this build has no libarchive");
}

#endif

}  // namespace tk
