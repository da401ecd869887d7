#include "tensor/io/safetensors.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "tensor/io/input_file.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"

namespace fs = std::filesystem;
using namespace tk;

namespace {

const fs::path kGolden = fs::path(TK_SOURCE_DIR) / "tests/tensor/io/golden";

std::string bytes_of(std::uint64_t number) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(number >> (8 * i));
  return bytes;
}

std::string file_of(const std::string& header, std::size_t data_bytes) {
  return bytes_of(header.size()) + header + std::string(data_bytes, '\0');
}

SafetensorsHeader parse(const std::string& file) {
  const TemporaryFolder folder;
  write_bytes(folder / "F", file);
  return read_safetensors_header(InputFile(folder / "F"));
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return '"' + name + R"(":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + '}';
}

// A header with one tensor "t".
std::string one(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return '{' + entry("t", dtype, shape, offsets) + '}';
}

void check_refused(const std::string& file, const std::string& message) {
  INFO(file.substr(std::min<std::size_t>(8, file.size())));
  CHECK_THROWS_AS(parse(file), Error);
  CHECK_THROWS_WITH(parse(file), ContainsSubstring(message));
}

Tensor bf16(std::vector<std::uint16_t> bits) {
  Tensor x = empty({std::ssize(bits)}, DType::kBFloat16);
  std::memcpy(x.raw_data(), bits.data(), bits.size() * 2);
  return x;
}

// The tensors of golden/all_dtypes.safetensors, in another order.
std::vector<NamedTensor> all_dtypes() {
  constexpr bool bools[] = {true, false, true};
  const float infinity = std::numeric_limits<float>::infinity();
  const std::int64_t least = std::numeric_limits<std::int64_t>::min();
  return {{"scalar", from_values(std::vector<float>{7}, {})},
          {"b.f32", from_values(std::vector<float>{0.5f, -1, 2, 1e-40f, infinity, -0.0f}, {2, 3})},
          {"a.f32", from_values(std::vector<float>{3, 4}, {1, 1, 2})},
          {"bool", from_values(std::span<const bool>(bools), {3})},
          {"i32", from_values(std::vector<std::int32_t>{1, -2, 2147483647, -2147483647 - 1}, {2, 2})},
          {"i64", from_values(std::vector<std::int64_t>{0, least, -(least + 1)})},
          {"bf16", bf16({0x3f80, 0xc000, 0x0001})},
          {"f64", from_values(std::vector<double>{0.1, -1e300})},
          {"empty", empty({0, 4})},
          {"größe \"\\\n\x01\x7f/", from_values(std::vector<float>{9})}};
}

}  // namespace

TEST_CASE("safetensors: the format's own vectors are accepted") {
  const std::string header = R"({"test":{"dtype":"I32","shape":[2,2],"data_offsets":[0,16]}})";
  REQUIRE(header.size() == 60);
  const SafetensorsHeader parsed = parse(file_of(header, 16));
  REQUIRE(parsed.entries.size() == 1);
  CHECK(parsed.entries[0].name == "test");
  CHECK(parsed.entries[0].dtype == "I32");
  CHECK(parsed.entries[0].shape == std::vector<std::int64_t>{2, 2});
  CHECK(parsed.entries[0].end == 16);
  CHECK(parsed.data_begin == 68);

  const SafetensorsHeader scalar = parse(file_of(R"({"test":{"dtype":"I32","shape":[],"data_offsets":[0,4]}})", 4));
  CHECK(scalar.entries[0].shape.empty());
  CHECK(scalar.entries[0].numel() == 1);
  CHECK(parse(file_of("{}\r \t\n", 0)).entries.empty());
  CHECK(parse(file_of(" \t\r\n{}", 0)).entries.empty());
}

