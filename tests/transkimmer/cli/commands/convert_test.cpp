#include "transkimmer/cli/commands/convert.h"

#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"
#include "transkimmer/checkpoint.h"

namespace fs = std::filesystem;
using namespace tk;

namespace {

const fs::path kTiny = fs::path(TK_SOURCE_DIR) / "tests/golden/bert_tiny_config";

}  // namespace

TEST_CASE("convert: float32 to float32 gives the same bytes") {
  const TemporaryFolder folder;
  convert(kTiny, folder / "out", FloatStorage::kFloat32);
  CHECK(read_bytes(folder / "out/model.safetensors") == read_bytes(kTiny / "model.safetensors"));
  CHECK(read_bytes(folder / "out/vocab.txt") == read_bytes(kTiny / "vocab.txt"));
  CHECK(load_config(folder / "out").labels.size() == 3);
}

TEST_CASE("convert: float16 and bfloat16 halve the weights, and back they are the rounded values") {
  const TemporaryFolder folder;
  const auto check = [&](FloatStorage storage, const std::string& dtype, const std::string& name, double error) {
    convert(kTiny, folder / dtype, storage);
    CHECK(load_config(folder / dtype).torch_dtype == name);
    const SafetensorsFile before = SafetensorsFile::open(kTiny / "model.safetensors");
    const SafetensorsFile after = SafetensorsFile::open(folder / dtype / "model.safetensors");
    REQUIRE(after.entries().size() == before.entries().size());
    for (const SafetensorsEntry& entry : after.entries()) {
      CHECK(entry.dtype == dtype);
      const auto x = before.tensor(entry.name).to_vector<float>();
      const auto y = after.tensor(entry.name).to(DType::kFloat32).to_vector<float>();
      double worst = 0;
      for (std::size_t i = 0; i < x.size(); ++i)
        worst = std::max(worst, std::abs(x[i] - y[i]) / (1e-3 + std::abs(x[i])));
      CHECK(worst <= error);
    }
  };
  check(FloatStorage::kFloat16, "F16", "float16", 0x1p-11);
  check(FloatStorage::kBFloat16, "BF16", "bfloat16", 0x1p-8);
}

TEST_CASE("convert: weights get their published names, integers keep their type") {
  const TemporaryFolder folder;
  fs::create_directory(folder / "in");
  fs::copy_file(kTiny / "config.json", folder / "in/config.json");
  save_safetensors(folder / "in/model.safetensors", {{{"embeddings.LayerNorm.gamma", zeros({2})},
                                                      {"cls.predictions.bias", zeros({2})},
                                                      {"embeddings.position_ids", arange(3, DType::kInt64)}}});
  fs::create_directory(folder / "out");  // an empty one is as good as none
  convert(folder / "in/model.safetensors", folder / "out", FloatStorage::kFloat16);
  const SafetensorsFile file = SafetensorsFile::open(folder / "out/model.safetensors");
  REQUIRE(file.entries().size() == 3);
  CHECK(file.find("bert.embeddings.LayerNorm.weight")->dtype == "F16");
  CHECK(file.find("cls.predictions.bias")->dtype == "F16");
  CHECK(file.find("bert.embeddings.position_ids")->dtype == "I64");
}

TEST_CASE("convert: what is there is never written over, and a failure leaves nothing") {
  const TemporaryFolder folder;
  write_bytes(folder / "file", "text");
  CHECK_THROWS_WITH(convert(kTiny, folder.path(), FloatStorage::kFloat32),
                    folder.path().string() + ": exists and is not an empty folder");
  CHECK_THROWS_WITH(convert(kTiny, folder / "file", FloatStorage::kFloat32),
                    (folder / "file").string() + ": exists and is not an empty folder");
  CHECK_THROWS_WITH(convert(folder / "none", folder / "out", FloatStorage::kFloat32),
                    (folder / "none").string() + ": no such file or folder");
  fs::create_directory(folder / "in");
  fs::copy_file(kTiny / "config.json", folder / "in/config.json");
  save_safetensors(folder / "in/model.safetensors", {{{"classifier.bias", full({1}, 1e6)}}});
  CHECK_THROWS_WITH(convert(folder / "in", folder / "out", FloatStorage::kFloat16),
                    ContainsSubstring("holds 1e+06, beyond the range of float16"));
  CHECK_FALSE(fs::exists(folder / "out"));
  CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()) == 2);
}
