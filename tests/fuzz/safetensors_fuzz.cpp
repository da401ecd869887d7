#include "tensor/io/safetensors.h"

#include "tensor/error.h"
#include "tests/fuzz/fuzz.h"

namespace tk::fuzz {
namespace {

// An input is a file. One that starts with 'J' is the JSON of a header instead, and as many zero bytes of data as the
// byte behind the 'J' says: the length in front is computed, which mutations alone seldom get right.
std::string file_of(std::string_view input) {
  if (input.size() < 2 || input[0] != 'J') return std::string(input);
  const std::string_view header = input.substr(2);
  std::string file;
  for (int i = 0; i < 8; ++i) file += static_cast<char>(header.size() >> (8 * i));
  return file.append(header).append(static_cast<std::uint8_t>(input[1]), '\0');
}

void check_tensor(const SafetensorsFile& file, const SafetensorsEntry& entry) {
  try {
    const Tensor x = file.tensor(entry);
    require(x.numel() == entry.numel(), "a tensor has as many elements as its entry");
    require(file.find(entry.name) == &entry, "an entry is found by its name");
  } catch (const Error&) {  // a dtype or a number of dimensions that is not supported
  }
}

void check_file(const SafetensorsFile& file, std::int64_t size) {
  std::int64_t reached = 0;
  for (const SafetensorsEntry& entry : file.entries()) {
    require(entry.begin == reached && entry.end >= entry.begin, "tensors lie without gaps");
    require(safetensors_dtype_rank(entry.dtype) >= 0, "dtypes are known");
    reached = entry.end;
    check_tensor(file, entry);
  }
  require(reached <= size, "data lies in the file");
}

}  // namespace
}  // namespace tk::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tk;
  const auto path = fuzz::folder() / "model.safetensors";
  const std::string file = fuzz::file_of(fuzz::text_of(data, size));
  write_bytes(path, file);
  try {
    fuzz::check_file(SafetensorsFile::open(path), std::ssize(file));
  } catch (const Error& error) {
    fuzz::require(std::string_view(error.what()).starts_with(path.string()), "an error starts with the file's path");
  }
  return 0;
}
