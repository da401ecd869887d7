#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/io/safetensors_header.h"
#include "tensor/tensor.h"

namespace tk {

class InputFile;

/// A state dict that torch.save wrote, such as pytorch_model.bin, open; a tensor is read when it is asked for. It is a
/// zip archive of storages, and of a pickle that is read without being run (tensor/io/torch_pickle.h).
class TorchFile {
 public:
  /// Throws tk::Error that starts with the path when the file cannot be read or is something else, with the command
  /// that converts what torch reads and this does not: a file of torch before 1.6, a pickle with other parts.
  static TorchFile open(const std::filesystem::path& path);

  const std::string& path() const;
  /// By their places in the state dict. `begin` and `end` are bytes of the file: those that a tensor's elements take,
  /// or would take if they lay side by side.
  const std::vector<SafetensorsEntry>& entries() const { return entries_; }

  /// As read_elements converts it. Throws for a dtype or a number of dimensions that tensors do not have, and for a
  /// name that the file does not have.
  Tensor tensor(std::string_view name) const;

 private:
  struct Layout {
    std::size_t entry;
    std::int64_t span;  // elements of the file from the first to the last one
    std::vector<std::int64_t> strides;
  };

  std::shared_ptr<const InputFile> file_;
  std::vector<SafetensorsEntry> entries_;
  std::map<std::string, Layout, std::less<>> layouts_;
};

}  // namespace tk
