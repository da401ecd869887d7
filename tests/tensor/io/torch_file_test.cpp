#include "tensor/io/torch_file.h"

#include <algorithm>

#include "tensor/error.h"
#include "tensor/io/safetensors.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tensors.h"
#include "tests/support/torch_archive.h"

namespace fs = std::filesystem;
using namespace tk;
using namespace tk::test;

namespace {

const fs::path kGolden = fs::path(TK_SOURCE_DIR) / "tests/tensor/io/golden";
const char* const kConversion = "; to convert it, in its folder: python -c \"import torch,safetensors.torch as s;";

std::string problem(const fs::path& path) {
  return message_of([&] { TorchFile::open(path); });
}

// What is wrong with an archive of this pickle and a storage of 24 bytes.
std::string problem_of_pickle(const std::string& pickle, const std::string& storage = std::string(24, '\0')) {
  const TemporaryFolder folder;
  write_bytes(folder / "F", stored_zip({{"a/data.pkl", pickle}, {"a/data/0", storage}}));
  return problem(folder / "F");
}

std::string problem_of_tensor(const std::string& tensor, const std::string& storage = std::string(24, '\0')) {
  return problem_of_pickle(pickled_dict({{"x", tensor}}), storage);
}

using Sizes = std::vector<std::int64_t>;

// A float32 tensor in a storage of 6 elements.
std::string of_six(std::int64_t offset, const Sizes& shape, const Sizes& strides) {
  return pickled_tensor("FloatStorage", "0", 6, offset, shape, strides);
}

Tensor read(const std::string& tensor, const std::string& storage) {
  const TemporaryFolder folder;
  write_bytes(folder / "F", stored_zip({{"a/data.pkl", pickled_dict({{"x", tensor}})}, {"a/data/0", storage}}));
  return TorchFile::open(folder / "F").tensor("x");
}

}  // namespace

TEST_CASE("torch_file: what torch.save wrote has the values of the same tensors in safetensors") {
  const TorchFile torch = TorchFile::open(kGolden / "state_dict.bin");
  const SafetensorsFile expected = SafetensorsFile::open(kGolden / "state_dict.safetensors");
  REQUIRE(torch.entries().size() == expected.entries().size());
  for (const SafetensorsEntry& entry : torch.entries()) {
    INFO(entry.name);
    const SafetensorsEntry* other = expected.find(entry.name);
    REQUIRE(other != nullptr);
    CHECK(entry.dtype == other->dtype);
    CHECK(entry.shape == other->shape);
    CHECK(entry.end - entry.begin == other->end - other->begin);
    CHECK(same_bits(torch.tensor(entry.name), expected.tensor(*other)));
  }
  CHECK(torch.entries().front().name == "whole");
  CHECK(message_of([&] { torch.tensor("none"); }) ==
        (kGolden / "state_dict.bin").string() + ": no tensor is called \"none\"");
}

TEST_CASE("torch_file: what is not a state dict in a zip archive says what it is, and how to convert it") {
  CHECK(problem(kGolden / "legacy.bin") ==
        (kGolden / "legacy.bin").string() + ": of torch before 1.6, a pickle alone, which is not read" + kConversion +
            "s.save_file({k:v.contiguous().clone() for k,v in "
            "torch.load('legacy.bin','cpu',weights_only=True).items()},'legacy.safetensors')\"");
  CHECK_THAT(problem(kGolden / "module.bin"),
             ContainsSubstring("it asks for \"torch.nn.modules.linear.Linear\", which is not run") &&
                 ContainsSubstring(kConversion));
  CHECK_THAT(problem(kGolden / "epoch.bin"), ContainsSubstring("\"epoch\" is a number, not a tensor"));
  CHECK_THAT(problem(kGolden / "all_dtypes.safetensors"), ContainsSubstring("not a zip archive"));
  const TemporaryFolder folder;
  write_bytes(folder / "pytorch_model.bin", stored_zip({{"a/data.pkl", "\x80\x04."}}));
  CHECK_THAT(problem(folder / "pytorch_model.bin"), ContainsSubstring("not of protocol 2") &&
                                                        ContainsSubstring("'pytorch_model.bin'") &&
                                                        ContainsSubstring("'model.safetensors'"));
  write_bytes(folder / "F", stored_zip({{"a/b/data.pkl", ""}, {"data.pkl", ""}}));
  CHECK_THAT(problem(folder / "F"), ContainsSubstring("the zip archive has no data.pkl"));
  write_bytes(folder / "F", stored_zip({{"a/data.pkl", "\x80\x02}."}, {"a/byteorder", "big"}}));
  CHECK_THAT(problem(folder / "F"), ContainsSubstring("its numbers are not little-endian"));
  write_bytes(folder / "F", stored_zip({{"a/data.pkl", std::string((4 << 20) + 1, ')')}}));
  CHECK_THAT(problem(folder / "F"), ContainsSubstring("expected a data.pkl of at most 4194304 bytes"));
}

