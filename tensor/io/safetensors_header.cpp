#include "tensor/io/safetensors_header.h"

#include <algorithm>
#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <tuple>
#include <unordered_set>

#include "tensor/error.h"
#include "tensor/io/in_quotes.h"
#include "tensor/io/input_file.h"

namespace tk {
namespace {

using nlohmann::json;

struct DTypeInfo {
  std::string_view name;
  std::int64_t bits;
};

// In the format's order, which rises with alignment.
constexpr std::array<DTypeInfo, 22> kDTypes = {
    {{"BOOL", 8},    {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6},     {"U8", 8},          {"I8", 8},
     {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"I16", 16},
     {"U16", 16},    {"F16", 16},    {"BF16", 16},   {"I32", 32},        {"U32", 32},        {"F32", 32},
     {"C64", 64},    {"F64", 64},    {"I64", 64},    {"U64", 64}}};

// Receives the JSON events of a header and accepts exactly the format's grammar, so that memory is bounded by what the
// header really holds, and a name that comes twice is noticed.
class HeaderReader {
 public:
  HeaderReader(SafetensorsHeader& header, std::string_view source) : header_(header), source_(source) {}

  bool start_object(std::size_t) {
    switch (expected_) {
      case Expected::kHeader:
        return advance(Expected::kName);
      case Expected::kEntry:
        return advance(Expected::kField);
      case Expected::kMetadata:
        return advance(Expected::kMetadataKey);
      default:
        return refuse("an object");
    }
  }

  bool key(std::string& text) {
    switch (expected_) {
      case Expected::kName:
        return start_name(text);
      case Expected::kField:
        return start_field(text);
      default:
        break;
    }
    TK_CHECK(header_.metadata.emplace(text, "").second, source_, ": metadata key ", in_quotes(text), " comes twice");
    metadata_key_ = text;
    return advance(Expected::kMetadataValue);
  }

  bool string(std::string& text) {
    if (expected_ == Expected::kDType) {
      entry().dtype = text;
      return advance(Expected::kField);
    }
    if (expected_ != Expected::kMetadataValue) return refuse("a string");
    header_.metadata[metadata_key_] = text;
    return advance(Expected::kMetadataKey);
  }

  bool start_array(std::size_t) {
    switch (expected_) {
      case Expected::kShape:
        return advance(Expected::kExtent);
      case Expected::kOffsets:
        return advance(Expected::kBegin);
      default:
        return refuse("an array");
    }
  }

  bool number_unsigned(std::uint64_t value) {
    switch (expected_) {
      case Expected::kExtent:
        entry().shape.push_back(to_int64(value, "extent"));
        return true;
      case Expected::kBegin:
        entry().begin = to_int64(value, "offset");
        return advance(Expected::kEnd);
      case Expected::kEnd:
        entry().end = to_int64(value, "offset");
        return advance(Expected::kEndOfOffsets);
      default:
        return refuse("a number");
    }
  }

  bool end_array() {
    if (expected_ != Expected::kExtent && expected_ != Expected::kEndOfOffsets) return refuse("the end of an array");
    return advance(Expected::kField);
  }

  bool end_object() {
    if (expected_ == Expected::kName) return advance(Expected::kNothing);
    if (expected_ == Expected::kField) {
      TK_CHECK(fields_ == kAllFields, source_, ": tensor ", in_quotes(entry().name),
               " needs dtype, shape and data_offsets");
    }
    return advance(Expected::kName);
  }

  bool null() { return refuse("null"); }
  bool boolean(bool) { return refuse("a boolean"); }
  bool number_integer(std::int64_t) { return refuse("a negative number"); }
  bool number_float(double, const std::string&) { return refuse("a number that is no unsigned 64-bit integer"); }
  bool binary(json::binary_t&) { return refuse("binary data"); }

  bool parse_error(std::size_t position, const std::string&, const json::exception&) {
    throw Error(concat(source_, ": the header is not valid UTF-8 JSON at byte ", position));
  }

 private:
  enum class Expected : std::uint8_t {
    kHeader,
    kName,
    kEntry,
    kField,
    kDType,
    kShape,
    kExtent,
    kOffsets,
    kBegin,
    kEnd,
    kEndOfOffsets,
    kMetadata,
    kMetadataKey,
    kMetadataValue,
    kNothing
  };
  static constexpr unsigned kAllFields = 7;

  SafetensorsEntry& entry() { return header_.entries.back(); }

  bool advance(Expected next) {
    expected_ = next;
    return true;
  }

  bool refuse(const char* got) const {
    const std::string where = names_.empty() ? "" : concat(" in ", in_quotes(name_));
    throw Error(concat(source_, ": header: unexpected ", got, where));
  }

  bool start_name(const std::string& text) {
    name_ = text;
    TK_CHECK(names_.insert(text).second, source_, ": name ", in_quotes(text), " comes twice");
    if (text == "__metadata__") return advance(Expected::kMetadata);
    header_.entries.emplace_back().name = text;
    fields_ = 0;
    return advance(Expected::kEntry);
  }

  bool start_field(std::string_view field) {
    if (field == "dtype") return start_field(1u, Expected::kDType);
    if (field == "shape") return start_field(2u, Expected::kShape);
    if (field == "data_offsets") return start_field(4u, Expected::kOffsets);
    throw Error(concat(source_, ": tensor ", in_quotes(name_), " has the unknown field ", in_quotes(field)));
  }

