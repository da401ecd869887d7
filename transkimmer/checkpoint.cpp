#include "transkimmer/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <system_error>

#include "nn/parameter.h"
#include "tensor/allocator.h"
#include "tensor/error.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/in_quotes.h"
#include "tensor/io/renames.h"
#include "transkimmer/families/family.h"
#include "transkimmer/weight_files.h"

namespace tk {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kWeights = "model.safetensors";
constexpr std::string_view kTokenizerConfig = "tokenizer_config.json";

std::string shape_text(std::span<const std::int64_t> shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + ']';
}

// The tensors under their published names; two under one name would leave open which one counts.
std::map<std::string, const SafetensorsEntry*> by_published_name(const WeightFiles& file, const Family& family) {
  std::map<std::string, const SafetensorsEntry*> entries;
  for (const SafetensorsEntry& entry : file.entries()) {
    const auto [place, is_new] = entries.emplace(family.published_name(entry.name), &entry);
    TK_CHECK(is_new, file.path(), ": ", in_quotes(place->second->name), " and ", in_quotes(entry.name),
             " are the same weight");
  }
  return entries;
}

bool all_finite(const Tensor& tensor) {
  const Tensor x = tensor.to(Device::kCpu).to(DType::kFloat32).contiguous();
  const std::span values(x.data<float>(), static_cast<std::size_t>(x.numel()));
  return std::ranges::all_of(values, [](float value) { return std::isfinite(value); });
}

bool is_scale(std::string_view name) { return name.ends_with(kScaleSuffix); }

bool is_missing(const LoadReport& report, const std::string& name) {
  return std::ranges::find(report.missing, name) != report.missing.end();
}

void copy_weight(const WeightFiles& file, const SafetensorsEntry& entry, const Tensor& destination) {
  const Tensor source = file.tensor(entry.name);
  const bool is_int8 = destination.dtype() == DType::kInt8;
  TK_CHECK(is_int8 ? source.dtype() == DType::kInt8 : is_floating(source.dtype()), file.path(), ": tensor ",
           in_quotes(entry.name), ": expected ", is_int8 ? "int8" : "floating-point", " weights, got ", entry.dtype);
  TK_CHECK(is_int8 || all_finite(source), file.path(), ": tensor ", in_quotes(entry.name),
           ": holds a value that is not finite");
  destination.copy_from(source);
}

std::optional<PredictorShape> predictor_shape(const fs::path& folder) {
  if (!has_weights(folder)) return std::nullopt;
  const WeightFiles file = WeightFiles::open(folder);
  for (const Family* family : families()) {
    const auto entries = by_published_name(file, *family);
    const auto last = entries.find(concat(family->weights.predictors, "0.predictor.4.weight"));
    if (last == entries.end()) continue;
    const std::vector<std::int64_t>& shape = last->second->shape;
    TK_CHECK(shape.size() == 2, file.path(), ": tensor ", in_quotes(last->second->name),
             ": expected [outputs, width], got ", shape_text(shape));
    return PredictorShape{.width = shape[1], .outputs = shape[0]};
  }
  return std::nullopt;
}

// A folder with a head is loaded by that head's class; one without must not claim to have it.
void name_architecture(Config& config, std::span<const NamedTensor> weights) {
  const Family& family = config.family();
  const auto is_head = [&](const NamedTensor& weight) { return is_classifier(weight.name, family); };
  if (std::ranges::any_of(weights, is_head)) return config.set_head(config.head());
  const Architectures& classes = family.architectures;
  const auto claims_head = [&](const std::string& name) { return name == classes.sequence || name == classes.token; };
  if (std::ranges::all_of(config.architectures, claims_head)) config.architectures = {classes.base};
}

std::string default_tokenizer_config(const Config& config, bool lower_case) {
  const nlohmann::json settings = {{"tokenizer_class", config.family().tokenizer_class},
                                   {"do_lower_case", lower_case},
                                   {"model_max_length", config.max_position_embeddings}};
  return settings.dump(2) + '\n';
}

// Of a tokenizer.json that had no settings beside it and goes on to count alone.
std::string generic_tokenizer_config(const Config& config) {
  const nlohmann::json settings = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                                   {"pad_token", "[PAD]"},
                                   {"unk_token", "[UNK]"},
                                   {"cls_token", "[CLS]"},
                                   {"sep_token", "[SEP]"},
                                   {"mask_token", "[MASK]"},
                                   {"model_max_length", config.max_position_embeddings}};
  return settings.dump(2) + '\n';
}

