#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/io/folder_texts.h"
#include "tensor/io/safetensors.h"
#include "tensor/named_tensor.h"
#include "transkimmer/config.h"

// Model folders as Hugging Face lays them out: config.json, model.safetensors, vocab.txt and the tokenizer's settings.
namespace tk {

struct Family;

/// The configuration of a model folder. What config.json leaves unsaid about skimming comes from the shapes of the
/// folder's skim predictors (see parse_config).
Config load_config(const std::filesystem::path& folder);

/// The published names of the weights that a checkpoint holds in int8. Each, "X.weight", has its scales beside it:
/// float32 "X.weight_scale" [rows, 1].
std::vector<std::string> int8_weights(const std::filesystem::path& folder_or_file, const Family& family);

/// How a checkpoint's names compare with the model's.
struct LoadReport {
  std::vector<std::string> missing;     ///< weights of the model that the file lacks: they keep their values
  std::vector<std::string> unexpected;  ///< names in the file that the model has no weight for
  std::vector<std::string> mismatched;  ///< "name: [3, 32] in the file, [2, 32] in the model": they keep their values
};

/// Copies weights into `destinations`, matched by the names that `family` publishes and converted to each destination's
/// dtype. What the family passes over is not reported. Throws tk::Error for a bad file, for a file without a single
/// weight of the model, for a weight that is not finite, for one that is int8 on one side alone, and, unless
/// `ignore_mismatched_sizes`, for a shape that differs, naming both.
LoadReport load_weights(const std::filesystem::path& folder_or_file, std::span<const NamedTensor> destinations,
                        const Family& family, bool ignore_mismatched_sizes = false);

/// What `report` has to say, in Hugging Face's words, a line for each kind; empty when all went in.
std::vector<std::string> messages(const LoadReport& report, const std::filesystem::path& source);

/// The tokenizer files of a model's folder: those of the family's that are there.
FolderTexts read_tokenizer_files(const std::filesystem::path& folder, const Family& family);
/// Those of a new model: `vocabulary` is the text of vocab.txt.
FolderTexts new_tokenizer_files(const Config& config, std::string vocabulary, bool lower_case = true);

/// Writes a folder that transformers loads: config.json, model.safetensors and the tokenizer files. Of those that the
/// family knows, it then holds what `tokenizer` has, with a tokenizer_config.json in any case; none at all leaves them
/// as they are. A folder that does not exist yet appears complete or not at all. In one that does, all of these files
/// are replaced, the weights last, or none, and other files stay. The `config` written says the dtype of `storage`,
/// whether there are int8 weights, and the class of its head if and only if there is a classifier. Throws tk::Error
/// with the path at fault, and for a weight that is not finite.
void save_model_folder(const std::filesystem::path& folder, Config config, std::span<const NamedTensor> weights,
                       const FolderTexts& tokenizer, FloatStorage storage = FloatStorage::kFloat32);
/// The same for a folder that does not exist. Throws if it does by now, another program's included.
void save_new_model_folder(const std::filesystem::path& folder, Config config, std::span<const NamedTensor> weights,
                           const FolderTexts& tokenizer, FloatStorage storage = FloatStorage::kFloat32);
/// Whether `folder` does not exist yet; throws if it does and is not an empty folder. A command that found it new saves
/// with save_new_model_folder, so that of several at once one does.
bool is_new_folder(const std::filesystem::path& folder);

}  // namespace tk