  bool start_field(unsigned bit, Expected value) {
    TK_CHECK((fields_ & bit) == 0, source_, ": tensor ", in_quotes(name_), " has a field twice");
    fields_ |= bit;
    return advance(value);
  }

  std::int64_t to_int64(std::uint64_t value, const char* what) const {
    TK_CHECK(value <= std::numeric_limits<std::int64_t>::max(), source_, ": tensor ", in_quotes(name_), ": ", what, ' ',
             value, " overflows");
    return static_cast<std::int64_t>(value);
  }

  SafetensorsHeader& header_;
  std::string_view source_;
  Expected expected_ = Expected::kHeader;
  std::unordered_set<std::string> names_;
  std::string name_;  // the tensor or "__metadata__" being read
  std::string metadata_key_;
  unsigned fields_ = 0;  // bits of the fields that this tensor has had
};

// Bytes that dtype and shape ask for.
std::int64_t expected_bytes(const SafetensorsEntry& entry, std::string_view source) {
  const int rank = safetensors_dtype_rank(entry.dtype);
  TK_CHECK(rank >= 0, source, ": tensor ", in_quotes(entry.name), ": unknown dtype ", in_quotes(entry.dtype));
  std::int64_t bits = kDTypes[static_cast<std::size_t>(rank)].bits;
  bool overflows = false;
  bool empty = false;
  for (const std::int64_t extent : entry.shape) {
    empty |= extent == 0;
    overflows |= __builtin_mul_overflow(bits, std::max<std::int64_t>(extent, 1), &bits);  // so that strides fit too
  }
  TK_CHECK(!overflows, source, ": tensor ", in_quotes(entry.name), ": the size of its shape overflows");
  if (empty) return 0;
  TK_CHECK(bits % 8 == 0, source, ": tensor ", in_quotes(entry.name), ": misaligned, ", bits,
           " bits are no whole bytes");
  return bits / 8;
}

// In the order of their data, each tensor starts where the one before it ends, and the last ends with the file.
void check_layout(const SafetensorsHeader& header, std::int64_t data_bytes, std::string_view source) {
  std::int64_t reached = 0;
  for (const SafetensorsEntry& entry : header.entries) {
    const std::string offsets = concat("data_offsets [", entry.begin, ", ", entry.end, ']');
    TK_CHECK(entry.begin == reached && entry.end >= entry.begin, source, ": tensor ", in_quotes(entry.name),
             ": invalid ", offsets, ", expected to start at ", reached);
    const std::int64_t bytes = expected_bytes(entry, source);
    TK_CHECK(entry.end - entry.begin == bytes, source, ": tensor ", in_quotes(entry.name), ": ", offsets, " hold ",
             entry.end - entry.begin, " bytes, but dtype and shape need ", bytes);
    reached = entry.end;
  }
  TK_CHECK(reached <= data_bytes, source, ": incomplete: the header describes ", reached,
           " bytes of data, the file has ", data_bytes);
  TK_CHECK(reached == data_bytes, source, ": ", data_bytes - reached, " bytes behind the last tensor");
}

constexpr std::int64_t kLengthBytes = 8;

std::uint64_t little_endian(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) value |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
  return value;
}

// The bytes of JSON that a file announces, no more than it has.
std::uint64_t header_length(const InputFile& file) {
  const std::string& source = file.path();
  TK_CHECK(file.size() >= kLengthBytes, source, ": too small for a safetensors file: ", file.size(),
           " bytes, expected 8 or more");
  std::array<std::byte, kLengthBytes> bytes = {};
  file.read(0, bytes);
  const std::uint64_t length = little_endian(bytes);
  TK_CHECK(length <= kMaxSafetensorsHeader, source, ": header too large: ", length, " bytes, at most ",
           kMaxSafetensorsHeader, " are allowed (is this a safetensors file?)");
  TK_CHECK(length <= static_cast<std::uint64_t>(file.size() - kLengthBytes), source, ": invalid header length ", length,
           " in a file of ", file.size(), " bytes");
  return length;
}

std::string header_text(const InputFile& file) {
  std::string text(header_length(file), '\0');
  file.read(kLengthBytes, std::as_writable_bytes(std::span(text)));
  // The JSON parser would skip a byte order mark and take a zero byte for the end.
  const std::size_t zero = text.find('\0');
  TK_CHECK(zero == text.npos, file.path(), ": the header is not valid UTF-8 JSON at byte ", zero + 1);
  TK_CHECK(!text.starts_with("\xef\xbb\xbf"), file.path(), ": the header starts with a byte order mark");
  return text;
}

}  // namespace

std::int64_t SafetensorsEntry::numel() const {
  std::int64_t product = 1;
  for (const std::int64_t extent : shape) product *= extent;
  return product;
}

int safetensors_dtype_rank(std::string_view dtype) {
  const auto* found = std::ranges::find(kDTypes, dtype, &DTypeInfo::name);
  return found == kDTypes.end() ? -1 : static_cast<int>(found - kDTypes.begin());
}

SafetensorsHeader read_safetensors_header(const InputFile& file) {
  const std::string text = header_text(file);
  SafetensorsHeader header;
  header.data_begin = kLengthBytes + std::ssize(text);
  HeaderReader reader(header, file.path());
  json::sax_parse(text, &reader);
  std::ranges::sort(header.entries, {}, [](const SafetensorsEntry& e) { return std::tie(e.begin, e.end); });
  check_layout(header, file.size() - header.data_begin, file.path());
  return header;
}

}  // namespace tk