// A tokenizer_config.json goes with every tokenizer.
void write_tokenizer(const fs::path& folder, const Config& config, const FolderTexts& tokenizer) {
  if (tokenizer.files.empty()) return;
  for (const auto& [file, text] : tokenizer.files) write_file_atomically(folder / file, text);
  if (tokenizer.find(kTokenizerConfig) == nullptr) {
    const bool is_alone = tokenizer.find("tokenizer.json") != nullptr;
    write_file_atomically(folder / kTokenizerConfig,
                          is_alone ? generic_tokenizer_config(config) : default_tokenizer_config(config, true));
  }
}

// A model that answers nonsense is none to leave behind.
void check_finite(std::span<const NamedTensor> weights, const fs::path& folder) {
  for (const NamedTensor& weight : weights) {
    TK_CHECK(!is_floating(weight.tensor.dtype()) || all_finite(weight.tensor), folder.string(),
             ": not written: the weight ", in_quotes(weight.name), " holds a value that is not finite");
  }
}

void write_files(const fs::path& folder, Config config, std::span<const NamedTensor> weights,
                 const FolderTexts& tokenizer, FloatStorage storage) {
  name_architecture(config, weights);
  config.torch_dtype = choice_name(storage);
  config.int8_weights =
      std::ranges::any_of(weights, [](const NamedTensor& weight) { return weight.tensor.dtype() == DType::kInt8; });
  write_tokenizer(folder, config, tokenizer);
  write_file_atomically(folder / "config.json", to_json(config));
  save_safetensors(folder / kWeights, weights, {{"format", "pt"}}, storage);  // transformers asks for the format
}

}  // namespace

Config load_config(const fs::path& folder) {
  check_exists(folder);
  TK_CHECK(fs::is_directory(folder), folder.string(), ": expected a model folder, got a file");
  return read_config(folder / "config.json", predictor_shape(folder));
}

std::vector<std::string> int8_weights(const fs::path& folder_or_file, const Family& family) {
  std::vector<std::string> names;
  const WeightFiles file = WeightFiles::open(folder_or_file);
  for (const SafetensorsEntry& entry : file.entries()) {
    if (entry.dtype == "I8") names.push_back(family.published_name(entry.name));
  }
  return names;
}

LoadReport load_weights(const fs::path& folder_or_file, std::span<const NamedTensor> destinations, const Family& family,
                        bool ignore_mismatched_sizes) {
  const WeightFiles file = WeightFiles::open(folder_or_file);
  auto entries = by_published_name(file, family);
  LoadReport report;
  std::size_t found = 0;
  for (const auto& [name, destination] : destinations) {
    const auto place = entries.find(name);
    if (place == entries.end()) {
      TK_CHECK(!is_scale(name) || is_missing(report, name.substr(0, name.size() - kScaleSuffix.size())), file.path(),
               ": holds an int8 weight without its scales ", in_quotes(name));
      report.missing.push_back(name);
      continue;
    }
    const SafetensorsEntry& entry = *place->second;
    if (std::ranges::equal(entry.shape, destination.shape())) {
      copy_weight(file, entry, destination);
    } else {
      report.mismatched.push_back(
          concat(name, ": ", shape_text(entry.shape), " in the file, ", destination.shape(), " in the model"));
    }
    entries.erase(place);
    ++found;
  }
  TK_CHECK(found > 0 || destinations.empty(), file.path(), ": holds none of the model's weights, such as ",
           in_quotes(destinations.front().name));
  TK_CHECK(report.mismatched.empty() || ignore_mismatched_sizes, file.path(),
           ": shapes differ: ", report.mismatched.front(),
           report.mismatched.size() > 1 ? concat(" (and ", report.mismatched.size() - 1, " more)") : "");
  for (const auto& [name, entry] : entries) {
    if (!family.passed_over(name)) report.unexpected.push_back(entry->name);
  }
  release_cached(Device::kCpu);  // what was read
  return report;
}