TEST_CASE("safetensors: empty tensors, metadata and every dtype are accepted") {
  CHECK(parse(file_of(one("F32", "[0]", "[0,0]"), 0)).entries[0].numel() == 0);
  CHECK(parse(file_of(one("F32", "[3,0,2]", "[0,0]"), 0)).entries[0].numel() == 0);
  CHECK(parse(file_of(R"({"__metadata__":{}})", 0)).metadata.empty());
  const auto metadata = parse(file_of(R"({"__metadata__":{"format":"pt","a\u00e9":""}})", 0)).metadata;
  CHECK(metadata == std::map<std::string, std::string>{{"format", "pt"}, {"a\u00e9", ""}});
  for (const char* dtype : {"BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"}) {
    CHECK_NOTHROW(parse(file_of(one(dtype, "[3]", "[0,3]"), 3)));
  }
  for (const char* dtype : {"I16", "U16", "F16", "BF16"}) CHECK_NOTHROW(parse(file_of(one(dtype, "[3]", "[0,6]"), 6)));
  for (const char* dtype : {"I32", "U32", "F32"}) CHECK_NOTHROW(parse(file_of(one(dtype, "[3]", "[0,12]"), 12)));
  for (const char* dtype : {"C64", "F64", "I64", "U64"}) CHECK_NOTHROW(parse(file_of(one(dtype, "[3]", "[0,24]"), 24)));
  CHECK_NOTHROW(parse(file_of(one("F4", "[4]", "[0,2]"), 2)));
  for (const char* dtype : {"F6_E2M3", "F6_E3M2"}) CHECK_NOTHROW(parse(file_of(one(dtype, "[4]", "[0,3]"), 3)));
}

TEST_CASE("safetensors: a header's length is checked before it is used") {
  check_refused("", "F: too small for a safetensors file: 0 bytes");
  check_refused(std::string(7, '\0'), "too small");
  check_refused(bytes_of(~std::uint64_t{0}) + "{}", "F: header too large: 18446744073709551615 bytes");
  check_refused(bytes_of(100'000'001) + "{}", "header too large");
  check_refused(bytes_of(100'000'000) + "{}", "invalid header length 100000000 in a file of 10 bytes");
  check_refused(bytes_of(10) + "{}", "invalid header length 10 in a file of 10 bytes");
  check_refused(bytes_of(3) + "{}", "invalid header length");
}

TEST_CASE("safetensors: what is not UTF-8 JSON is refused") {
  const std::string message = "the header is not valid UTF-8 JSON at byte ";
  check_refused(file_of("", 0), message);
  check_refused(file_of("{", 0), message + "2");
  check_refused(file_of("{}x", 0), message);
  check_refused(file_of("{} {}", 0), message);
  check_refused(file_of(R"({"a":})", 0), message);
  check_refused(file_of(R"({"__metadata__":{},})", 0), message);
  check_refused(file_of("{\"__metadata__\":{\"a\":\"\xff\"}}", 0), message);
  check_refused(file_of("{\"__metadata__\":{\"a\":\"\xc0\x80\"}}", 0), message);
  check_refused(file_of("{\"__metadata__\":{\"a\":\"\\ud800\"}}", 0), message);
  check_refused(file_of(std::string("{}\0", 3), 0), message + "3");
  check_refused(file_of("\xef\xbb\xbf{}", 0), "byte order mark");
}

