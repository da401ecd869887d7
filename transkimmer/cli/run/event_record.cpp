#include "transkimmer/cli/run/event_record.h"

#include <array>
#include <bit>

namespace tk {
namespace {

// Protocol Buffers' wire format: a key, which is 8 times the field's number and the kind of what follows, then that.
enum Kind : std::uint64_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

template <class T>
void add_little_endian(std::string& out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

// Seven bits a byte, the lowest first; the eighth says that more follow.
void add_varint(std::string& out, std::uint64_t value) {
  for (; value > 0x7f; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

void add_key(std::string& out, std::uint64_t field, Kind kind) { add_varint(out, field << 3 | kind); }

void add_integer(std::string& out, std::uint64_t field, std::int64_t value) {
  add_key(out, field, kVarint);
  add_varint(out, static_cast<std::uint64_t>(value));
}

void add_double(std::string& out, std::uint64_t field, double value) {
  add_key(out, field, kFixed64);
  add_little_endian(out, std::bit_cast<std::uint64_t>(value));
}

void add_float(std::string& out, std::uint64_t field, float value) {
  add_key(out, field, kFixed32);
  add_little_endian(out, std::bit_cast<std::uint32_t>(value));
}

// A text, or a message.
void add_bytes(std::string& out, std::uint64_t field, std::string_view bytes) {
  add_key(out, field, kBytes);
  add_varint(out, bytes.size());
  out += bytes;
}

std::string scalar_message(const Event::Scalar& scalar) {
  std::string value;
  add_bytes(value, 1, scalar.tag);
  add_float(value, 2, scalar.value);  // simple_value
  return value;
}

void add_doubles(std::string& out, std::uint64_t field, const std::vector<double>& values) {
  std::string packed;
  for (const double value : values) add_little_endian(packed, std::bit_cast<std::uint64_t>(value));
  add_bytes(out, field, packed);
}

std::string histogram_message(const Event::Histogram& histogram) {
  std::string proto, value;
  std::uint64_t field = 0;
  for (const double number :
       {histogram.least, histogram.largest, histogram.count, histogram.sum, histogram.sum_of_squares}) {
    ++field;
    if (number != 0) add_double(proto, field, number);
  }
  add_doubles(proto, 6, histogram.limits);
  add_doubles(proto, 7, histogram.counts);
  add_bytes(value, 1, histogram.tag);
  add_bytes(value, 5, proto);  // histo
  return value;
}

// What torch.utils.tensorboard's add_text writes: a tensor of one string for the plug-in `text`.
std::string text_message(const Event::Text& text) {
  constexpr int kString = 7;  // DT_STRING
  std::string dimension, shape, tensor, plugin, metadata, value;
  add_integer(dimension, 1, 1);
  add_bytes(shape, 2, dimension);
  add_integer(tensor, 1, kString);
  add_bytes(tensor, 2, shape);
  add_bytes(tensor, 8, text.text);
  add_bytes(plugin, 1, "text");
  add_bytes(metadata, 1, plugin);
  add_bytes(value, 1, text.tag);
  add_bytes(value, 8, tensor);
  add_bytes(value, 9, metadata);
  return value;
}

std::string event_message(const Event& event) {
  std::string message, summary;
  add_double(message, 1, event.wall_time);
  if (event.step != 0) add_integer(message, 2, event.step);  // as Protocol Buffers leave out what is the default
  if (!event.file_version.empty()) add_bytes(message, 3, event.file_version);
  for (const Event::Scalar& scalar : event.scalars) add_bytes(summary, 1, scalar_message(scalar));
  for (const Event::Histogram& histogram : event.histograms) add_bytes(summary, 1, histogram_message(histogram));
  for (const Event::Text& text : event.texts) add_bytes(summary, 1, text_message(text));
  if (!summary.empty()) add_bytes(message, 5, summary);
  if (event.restarts) {
    std::string session;
    add_integer(session, 1, 1);  // SessionLog's status START
    add_bytes(message, 7, session);
  }
  return message;
}

// TFRecord's: a CRC of what holds CRCs is a weak one.
std::uint32_t masked(std::uint32_t crc) { return std::rotr(crc, 15) + 0xa282ead8u; }

// By the byte that leaves the register, as the bits are reflected: 0x82F63B78 is the polynomial read backwards.
constexpr std::array<std::uint32_t, 256> kCrcTable = [] {
  std::array<std::uint32_t, 256> table = {};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    table[byte] = crc;
  }
  return table;
}();

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = ~0u;
  for (const char c : bytes) crc = crc >> 8 ^ kCrcTable[(crc ^ static_cast<unsigned char>(c)) & 0xff];
  return ~crc;
}

std::string event_record(const Event& event) {
  const std::string message = event_message(event);
  std::string record;
  add_little_endian(record, std::uint64_t{message.size()});
  add_little_endian(record, masked(crc32c(record)));
  record += message;
  add_little_endian(record, masked(crc32c(message)));
  return record;
}

}  // namespace tk