TEST_CASE("torch_file: no code of a pickle is run, and opcodes that a state dict has no need of are named") {
  const auto refused = [](const std::string& pickle, const std::string& message) {
    INFO(pickle);
    const std::string said = problem_of_pickle(pickle);
    CHECK_THAT(said,
               ContainsSubstring("F: its pickle is no state dict's: " + message) && ContainsSubstring(kConversion));
    CHECK(said.find('\n') == std::string::npos);
  };
  const std::string head = "\x80\x02";
  refused(head + "cposix\nsystem\n(" + pickled("true") + "tR.", "it asks for \"posix.system\", which is not run");
  refused(head + "ctorch\nload\n.", "it asks for \"torch.load\", which is not run");
  refused(head + "c\x1b[31m\nx\n.", "it asks for \"?[31m.x\", which is not run");
  refused(head + "iposix\nsystem\n.", "it has the opcode 0x69 at byte 2");
  refused(head + "\x93.", "it has the opcode 0x93 at byte 2");
  refused(head + "ccollections\nOrderedDict\n)\x81.", "it has the opcode 0x81");
  refused(head + "ccollections\nOrderedDict\nN\x85R.", "it calls \"collections.OrderedDict\" with 1 arguments");
  refused(head + "ctorch\nFloatStorage\n)R.", "it calls \"torch.FloatStorage\" with 0 arguments");
  refused(head + "K\1)R.", "expected a function, got a number");
  refused(head + "ccollections\nOrderedDict\nK\1R.", "expected a tuple, got a number");
  refused(head + "ctorch._utils\n_rebuild_parameter\nNNN\x87R.", "expected a tensor, got nothing");
}

TEST_CASE("torch_file: a pickle that breaks off, or whose stack does not fit, is refused") {
  const auto refused = [](const std::string& pickle, const std::string& message) {
    INFO(pickle);
    CHECK_THAT(problem_of_pickle(pickle), ContainsSubstring(message));
  };
  const std::string head = "\x80\x02";
  refused("", "it ends too early");
  refused(head, "it ends too early");
  refused(head + "}", "it ends too early");
  refused(head + "X\xff\xff\xff\xff", "it ends too early");
  refused(head + "ctorch", "it ends too early");
  refused(head + ".", "it ends with 0 values");
  refused(head + "}}.", "it ends with 2 values");
  refused(head + "N.", "expected a dict, got nothing");
  refused(head + "t.", "it takes values from a mark where there is none");
  refused(head + "N\x86.", "it takes a value where there is none");
  refused(head + "}(NN(s.", "it takes a value where there is none");  // none behind the mark
  refused(head + "q\1.", "it keeps a value where there is none");
  refused(head + "h\1.", "it asks for a value that it has not kept");
  refused(head + "}(Nu.", "it has a key without a value");
  refused(head + "NN(NNu.", "expected a dict, got nothing");
  refused(head + "NNb.", "it gives attributes to what is no dict");
  refused(head + "}NNs.", "expected text, got nothing");
  refused(head + "\x8a\x09" + std::string(9, '\1') + '.', "it has a number of 9 bytes");
  refused(head + pickled("\xff") + '.', "it has text that is not UTF-8");
  refused(head + "}(" + pickled("a") + 'N' + pickled("b") + "Nu.", "\"a\" is nothing, not a tensor");
  const std::string x = of_six(0, {6}, {1});
  refused(pickled_dict({{"x", x}, {"x", x}}), "two tensors are called \"x\"");
  refused(head + "}q\1K\1h\1s.", "expected text, got a number");  // a dict that holds itself
}

