#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tensor/io/safetensors.h"
#include "tensor/io/torch_file.h"
#include "tensor/tensor.h"

namespace tk {

/// A checkpoint's weights, open: those of one file, or of all that an index names, as Hugging Face's save_pretrained
/// cuts large models. Of a model folder, as in transformers, the first that is there counts: model.safetensors,
/// model.safetensors.index.json, pytorch_model.bin, pytorch_model.bin.index.json.
class WeightFiles {
 public:
  /// `folder_or_file`: a model folder, or such a file or index itself. Throws tk::Error that says what was found
  /// instead (another library's weights, nothing), and where index and files do not agree: each name of `weight_map`
  /// lies in the file that it says, and no file holds others.
  static WeightFiles open(const std::filesystem::path& folder_or_file);

  /// The file, or the index.
  const std::string& path() const { return path_; }
  /// The files of weights.
  std::vector<std::filesystem::path> files() const;
  const std::vector<SafetensorsEntry>& entries() const { return entries_; }
  /// The first file's, if it is of safetensors.
  std::map<std::string, std::string> metadata() const;
  /// As read_elements converts it.
  Tensor tensor(std::string_view name) const;

 private:
  using File = std::variant<SafetensorsFile, TorchFile>;

  void add(const std::filesystem::path& file);
  void add_shards(const std::filesystem::path& index);

  std::string path_;
  std::vector<File> files_;
  std::vector<SafetensorsEntry> entries_;
  std::map<std::string, std::size_t, std::less<>> places_;  // of each name, in files_
};

/// Whether a model folder holds weights that WeightFiles opens.
bool has_weights(const std::filesystem::path& folder);

/// Throws tk::Error for a path at which there is nothing; of one that a hub might have a model under, that says how to
/// get the folder.
void check_exists(const std::filesystem::path& folder_or_file);

}  // namespace tk
