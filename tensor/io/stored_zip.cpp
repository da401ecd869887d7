#include "tensor/io/stored_zip.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>

#include "tensor/error.h"
#include "tensor/io/in_quotes.h"
#include "tensor/io/input_file.h"

namespace tk {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are used as they lie in the file");

// Records begin with these; their sizes are without names, comments and extra fields.
constexpr std::string_view kLocalHeader = "PK\3\4", kDirectoryHeader = "PK\1\2", kEnd = "PK\5\6", kEnd64 = "PK\6\6",
                           kLocator64 = "PK\6\7";
constexpr std::size_t kLocalBytes = 30, kDirectoryBytes = 46, kEndBytes = 22, kEnd64Bytes = 56, kLocator64Bytes = 20;
constexpr std::size_t kMostComment = 65535;
constexpr std::uint64_t kMostDirectory = 64 << 20;
constexpr std::uint32_t kIn64 = 0xffffffff;  // the number stands in the extra field

template <class T>
T number(std::string_view record, std::size_t at) {
  T value;
  std::memcpy(&value, record.data() + at, sizeof value);
  return value;
}

struct Directory {
  std::uint64_t begin, size;
};

class Archive {
 public:
  explicit Archive(const InputFile& file) : file_(file), size_(static_cast<std::uint64_t>(file.size())) {}

  StoredEntries entries() {
    directory_ = find_directory();
    check(directory_.size <= kMostDirectory && directory_.begin <= size_ && directory_.size <= size_ - directory_.begin,
          "its directory lies outside the file, or is too large");
    const std::string text = read(directory_.begin, directory_.size);
    StoredEntries entries;
    for (std::string_view rest = text; !rest.empty();) add_first(rest, entries);
    return entries;
  }

 private:
  template <class... Parts>
  void check(bool holds, const Parts&... parts) const {
    TK_CHECK(holds, file_.path(), ": not a zip archive as torch.save writes it: ", parts...);
  }

  // From a place and of a size that are known to lie in the file.
  std::string read(std::uint64_t begin, std::uint64_t size) const {
    std::string text(size, '\0');
    file_.read(static_cast<std::int64_t>(begin), std::as_writable_bytes(std::span(text)));
    return text;
  }

  // The end of the file is a record with a comment that nothing follows; a locator before it tells of 64-bit numbers.
  Directory find_directory() const {
    const std::string tail = read_tail();
    const std::string_view text = tail;
    for (std::size_t at = text.size() < kEndBytes ? 0 : text.size() - kEndBytes + 1; at-- > 0;) {
      const std::string_view end = text.substr(at);
      if (!end.starts_with(kEnd) || number<std::uint16_t>(end, 20) != end.size() - kEndBytes) continue;
      const bool has_locator = at >= kLocator64Bytes && text.substr(at - kLocator64Bytes).starts_with(kLocator64);
      if (has_locator) return find_directory64(number<std::uint64_t>(text, at - kLocator64Bytes + 8));
      return {number<std::uint32_t>(end, 16), number<std::uint32_t>(end, 12)};
    }
    check(false, "it has no directory");
    return {};
  }

  std::string read_tail() const {
    const std::uint64_t bytes = std::min<std::uint64_t>(size_, kLocator64Bytes + kEndBytes + kMostComment);
    return read(size_ - bytes, bytes);
  }

  Directory find_directory64(std::uint64_t at) const {
    check(size_ >= kEnd64Bytes && at <= size_ - kEnd64Bytes, "its directory lies outside the file");
    const std::string end = read(at, kEnd64Bytes);
    check(end.starts_with(kEnd64), "it has no directory where it says");
    return {number<std::uint64_t>(end, 48), number<std::uint64_t>(end, 40)};
  }

  // Takes the directory's first entry off `rest`.
  void add_first(std::string_view& rest, StoredEntries& entries) const {
    check(rest.size() >= kDirectoryBytes && rest.starts_with(kDirectoryHeader), "its directory is damaged");
    const std::size_t name_size = number<std::uint16_t>(rest, 28), extra_size = number<std::uint16_t>(rest, 30);
    const std::size_t whole = kDirectoryBytes + name_size + extra_size + number<std::uint16_t>(rest, 32);
    check(rest.size() >= whole, "its directory is damaged");
    const std::string name(rest.substr(kDirectoryBytes, name_size));
    std::string_view extra = extra64(rest.substr(kDirectoryBytes + name_size, extra_size));
    const std::uint64_t size = wide(number<std::uint32_t>(rest, 24), extra);
    const std::uint64_t stored_size = wide(number<std::uint32_t>(rest, 20), extra);
    const std::uint64_t header = wide(number<std::uint32_t>(rest, 42), extra);
    const bool is_encrypted = (number<std::uint16_t>(rest, 8) & 1) != 0;
    check(number<std::uint16_t>(rest, 10) == 0 && !is_encrypted && stored_size == size, in_quotes(name),
          " is compressed or encrypted");
    const bool is_new = entries.emplace(name, locate(name, header, size)).second;
    check(is_new, in_quotes(name), " comes twice");
    rest.remove_prefix(whole);
  }

  // The 64-bit numbers among an entry's extra fields: those that are kIn64, in the order of size, stored size, header.
  std::string_view extra64(std::string_view extra) const {
    while (extra.size() >= 4) {
      const std::size_t bytes = number<std::uint16_t>(extra, 2);
      if (number<std::uint16_t>(extra, 0) == 1) return extra.substr(4, bytes);
      extra.remove_prefix(std::min(extra.size(), 4 + bytes));
    }
    return {};
  }

  std::uint64_t wide(std::uint32_t narrow, std::string_view& extra) const {
    if (narrow != kIn64) return narrow;
    check(extra.size() >= 8, "its directory is damaged");
    const auto value = number<std::uint64_t>(extra, 0);
    extra.remove_prefix(8);
    return value;
  }

  // Behind its own header, whose extra field may be another than the directory's; and before the directory.
  StoredEntry locate(const std::string& name, std::uint64_t header, std::uint64_t size) const {
    const std::uint64_t end = directory_.begin;
    check(end >= kLocalBytes && header <= end - kLocalBytes, in_quotes(name), " lies outside the file");
    const std::string local = read(header, kLocalBytes);
    check(local.starts_with(kLocalHeader), in_quotes(name), " does not lie where the directory says");
    const std::uint64_t begin =
        header + kLocalBytes + number<std::uint16_t>(local, 26) + number<std::uint16_t>(local, 28);
    check(begin <= end && size <= end - begin, in_quotes(name), " lies outside the file");
    return {static_cast<std::int64_t>(begin), static_cast<std::int64_t>(size)};
  }

  const InputFile& file_;
  std::uint64_t size_;
  Directory directory_ = {};
};

}  // namespace

StoredEntries read_stored_zip(const InputFile& file) { return Archive(file).entries(); }

}  // namespace tk