TEST_CASE("torch_file: tensors are views of their storages, with offset and strides") {
  std::string storage(24, '\0');
  const float values[] = {0, 1, 2, 3, 4, 5};
  std::copy_n(reinterpret_cast<const char*>(values), 24, storage.begin());
  const auto elements = [&](std::int64_t offset, const Sizes& shape, const Sizes& strides) {
    return read(of_six(offset, shape, strides), storage).to_vector<float>();
  };
  using Values = std::vector<float>;
  CHECK(elements(0, {2, 3}, {3, 1}) == Values{0, 1, 2, 3, 4, 5});
  CHECK(elements(0, {3, 2}, {1, 3}) == Values{0, 3, 1, 4, 2, 5});
  CHECK(elements(1, {2, 2}, {3, 1}) == Values{1, 2, 4, 5});
  CHECK(elements(5, {}, {}) == Values{5});
  CHECK(elements(1, {1, 3}, {0, 2}) == Values{1, 3, 5});
  CHECK(elements(6, {0}, {1}).empty());
  CHECK(elements(0, {0, 1000}, {1000, 1}).empty());
}

TEST_CASE("torch_file: places of tensors are checked before they are used") {
  const auto refused = [](std::int64_t offset, const Sizes& shape, const Sizes& strides) {
    INFO("from " << offset);
    CHECK_THAT(problem_of_tensor(of_six(offset, shape, strides)),
               ContainsSubstring("elements outside its storage, or some more than once"));
  };
  refused(1, {6}, {1});
  refused(-1, {2}, {1});
  refused(7, {0}, {1});
  refused(0, {2, 2}, {1, 5});
  refused(0, {2}, {INT64_MAX});
  refused(INT64_MAX, {2}, {1});
  refused(0, {INT64_MAX, 3}, {0, 0});
  refused(0, {std::int64_t{1} << 40}, {0});
  refused(0, {0, INT64_MAX, INT64_MAX}, {0, 0, 0});
  CHECK_THAT(problem_of_tensor(of_six(0, {-1}, {1})), ContainsSubstring("a size or stride of -1"));
  CHECK_THAT(problem_of_tensor(of_six(0, {2}, {-1})), ContainsSubstring("a size or stride of -1"));
  CHECK_THAT(problem_of_tensor(of_six(0, {2, 3}, {1})), ContainsSubstring("2 sizes and 1 strides"));
  CHECK_THAT(problem_of_tensor(of_six(0, {6}, {1}), std::string(23, '\0')),
             ContainsSubstring("tensor \"x\": expected a storage of 24 bytes, got 23"));
  const Sizes six = {6}, one = {1};
  CHECK_THAT(problem_of_tensor(pickled_tensor("FloatStorage", "1", 6, 0, six, one)),
             ContainsSubstring("the archive has no storage \"1\""));
  CHECK_THAT(problem_of_tensor(pickled_tensor("DoubleStorage", "0", INT64_MAX / 4, 0, six, one)),
             ContainsSubstring("a storage has 2305843009213693951 elements"));
  CHECK_THAT(problem_of_tensor(pickled_tensor("UntypedStorage", "0", 24, 0, six, one)),
             ContainsSubstring("it asks for \"torch.UntypedStorage\""));
  const Sizes seven = {1, 1, 1, 1, 1, 1, 6}, strides = {6, 6, 6, 6, 6, 6, 1};
  CHECK(message_of([&] {
          read(of_six(0, seven, strides), std::string(24, '\0'));
        }).ends_with("tensor \"x\" has 7 dimensions, at most 6 are supported"));
  CHECK(message_of([&] {
          read(pickled_tensor("ShortStorage", "0", 12, 0, six, one), std::string(24, '\0'));
        }).ends_with("has dtype I16, which cannot be loaded; supported: F64, F32, F16, BF16, I64, I32, I8, U8, BOOL"));
}

TEST_CASE("torch_file: a byte changed, or an end cut off, gives tensors or one line") {
  const TemporaryFolder folder;
  const fs::path path = folder / "F";
  const std::string good = read_bytes(kGolden / "state_dict.bin");
  std::size_t read = 0, refused = 0;
  const auto check = [&](const std::string& bytes) {
    write_bytes(path, bytes);
    try {
      const TorchFile file = TorchFile::open(path);
      for (const SafetensorsEntry& entry : file.entries()) {
        try {
          file.tensor(entry.name);
        } catch (const Error&) {  // a dtype that cannot be loaded
        }
      }
      ++read;
    } catch (const Error& error) {
      ++refused;
      CHECK(std::string_view(error.what()).starts_with(path.string()));
    }
  };
  constexpr char kChanges[] = {'\x01', '\x80', '\xff'};
  for (std::size_t i = 0; i < good.size(); i += 2) {
    std::string bytes = good;
    bytes[i] = static_cast<char>(bytes[i] ^ kChanges[i % 3]);
    check(bytes);
  }
  for (std::size_t size = 0; size < good.size(); size += 29) check(good.substr(0, size));
  CHECK(read > 500);
  CHECK(refused > 500);
}
