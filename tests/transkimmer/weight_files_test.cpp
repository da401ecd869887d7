#include "transkimmer/weight_files.h"

#include <nlohmann/json.hpp>

#include "tensor/error.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tensors.h"
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
  write_bytes(folder / "pytorch_model.bin", "");
  CHECK_THAT(problem(folder.path()), ContainsSubstring(": has only pytorch_model.bin, a pickle"));
  write_bytes(folder / "model.safetensors", "");
  CHECK(has_weights(folder.path()));
  CHECK_THAT(problem(folder.path()), ContainsSubstring("model.safetensors: too small"));
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
             ContainsSubstring("expected the name of a safetensors file beside it"));
  CHECK_THAT(with(first, 7), ContainsSubstring("got 7"));
  write_bytes(index, "{}");
  CHECK_THAT(problem(folder / "m"), ContainsSubstring("expected an object \"weight_map\""));
  write_bytes(index, json.dump());
  fs::remove(folder / "m/model-00002-of-00002.safetensors");
  CHECK_THAT(problem(folder / "m"), ContainsSubstring("model-00002-of-00002.safetensors: is not there, and"));
  fs::copy_file(folder / "m/model-00001-of-00002.safetensors", folder / "m/model-00002-of-00002.safetensors");
  CHECK_THAT(problem(folder / "m"), ContainsSubstring("lies in two files"));
}
