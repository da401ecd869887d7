#include "tensor/error.h"
#include "tensor/io/torch_file.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/torch_archive.h"

namespace tk::fuzz {
namespace {

// An input is a file. One that starts with 'P' is a data.pkl instead, in an archive whose storage "0" has as many bytes
// as the byte behind the 'P' says: an archive's sizes and places mutations alone seldom get right.
std::string file_of(std::string_view input) {
  if (input.size() < 2 || input[0] != 'P' || input[1] == 'K') return std::string(input);
  const std::string storage(static_cast<std::uint8_t>(input[1]), '\0');
  return test::stored_zip({{"a/data.pkl", std::string(input.substr(2))}, {"a/data/0", storage}});
}

void check_tensor(const TorchFile& file, const SafetensorsEntry& entry) {
  try {
    require(file.tensor(entry.name).numel() == entry.numel(), "a tensor has as many elements as its entry");
  } catch (const Error&) {  // a dtype or a number of dimensions that is not supported
  }
}

void check_file(const TorchFile& file, std::int64_t size) {
  for (const SafetensorsEntry& entry : file.entries()) {
    require(entry.begin >= 0 && entry.end >= entry.begin, "bytes are a range");
    require(entry.end - entry.begin <= size, "a tensor has no more bytes than the file");
    check_tensor(file, entry);
  }
}

}  // namespace
}  // namespace tk::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tk;
  const auto path = fuzz::folder() / "pytorch_model.bin";
  const std::string file = fuzz::file_of(fuzz::text_of(data, size));
  write_bytes(path, file);
  try {
    fuzz::check_file(TorchFile::open(path), std::ssize(file));
  } catch (const Error& error) {
    fuzz::require(std::string_view(error.what()).starts_with(path.string()), "an error starts with the file's path");
  }
  return 0;
}
