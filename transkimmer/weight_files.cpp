#include "transkimmer/weight_files.h"

#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "tensor/error.h"
#include "tensor/io/in_quotes.h"
#include "tensor/io/json.h"

namespace tk {
namespace fs = std::filesystem;
namespace {

constexpr const char* kWeights = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";

fs::path weights_or_index(const fs::path& path) {
  TK_CHECK(fs::exists(path), path.string(), ": no such file or folder");
  if (!fs::is_directory(path)) return path;
  for (const char* name : {kWeights, kIndex}) {
    if (fs::exists(path / name)) return path / name;
  }
  TK_CHECK(!fs::exists(path / "pytorch_model.bin"), path.string(),
           ": has only pytorch_model.bin, a pickle, which is not read; save it again as model.safetensors "
           "(save_pretrained with safe_serialization=True)");
  throw Error(concat(path.string(), ": no model.safetensors in this folder"));
}

// Which file each weight lies in.
std::map<std::string, std::string> read_index(const fs::path& index) {
  const nlohmann::json json = read_json(index);
  const bool has_map = json.is_object() && json.contains("weight_map") && json["weight_map"].is_object();
  TK_CHECK(has_map && !json["weight_map"].empty(), index.string(),
           ": expected an object \"weight_map\" that names a file for each weight");
  std::map<std::string, std::string> files;
  for (const auto& [name, file] : json["weight_map"].items()) {
    const std::string text = file.is_string() ? file.get<std::string>() : "";
    TK_CHECK(fs::path(text).extension() == ".safetensors" && fs::path(text).filename() == text, index.string(), ": ",
             in_quotes(name), ": expected the name of a safetensors file beside it, got ", shown(file));
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

void WeightFiles::add(const fs::path& file) {
  files_.push_back(SafetensorsFile::open(file));
  for (const SafetensorsEntry& entry : files_.back().entries()) {
    TK_CHECK(places_.emplace(entry.name, files_.size() - 1).second, path_, ": ", in_quotes(entry.name),
             " lies in two files, one of them ", file.filename().string());
    entries_.push_back(entry);
  }
}

void WeightFiles::add_shards(const fs::path& index) {
  const std::map<std::string, std::string> file_of = read_index(index);
  std::set<std::string> names;
  for (const auto& [weight, file] : file_of) names.insert(file);
  for (const std::string& name : names) {
    const fs::path file = index.parent_path() / name;
    TK_CHECK(fs::exists(file), file.string(), ": is not there, and ", index.filename().string(), " names it");
    add(file);
    for (const SafetensorsEntry& entry : files_.back().entries()) {
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
  for (const SafetensorsFile& file : files_) paths.emplace_back(file.path());
  return paths;
}

Tensor WeightFiles::tensor(std::string_view name) const {
  const auto place = places_.find(name);
  TK_CHECK(place != places_.end(), path_, ": no tensor ", in_quotes(name));
  return files_[place->second].tensor(name);
}

bool has_weights(const fs::path& folder) { return fs::exists(folder / kWeights) || fs::exists(folder / kIndex); }

}  // namespace tk