TEST_CASE("safetensors: JSON of another form than the format's is refused") {
  check_refused(file_of("[]", 0), "unexpected an array");
  check_refused(file_of("null", 0), "unexpected null");
  check_refused(file_of("1", 0), "unexpected a number");
  check_refused(file_of(R"({"t":[]})", 0), R"(unexpected an array in "t")");
  check_refused(file_of(R"({"t":{"dtype":5}})", 0), "unexpected a number");
  check_refused(file_of(R"({"t":{"dtype":"F32","shape":{}}})", 0), "unexpected an object");
  check_refused(file_of(one("F32", "[1.0]", "[0,4]"), 4), "unexpected a number that is no unsigned");
  check_refused(file_of(one("F32", "[-1]", "[0,4]"), 4), "unexpected a negative number");
  check_refused(file_of(one("F32", "[[1]]", "[0,4]"), 4), "unexpected an array");
  check_refused(file_of(one("F32", "[true]", "[0,4]"), 4), "unexpected a boolean");
  check_refused(file_of(one("F32", "[]", "[0]"), 4), "unexpected the end of an array");
  check_refused(file_of(one("F32", "[]", "[0,4,4]"), 4), "unexpected a number");
  check_refused(file_of(R"({"t":{"dtype":"F32","shape":[]}})", 0), R"(tensor "t" needs dtype, shape and data_offsets)");
  check_refused(file_of(R"({"t":{}})", 0), "needs dtype");
  check_refused(file_of(R"({"t":{"strides":[1]}})", 0), R"(unknown field "strides")");
  check_refused(file_of(R"({"__metadata__":{"a":1}})", 0), "unexpected a number");
  check_refused(file_of(R"({"__metadata__":[]})", 0), "unexpected an array");
  check_refused(file_of(std::string(100'000, '['), 0), "unexpected an array");
}

TEST_CASE("safetensors: a name, field or metadata key that comes twice is refused") {
  check_refused(file_of('{' + entry("t", "U8", "[]", "[0,1]") + ',' + entry("t", "U8", "[]", "[1,2]") + '}', 2),
                R"(name "t" comes twice)");
  check_refused(file_of(R"({"__metadata__":{},"__metadata__":{}})", 0), "comes twice");
  check_refused(file_of(R"({"__metadata__":{"a":"b","a":"c"}})", 0), R"(metadata key "a" comes twice)");
  check_refused(file_of(R"({"t":{"dtype":"U8","dtype":"U8"}})", 0), R"(tensor "t" has a field twice)");
}

TEST_CASE("safetensors: sizes that overflow, disagree or split a byte are refused") {
  const std::string last = R"({"test":{"dtype":"I32","shape":[2,18446744073709551614],"data_offsets":[0,16]}})";
  REQUIRE(last.size() == 79);
  check_refused(file_of(last, 16), "overflows");
  const std::string half = R"({"test":{"dtype":"I32","shape":[2,9223372036854775807],"data_offsets":[0,16]}})";
  REQUIRE(half.size() == 78);
  check_refused(file_of(half, 16), "overflows");
  check_refused(file_of(one("F32", "[18446744073709551616]", "[0,4]"), 4), "no unsigned 64-bit integer");
  check_refused(file_of(one("F32", "[0,4294967296,4294967296]", "[0,0]"), 0), "overflows");
  check_refused(file_of(one("F32", "[]", "[0,18446744073709551615]"), 4), "offset 18446744073709551615 overflows");
  check_refused(file_of(one("F32", "[2]", "[0,4]"), 4), "hold 4 bytes, but dtype and shape need 8");
  check_refused(file_of(one("F32", "[0]", "[0,4]"), 4), "hold 4 bytes, but dtype and shape need 0");
  check_refused(file_of(one("F4", "[3]", "[0,2]"), 2), "misaligned, 12 bits are no whole bytes");
  check_refused(file_of(one("F33", "[]", "[0,4]"), 4), R"(unknown dtype "F33")");
}

TEST_CASE("safetensors: holes, overlaps, reversed offsets and a wrong file size are refused") {
  const auto two = [](const std::string& first, const std::string& second) {
    return '{' + entry("a", "U8", "[2]", first) + ',' + entry("b", "U8", "[2]", second) + '}';
  };
  CHECK_NOTHROW(parse(file_of(two("[2,4]", "[0,2]"), 4)));
  check_refused(file_of(two("[0,2]", "[3,5]"), 5), "invalid data_offsets [3, 5], expected to start at 2");
  check_refused(file_of(two("[0,2]", "[1,3]"), 3), "invalid data_offsets [1, 3], expected to start at 2");
  check_refused(file_of(two("[1,3]", "[3,5]"), 5), "invalid data_offsets [1, 3], expected to start at 0");
  check_refused(file_of(one("U8", "[2]", "[2,0]"), 2), "invalid data_offsets");
  check_refused(file_of(one("U8", "[0]", "[0,0]").replace(0, 0, ""), 1), "1 bytes behind the last tensor");
  check_refused(file_of(one("U8", "[2]", "[0,2]"), 3), "1 bytes behind the last tensor");
  check_refused(file_of(one("U8", "[2]", "[0,2]"), 1),
                "incomplete: the header describes 2 bytes of data, the file has 1");
}

TEST_CASE("safetensors: a file cut at any length is refused") {
  const std::string file = read_bytes(kGolden / "all_dtypes.safetensors");
  for (std::size_t length = 0; length < file.size(); ++length) CHECK_THROWS_AS(parse(file.substr(0, length)), Error);
  CHECK_THROWS_AS(parse(file + '\0'), Error);
  CHECK_NOTHROW(parse(file));
}

TEST_CASE("safetensors: a file with any one byte changed is read or refused, never worse") {
  const std::string file = read_bytes(kGolden / "all_dtypes.safetensors");
  std::size_t refused = 0;
  for (std::size_t i = 0; i < file.size(); ++i) {
    for (const char change : {'\x01', '\x20', '\x80', '"', '}', '9'}) {
      std::string changed = file;
      changed[i] = static_cast<char>(changed[i] ^ change);
      try {
        parse(changed);
      } catch (const Error&) {
        ++refused;
      }
    }
  }
  CHECK(refused > file.size());
}

TEST_CASE("safetensors: hostile names make one short line") {
  const std::string name(5000, 'n');
  try {
    parse(file_of('{' + entry("\\n" + name, "F33", "[]", "[0,4]") + '}', 4));
    FAIL("accepted");
  } catch (const Error& error) {
    CHECK(std::string(error.what()).size() < 200);
    CHECK_THAT(error.what(), ContainsSubstring("\"?nnn"));
  }
}

TEST_CASE("safetensors: a file of Hugging Face's writer is read") {
  const SafetensorsFile file = SafetensorsFile::open(kGolden / "all_dtypes.safetensors");
  const std::vector<NamedTensor> expected = all_dtypes();
  CHECK(file.entries().size() == expected.size());
  CHECK(file.metadata() == std::map<std::string, std::string>{{"format", "pt"}});
  for (const auto& [name, tensor] : expected) {
    INFO(name);
    REQUIRE(file.find(name) != nullptr);
    const Tensor read = file.tensor(name);
    CHECK(read.dtype() == tensor.dtype());
    CHECK(read.shape() == tensor.shape());
    CHECK((tensor.bytes() == 0 || std::memcmp(read.raw_data(), tensor.raw_data(), std::size_t(tensor.bytes())) == 0));
  }
  CHECK(file.find("none") == nullptr);
  CHECK_THROWS_WITH(file.tensor("none"), ContainsSubstring("all_dtypes.safetensors: no tensor is called \"none\""));
}

TEST_CASE("safetensors: F16 is read as float32, U8 as int32, and other dtypes are named and refused") {
  const SafetensorsFile half = SafetensorsFile::open(kGolden / "float16.safetensors");
  CHECK(half.find("half")->dtype == "F16");
  const float infinity = std::numeric_limits<float>::infinity();
  CHECK(half.tensor("half").to_vector<float>() == std::vector<float>{0.5f, -1, 65504, 0x1p-24f, -infinity, 0});
  const SafetensorsFile foreign = SafetensorsFile::open(kGolden / "foreign_dtypes.safetensors");
  CHECK(foreign.tensor("u8").to_vector<std::int32_t>() == std::vector<std::int32_t>{0, 1, 128, 255});
  CHECK(foreign.find("u16")->shape == std::vector<std::int64_t>{2});
  CHECK_THROWS_WITH(foreign.tensor("u16"), ContainsSubstring("has dtype U16, which cannot be loaded"));
}

TEST_CASE("safetensors: the writer's bytes are those of Hugging Face's writer") {
  const TemporaryFolder folder;
  save_safetensors(folder / "a", all_dtypes(), {{"format", "pt"}});
  CHECK(read_bytes(folder / "a") == read_bytes(kGolden / "all_dtypes.safetensors"));

  const SafetensorsFile half = SafetensorsFile::open(kGolden / "float16.safetensors");
  const std::vector<NamedTensor> tensors = {{"half", half.tensor("half")}, {"ids", half.tensor("ids")}};
  save_safetensors(folder / "b", tensors, {}, FloatStorage::kFloat16);
  CHECK(read_bytes(folder / "b") == read_bytes(kGolden / "float16.safetensors"));
}

TEST_CASE("safetensors: views and other float types are written by value") {
  const TemporaryFolder folder;
  const Tensor x = from_values(std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3});
  const std::vector<NamedTensor> tensors = {{"transposed", x.transpose(0, 1)}, {"row", x.select(0, 1)}};
  save_safetensors(folder / "same", tensors);
  const SafetensorsFile same = SafetensorsFile::open(folder / "same");
  CHECK(same.tensor("transposed").to_vector<float>() == std::vector<float>{1, 4, 2, 5, 3, 6});
  CHECK(same.tensor("transposed").shape() == Shape{3, 2});
  CHECK(same.tensor("row").to_vector<float>() == std::vector<float>{4, 5, 6});

  save_safetensors(folder / "bf16", tensors, {}, FloatStorage::kBFloat16);
  CHECK(SafetensorsFile::open(folder / "bf16").tensor("row").dtype() == DType::kBFloat16);
  save_safetensors(folder / "f32", {{{"d", from_values(std::vector<double>{0.1})}}}, {}, FloatStorage::kFloat32);
  CHECK(SafetensorsFile::open(folder / "f32").tensor("d").to_vector<float>() == std::vector<float>{0.1f});
}

TEST_CASE("safetensors: the data of a written file starts at a multiple of 8") {
  const TemporaryFolder folder;
  for (std::string name = "n"; name.size() < 10; name += 'n') {
    save_safetensors(folder / name, {{{name, zeros({1})}}});
    CHECK(parse(read_bytes(folder / name)).data_begin % 8 == 0);
  }
}

TEST_CASE("safetensors: a failed write leaves the old file") {
  const TemporaryFolder folder;
  write_bytes(folder / "a", "old");
  const auto refused = [&](const std::vector<NamedTensor>& tensors, FloatStorage storage, const std::string& message) {
    CHECK_THROWS_WITH(save_safetensors(folder / "a", tensors, {}, storage), ContainsSubstring(message));
  };
  const Tensor x = from_values(std::vector<float>{1, 70000});
  refused({{"t", x}}, FloatStorage::kFloat16, R"(tensor "t" holds 70000, beyond the range of float16)");
  refused({{"t", x}, {"t", x}}, FloatStorage::kSame, R"(two tensors are called "t")");
  refused({{"\xff", x}}, FloatStorage::kSame, "not valid UTF-8");
  refused({{"__metadata__", x}}, FloatStorage::kSame, "no name for a tensor");
  refused({{"t", Tensor()}}, FloatStorage::kSame, R"(tensor "t" is undefined)");
  CHECK(read_bytes(folder / "a") == "old");
  CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()) == 1);
  CHECK(choice_names<FloatStorage>() == std::vector<std::string>{"float32", "float16", "bfloat16"});
}

TEST_CASE("safetensors: tensors outlive the file object and never write to it") {
  const TemporaryFolder folder;
  save_safetensors(folder / "a", {{{"t", from_values(std::vector<float>{1, 2})}}});
  const std::string before = read_bytes(folder / "a");
  Tensor x = SafetensorsFile::open(folder / "a").tensor("t");
  CHECK(x.to_vector<float>() == std::vector<float>{1, 2});
  x.fill(5);
  CHECK(read_bytes(folder / "a") == before);
}

TEST_CASE("safetensors: a file that shrinks or goes away while it is open") {
  const TemporaryFolder folder;
  save_safetensors(folder / "a", {{{"first", from_values(std::vector<float>{1, 2})}, {"last", zeros({4096})}}});
  const SafetensorsFile file = SafetensorsFile::open(folder / "a");
  fs::resize_file(folder / "a", fs::file_size(folder / "a") - 1);
  CHECK(file.tensor("first").to_vector<float>() == std::vector<float>{1, 2});
  CHECK_THROWS_WITH(file.tensor("last"), ContainsSubstring("a: ends at byte ") && ContainsSubstring("shortened"));
  fs::remove(folder / "a");
  CHECK(file.tensor("first").to_vector<float>() == std::vector<float>{1, 2});
}

TEST_CASE("safetensors: misaligned data, bytes of a bool other than 0 and 1, and many dimensions are handled") {
  const TemporaryFolder folder;
  const std::string header = '{' + entry("b", "BOOL", "[3]", "[0,3]") + ',' + entry("f", "F32", "[2]", "[3,11]") + ',' +
                             entry("h", "F16", "[1]", "[11,13]") + ',' +
                             entry("deep", "F32", "[1,1,1,1,1,1,1]", "[13,17]") + '}';
  const std::string data("\x00\x02\xff\x00\x00\x80\x3f\x00\x00\x00\x40\x00\x3c\x00\x00\x80\x3f", 17);
  write_bytes(folder / "a", file_of(header, 0) + data);
  const SafetensorsFile file = SafetensorsFile::open(folder / "a");
  CHECK(file.tensor("b").to_vector<bool>() == std::vector<bool>{false, true, true});
  CHECK(file.tensor("f").to_vector<float>() == std::vector<float>{1, 2});
  CHECK(file.tensor("h").to_vector<float>() == std::vector<float>{1});
  CHECK_THROWS_WITH(file.tensor("deep"), ContainsSubstring("has 7 dimensions, at most 6 are supported"));
}
