#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tk {

/// A tensor of a state dict: which of a storage's elements it has. All numbers fit each other.
struct PickledTensor {
  std::string name;
  std::string storage;     ///< the storage's key
  std::string_view dtype;  ///< by safetensors' name: "F32"
  std::int64_t storage_numel = 0;
  std::int64_t offset = 0;  ///< its first element
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides;  ///< in elements

  std::int64_t numel() const;
  /// From the first of its elements to behind the last one: at most those of the storage.
  std::int64_t span() const;
};

/// The bytes of an element of that dtype.
std::int64_t torch_element_bytes(std::string_view dtype);

/// Reads the pickle that torch.save makes of a state dict. Nothing is run: a pickle is a program, and of its language
/// there are the few words here that such a one needs, and of what it may call OrderedDict, storages of torch, tensors
/// and parameters. Throws tk::Error that starts with `source` for all else, naming it. Time and memory are a small
/// multiple of the pickle's own bytes.
std::vector<PickledTensor> read_state_dict(std::string_view pickle, const std::string& source);

/// For the end of a message about a file of torch.save's that is not read: the command that writes it as safetensors.
std::string torch_conversion(const std::string& path);

}  // namespace tk
