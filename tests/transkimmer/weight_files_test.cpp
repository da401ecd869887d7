#include "transkimmer/weight_files.h"

#include <nlohmann/json.hpp>

#include "tensor/error.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tensors.h"
#include "tests/support/torch_archive.h"
#include "transkimmer/checkpoint.h"
#include "transkimmer/families/bert.h"

using namespace tk;
namespace fs = std::filesystem;

namespace {

const fs::path kTiny = fs::path(TK_SOURCE_DIR) / "tests/golden/bert_tiny_config";

// The tiny golden model as save_pretrained cuts it: two files and their index.
void write_shards(const fs::path& folder) {
  fs::create_directories(folder);
  for (const char* file : {"config.json", "vocab.txt"}) fs::copy_file(kTiny / file, folder / file);
  const SafetensorsFile whole = SafetensorsFile::open(kTiny / "model.safetensors");
  std::vector<NamedTensor> shards[2];
  nlohmann::json index = {{"metadata", {{"total_size", 1}}}, {"weight_map", nlohmann::json::object()}};
  for (const SafetensorsEntry& entry : whole.entries()) {
    const std::size_t shard = shards[0].size() > shards[1].size() ? 1 : 0;
    shards[shard].push_back({entry.name, whole.tensor(entry)});
    index["weight_map"][entry.name] = concat("model-0000", shard + 1, "-of-00002.safetensors");
  }
  for (std::size_t shard : {0, 1}) {
    save_safetensors(folder / concat("model-0000", shard + 1, "-of-00002.safetensors"), shards[shard],
                     {{"format", "pt"}});
  }
  write_bytes(folder / "model.safetensors.index.json", index.dump(2));
}

std::string problem(const fs::path& path) {
  return test::message_of([&] { WeightFiles::open(path); });
}

}  // namespace

TEST_CASE("weight_files: a model cut into several files has the weights of the whole one") {
  const TemporaryFolder folder;
  write_shards(folder / "m");
  const WeightFiles shards = WeightFiles::open(folder / "m");
  const SafetensorsFile whole = SafetensorsFile::open(kTiny / "model.safetensors");
  CHECK(shards.files().size() == 2);
  CHECK(shards.metadata().at("format") == "pt");
  REQUIRE(shards.entries().size() == whole.entries().size());
  for (const SafetensorsEntry& entry : whole.entries()) {
    CHECK(shards.tensor(entry.name).to_vector<float>() == whole.tensor(entry).to_vector<float>());
  }
  const Tensor bias = zeros({3});
  load_weights(folder / "m", {{{"classifier.bias", bias}}}, kBert);
  CHECK(bias.to_vector<float>() == whole.tensor("classifier.bias").to_vector<float>());
  CHECK(load_config(folder / "m").hidden_size == 32);
}

TEST_CASE("weight_files: one file beside an index is the one that counts, and a path may name either") {
  const TemporaryFolder folder;
  write_shards(folder / "m");
  fs::copy_file(kTiny / "model.safetensors", folder / "m/model.safetensors");
  CHECK(WeightFiles::open(folder / "m").files().size() == 1);
  CHECK(WeightFiles::open(folder / "m/model.safetensors.index.json").files().size() == 2);
  CHECK(WeightFiles::open(folder / "m/model-00001-of-00002.safetensors").files().size() == 1);
}

TEST_CASE("weight_files: a folder without readable weights says what it has instead") {
  const TemporaryFolder folder;
  CHECK(problem(folder / "none") == (folder / "none").string() + ": no such file or folder");
  CHECK_THAT(problem(folder.path()), ContainsSubstring(": no model.safetensors in this folder"));
  CHECK_FALSE(has_weights(folder.path()));
  const std::pair<const char*, const char*> foreign[] = {
      {"onnx/model.onnx", "an ONNX graph, not read here; take the model folder that it was exported from"},
      {"bert_model.ckpt.index",
       "a checkpoint of Google's, not read here; transformers 4 beside TensorFlow converts it"},
      {"flax_model.msgpack", "Flax's weights, not read here; transformers 4 beside Flax converts them"},
      {"tf_model.h5", "TensorFlow's weights, not read here; transformers 4 beside TensorFlow converts them"}};
  fs::create_directory(folder / "onnx");
  for (const auto& [file, what] : foreign) {
    write_bytes(folder / file, "");
    CHECK_FALSE(has_weights(folder.path()));
    CHECK_THAT(problem(folder.path()), ContainsSubstring(concat(": has only ", file, ", ", what)));
  }
  write_bytes(folder / "pytorch_model.bin", "");
  CHECK(has_weights(folder.path()));
  CHECK_THAT(problem(folder.path()), ContainsSubstring("pytorch_model.bin: not a zip archive as torch.save writes it"));
  write_bytes(folder / "model.safetensors", "");
  CHECK(has_weights(folder.path()));
  CHECK_THAT(problem(folder.path()), ContainsSubstring("model.safetensors: too small"));
}