std::vector<std::string> messages(const LoadReport& report, const fs::path& source) {
  std::vector<std::string> lines;
  if (!report.unexpected.empty()) {
    lines.push_back(concat("Some weights of the model checkpoint at ", source.string(),
                           " were not used when initializing the model: ", listed(report.unexpected)));
  }
  if (!report.missing.empty()) {
    lines.push_back(concat("Some weights of the model were not initialized from the model checkpoint at ",
                           source.string(), " and are newly initialized: ", listed(report.missing)));
  }
  if (!report.mismatched.empty()) {
    lines.push_back(concat("Some weights of the model were not initialized from the model checkpoint at ",
                           source.string(),
                           " and are newly initialized because the shapes did not match: ", listed(report.mismatched)));
  }
  return lines;
}

FolderTexts read_tokenizer_files(const fs::path& folder, const Family& family) {
  return read_texts(folder, family.tokenizer_files);
}

FolderTexts new_tokenizer_files(const Config& config, std::string vocabulary, bool lower_case) {
  FolderTexts texts;
  texts.files.emplace("vocab.txt", std::move(vocabulary));
  texts.files.emplace(kTokenizerConfig, default_tokenizer_config(config, lower_case));
  return texts;
}

// The files of a model take their places together, the weights last; of the tokenizer's, those that do not belong to
// it go.
void save_model_folder(const fs::path& folder, Config config, std::span<const NamedTensor> weights,
                       const FolderTexts& tokenizer, FloatStorage storage) {
  if (!fs::exists(folder)) return save_new_model_folder(folder, std::move(config), weights, tokenizer, storage);
  TK_CHECK(fs::is_directory(folder), folder.string(), ": exists and is not a folder");
  check_finite(weights, folder);
  std::vector<std::string> names = {std::string(kWeights), "config.json"};
  if (!tokenizer.files.empty()) std::ranges::copy(config.family().tokenizer_files, std::back_inserter(names));
  AtomicFolder complete(folder / "model");  // neither is ever committed: they go with all that is left in them
  AtomicFolder earlier(folder / "earlier-model");
  write_files(complete.path(), std::move(config), weights, tokenizer, storage);
  Renames renames;
  for (const std::string& name : names) {
    if (fs::exists(fs::symlink_status(folder / name))) renames.add(folder / name, earlier.path() / name);
  }
  std::ranges::reverse(names);
  for (const std::string& name : names) {
    if (fs::exists(complete.path() / name)) renames.add(complete.path() / name, folder / name);
  }
  try {
    renames.make();
  } catch (...) {
    if (!renames.undo()) earlier.abandon();
    throw;
  }
  sync_folder(folder);
}

void save_new_model_folder(const fs::path& folder, Config config, std::span<const NamedTensor> weights,
                           const FolderTexts& tokenizer, FloatStorage storage) {
  check_finite(weights, folder);
  AtomicFolder complete(folder);
  write_files(complete.path(), std::move(config), weights, tokenizer, storage);
  complete.commit();
}

bool is_new_folder(const fs::path& folder) {
  if (!fs::exists(folder)) return true;
  TK_CHECK(fs::is_directory(folder) && fs::is_empty(folder), folder.string(), ": exists and is not an empty folder");
  return false;
}

}  // namespace tk
