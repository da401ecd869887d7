#include "transkimmer/weight_files.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <set>
#include <span>

#include "tensor/error.h"
#include "tensor/io/in_quotes.h"
#include "tensor/io/json.h"

namespace tk {
namespace fs = std::filesystem;
namespace {

// In the order in which they count.
constexpr const char* kWeights[] = {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
                                    "pytorch_model.bin.index.json"};

// What a folder may have instead, and what makes a model folder of it.
struct Foreign {
  const char* file;
  const char* what;
  const char* remedy;
};
constexpr Foreign kForeign[] = {
    {"tf_model.h5", "TensorFlow's weights",
     "transformers 4 beside TensorFlow converts them, in this folder: python -c \"from transformers import "
     "AutoModelForSequenceClassification as M; M.from_pretrained('.',from_tf=True).save_pretrained('.')\""},
    {"flax_model.msgpack", "Flax's weights",
     "transformers 4 beside Flax converts them, in this folder: python -c \"from transformers import "
     "AutoModelForSequenceClassification as M; M.from_pretrained('.',from_flax=True).save_pretrained('.')\""},
    {"bert_model.ckpt.index", "a checkpoint of Google's",
     "transformers 4 beside TensorFlow converts it, in this folder: transformers-cli convert --model_type bert "
     "--tf_checkpoint bert_model.ckpt --config bert_config.json --pytorch_dump_output pytorch_model.bin"},
    {"model.onnx", "an ONNX graph", "take the model folder that it was exported from"},
    {"onnx/model.onnx", "an ONNX graph", "take the model folder that it was exported from"},
};

fs::path weights_or_index(const fs::path& path) {
  check_exists(path);
  if (!fs::is_directory(path)) return path;
  for (const char* name : kWeights) {
    if (fs::exists(path / name)) return path / name;
  }
  for (const Foreign& foreign : kForeign) {
    TK_CHECK(!fs::exists(path / foreign.file), path.string(), ": has only ", foreign.file, ", ", foreign.what,
             ", not read here; ", foreign.remedy);
  }
  throw Error(concat(path.string(), ": no model.safetensors in this folder"));
}

bool is_torch(const fs::path& file) {
  return file.extension() == ".bin" || file.extension() == ".pt" || file.extension() == ".pth";
}

// "bert-base-uncased" or "org/name": at most two words of a hub's characters.
bool may_be_on_hub(std::string_view name) {
  const auto is_word = [](std::string_view word) {
    return !word.empty() && word.front() != '.' && std::ranges::all_of(word, [](unsigned char c) {
      return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.';
    });
  };
  const std::size_t slash = name.find('/');
  if (slash == std::string_view::npos) return is_word(name);
  return is_word(name.substr(0, slash)) && is_word(name.substr(slash + 1));
}

// Which file each weight lies in.
std::map<std::string, std::string> read_index(const fs::path& index) {
  const nlohmann::json json = read_json(index);
  const std::string kind = index.filename().string().ends_with(".bin.index.json") ? ".bin" : ".safetensors";
  const bool has_map = json.is_object() && json.contains("weight_map") && json["weight_map"].is_object();
  TK_CHECK(has_map && !json["weight_map"].empty(), index.string(),
           ": expected an object \"weight_map\" that names a file for each weight");
  std::map<std::string, std::string> files;
  for (const auto& [name, file] : json["weight_map"].items()) {
    const std::string text = file.is_string() ? file.get<std::string>() : "";
    TK_CHECK(fs::path(text).extension() == kind && fs::path(text).filename() == text, index.string(), ": ",
             in_quotes(name), ": expected the name of a ", kind, " file beside it, got ", shown(file));
    files[name] = text;
  }
  return files;
}

}  // namespace

WeightFiles WeightFiles::open(const fs::path& folder_or_file) {
  const fs::path path = weights_or_index(folder_or_file);
  WeightFiles weights;
  weights.path_ = path.string();
  path.extension() == ".json" ? weights.add_shards(path) : weights.add(path);
  return weights;
}

void WeightFiles::add(const fs::path& path) {
  if (is_torch(path)) {
    files_.emplace_back(TorchFile::open(path));
  } else {
    files_.emplace_back(SafetensorsFile::open(path));
  }
  const auto add_entries = [&](const auto& file) {
    for (const SafetensorsEntry& entry : file.entries()) {
      TK_CHECK(places_.emplace(entry.name, files_.size() - 1).second, path_, ": ", in_quotes(entry.name),
               " lies in two files, one of them ", path.filename().string());
      entries_.push_back(entry);
    }
  };
  std::visit(add_entries, files_.back());
}

void WeightFiles::add_shards(const fs::path& index) {
  const std::map<std::string, std::string> file_of = read_index(index);
  std::set<std::string> names;
  for (const auto& [weight, file] : file_of) names.insert(file);
  for (const std::string& name : names) {
    const fs::path file = index.parent_path() / name;
    TK_CHECK(fs::exists(file), file.string(), ": is not there, and ", index.filename().string(), " names it");
    const std::size_t before = entries_.size();
    add(file);
    for (const SafetensorsEntry& entry : std::span(entries_).subspan(before)) {
      const auto found = file_of.find(entry.name);
      TK_CHECK(found != file_of.end() && found->second == name, file.string(), ": holds ", in_quotes(entry.name),
               ", which ", index.filename().string(), " does not look for there");
    }
  }
  for (const auto& [weight, file] : file_of) {
    TK_CHECK(places_.contains(weight), (index.parent_path() / file).string(), ": holds no ", in_quotes(weight),
             ", which ", index.filename().string(), " looks for there");
  }
}

std::vector<fs::path> WeightFiles::files() const {
  std::vector<fs::path> paths;
  for (const File& file : files_) paths.emplace_back(std::visit([](const auto& one) { return one.path(); }, file));
  return paths;
}

std::map<std::string, std::string> WeightFiles::metadata() const {
  const auto* file = std::get_if<SafetensorsFile>(&files_.front());
  return file == nullptr ? std::map<std::string, std::string>() : file->metadata();
}

Tensor WeightFiles::tensor(std::string_view name) const {
  const auto place = places_.find(name);
  TK_CHECK(place != places_.end(), path_, ": no tensor ", in_quotes(name));
  return std::visit([&](const auto& file) { return file.tensor(name); }, files_[place->second]);
}

bool has_weights(const fs::path& folder) {
  return std::ranges::any_of(kWeights, [&](const char* name) { return fs::exists(folder / name); });
}

void check_exists(const fs::path& path) {
  if (fs::exists(path)) return;
  const std::string name = path.string();
  TK_CHECK(!may_be_on_hub(name), name,
           ": no such file or folder; if it is a model's name on a hub: none is downloaded, ", "hf download ", name,
           " --local-dir ", path.filename().string(), " fetches its folder");
  throw Error(concat(name, ": no such file or folder"));
}

}  // namespace tk