TEST_CASE("weight_files: a name that a hub may have is not downloaded, and says how to get the folder") {
  CHECK(problem("bert-base-uncased") ==
        "bert-base-uncased: no such file or folder; if it is a model's name on a hub: none is downloaded, hf download "
        "bert-base-uncased --local-dir bert-base-uncased fetches its folder");
  CHECK_THAT(problem("org/some_name-v1.5"),
             ContainsSubstring("hf download org/some_name-v1.5 --local-dir some_name-v1.5"));
  for (const char* path : {"./none", "../none", "/none", "a/b/none", "none/", "a name"}) {
    CHECK(problem(path) == std::string(path) + ": no such file or folder");
  }
}

TEST_CASE("weight_files: pytorch_model.bin has the weights of the safetensors file, and counts after it") {
  const TemporaryFolder folder;
  const SafetensorsFile whole = SafetensorsFile::open(kTiny / "model.safetensors");
  std::vector<NamedTensor> weights;
  for (const SafetensorsEntry& entry : whole.entries()) weights.push_back({entry.name, whole.tensor(entry)});
  write_bytes(folder / "pytorch_model.bin", test::torch_archive(weights));
  fs::copy_file(kTiny / "config.json", folder / "config.json");
  const WeightFiles torch = WeightFiles::open(folder.path());
  CHECK(torch.path() == (folder / "pytorch_model.bin").string());
  CHECK(torch.metadata().empty());
  REQUIRE(torch.entries().size() == weights.size());
  for (const NamedTensor& weight : weights) CHECK(test::same_bits(torch.tensor(weight.name), weight.tensor));
  CHECK(load_config(folder.path()).hidden_size == 32);
  const std::vector<NamedTensor> published = {{"embeddings.LayerNorm.gamma", from_values<float>({1, 2})},
                                              {"cls.predictions.bias", from_values<float>({0})},
                                              {"classifier.bias", from_values<float>({3})}};
  write_bytes(folder / "pytorch_model.bin", test::torch_archive(published));
  const Tensor norm = zeros({2}), bias = zeros({1});
  const std::vector<NamedTensor> to = {{"bert.embeddings.LayerNorm.weight", norm}, {"classifier.bias", bias}};
  const LoadReport report = load_weights(folder.path(), to, kBert);
  CHECK(report.missing.empty());
  CHECK(report.unexpected.empty());
  CHECK(norm.to_vector<float>() == std::vector<float>{1, 2});
  CHECK(bias.item() == 3);
  fs::copy_file(kTiny / "model.safetensors", folder / "model.safetensors");
  CHECK(WeightFiles::open(folder.path()).path() == (folder / "model.safetensors").string());
}

TEST_CASE("weight_files: pytorch_model.bin may be cut into several files, too") {
  const TemporaryFolder folder;
  write_bytes(folder / "pytorch_model-00001-of-00002.bin",
              test::torch_archive(std::vector<NamedTensor>{{"a", full({2}, 1)}}));
  write_bytes(folder / "pytorch_model-00002-of-00002.bin",
              test::torch_archive(std::vector<NamedTensor>{{"b", full({3}, 2)}}));
  const auto write_index = [&](const std::string& second) {
    const nlohmann::json map = {{"a", "pytorch_model-00001-of-00002.bin"}, {"b", second}};
    write_bytes(folder / "pytorch_model.bin.index.json", nlohmann::json{{"weight_map", map}}.dump());
  };
  write_index("pytorch_model-00002-of-00002.bin");
  CHECK(has_weights(folder.path()));
  const WeightFiles shards = WeightFiles::open(folder.path());
  CHECK(shards.files().size() == 2);
  CHECK(shards.tensor("a").to_vector<float>() == std::vector<float>{1, 1});
  CHECK(shards.tensor("b").to_vector<float>() == std::vector<float>{2, 2, 2});
  write_index("model.safetensors");
  CHECK_THAT(problem(folder.path()), ContainsSubstring("expected the name of a .bin file beside it"));
}

TEST_CASE("weight_files: an index and its files agree") {
  const TemporaryFolder folder;
  write_shards(folder / "m");
  const fs::path index = folder / "m/model.safetensors.index.json";
  const auto json = nlohmann::json::parse(read_bytes(index));
  const auto with = [&](const std::string& name, const nlohmann::json& file) {
    nlohmann::json changed = json;
    file.is_null() ? void(changed["weight_map"].erase(name)) : void(changed["weight_map"][name] = file);
    write_bytes(index, changed.dump());
    return problem(folder / "m");
  };
  const std::string first = json["weight_map"].begin().key();
  CHECK_THAT(with("more", "model-00001-of-00002.safetensors"), ContainsSubstring("holds no \"more\""));
  CHECK_THAT(with(first, nullptr), ContainsSubstring("does not look for there"));
  CHECK_THAT(with(first, "../other.safetensors"),
             ContainsSubstring("expected the name of a .safetensors file beside it"));
  CHECK_THAT(with(first, 7), ContainsSubstring("got 7"));
  write_bytes(index, "{}");
  CHECK_THAT(problem(folder / "m"), ContainsSubstring("expected an object \"weight_map\""));
  write_bytes(index, json.dump());
  fs::remove(folder / "m/model-00002-of-00002.safetensors");
  CHECK_THAT(problem(folder / "m"), ContainsSubstring("model-00002-of-00002.safetensors: is not there, and"));
  fs::copy_file(folder / "m/model-00001-of-00002.safetensors", folder / "m/model-00002-of-00002.safetensors");
  CHECK_THAT(problem(folder / "m"), ContainsSubstring("lies in two files"));
}
