#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/io/safetensors.h"
#include "tensor/tensor.h"

namespace tk {

/// A checkpoint's weights, open: those of one safetensors file, or of all that model.safetensors.index.json names, as
/// Hugging Face's save_pretrained cuts large models.
class WeightFiles {
 public:
  /// `folder_or_file`: a model folder, or a safetensors file or such an index itself. Throws tk::Error that says what
  /// was found instead (only a pickle, nothing), and where index and files do not agree: each name of `weight_map` lies
  /// in the file that it says, and no file holds others.
  static WeightFiles open(const std::filesystem::path& folder_or_file);

  /// The file, or the index.
  const std::string& path() const { return path_; }
  /// The safetensors files.
  std::vector<std::filesystem::path> files() const;
  const std::vector<SafetensorsEntry>& entries() const { return entries_; }
  const std::map<std::string, std::string>& metadata() const { return files_.front().metadata(); }
  /// As SafetensorsFile::tensor.
  Tensor tensor(std::string_view name) const;

 private:
  void add(const std::filesystem::path& file);
  void add_shards(const std::filesystem::path& index);

  std::string path_;
  std::vector<SafetensorsFile> files_;
  std::vector<SafetensorsEntry> entries_;
  std::map<std::string, std::size_t, std::less<>> places_;  // of each name, in files_
};

/// Whether a model folder holds weights that WeightFiles opens.
bool has_weights(const std::filesystem::path& folder);

}  // namespace tk
