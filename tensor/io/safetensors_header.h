#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

// The safetensors format (github.com/huggingface/safetensors): u64 little-endian N, N bytes of JSON, then the elements
// of all tensors, row-major and little-endian, without gaps.
namespace tk {

/// A tensor as the header of a file describes it. All numbers are checked against the file.
struct SafetensorsEntry {
  std::string name;
  std::string dtype;                ///< as the file spells it: "F32", "BF16", ...
  std::vector<std::int64_t> shape;  ///< empty for a scalar
  std::int64_t begin = 0;           ///< first byte, counted from the start of the data
  std::int64_t end = 0;             ///< behind the last byte

  /// The number of elements.
  std::int64_t numel() const;
};

struct SafetensorsHeader {
  std::vector<SafetensorsEntry> entries;  ///< in the order of their data
  std::map<std::string, std::string> metadata;
  std::int64_t data_begin = 0;  ///< the byte of the file at which the data starts
};

/// A longer header is refused, as Hugging Face's reader does.
inline constexpr std::int64_t kMaxSafetensorsHeader = 100'000'000;

/// Position in the format's order of dtypes, which rises with alignment; -1 for an unknown name.
int safetensors_dtype_rank(std::string_view dtype);

class InputFile;

/// Reads and checks the header of a file: UTF-8 JSON, no name twice, no unknown field or dtype, sizes that follow from
/// dtype and shape without overflow, data that covers the rest of the file exactly. Throws tk::Error that starts with
/// the file's path. Allocates no more than a small multiple of the header's own bytes.
SafetensorsHeader read_safetensors_header(const InputFile& file);

}  // namespace tk
