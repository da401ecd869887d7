#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/choices.h"
#include "tensor/io/safetensors_header.h"
#include "tensor/named_tensor.h"
#include "tensor/tensor.h"

namespace tk {

class InputFile;

/// A safetensors file, open; a tensor is read when it is asked for. Movable, not copyable.
class SafetensorsFile {
 public:
  SafetensorsFile(SafetensorsFile&&) = default;
  SafetensorsFile& operator=(SafetensorsFile&&) = default;

  /// Throws tk::Error that starts with the path when the file cannot be read or breaks a rule of the format.
  static SafetensorsFile open(const std::filesystem::path& path);

  const std::string& path() const;
  const std::vector<SafetensorsEntry>& entries() const { return header_.entries; }
  const std::map<std::string, std::string>& metadata() const { return header_.metadata; }
  /// Null when there is none.
  const SafetensorsEntry* find(std::string_view name) const;

  /// As read_elements converts it. Throws for a dtype or a number of dimensions that tensors do not have, for a name
  /// that the file does not have, and for a file that was shortened since it was opened.
  Tensor tensor(std::string_view name) const;
  Tensor tensor(const SafetensorsEntry& entry) const;

 private:
  SafetensorsFile() = default;

  std::shared_ptr<const InputFile> file_;
  SafetensorsHeader header_;
  std::map<std::string_view, const SafetensorsEntry*> index_;  // into header_, whose vector never changes
};

/// How a file holds floating tensors; integers and bools keep their type.
enum class FloatStorage : std::uint8_t { kSame, kFloat32, kFloat16, kBFloat16 };

/// What a file may be asked to hold.
inline constexpr Choice<FloatStorage> kFloatStorages[] = {
    {FloatStorage::kFloat32, "float32"}, {FloatStorage::kFloat16, "float16"}, {FloatStorage::kBFloat16, "bfloat16"}};
inline Choices<FloatStorage> choices(FloatStorage) { return kFloatStorages; }

/// Writes CPU tensors atomically, byte for byte as Hugging Face's writer does: by falling alignment, then by name.
/// Throws for a name given twice or not UTF-8, and for a finite value that float16 cannot hold.
void save_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                      const std::map<std::string, std::string>& metadata = {},
                      FloatStorage storage = FloatStorage::kSame);

}  // namespace tk
