#include "transkimmer/cli/commands/convert.h"

#include "tensor/ops/quantize.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"
#include "transkimmer/checkpoint.h"
#include "transkimmer/classifier.h"
#include "transkimmer/families/bert.h"

namespace fs = std::filesystem;
using namespace tk;

namespace {

const fs::path kTiny = fs::path(TK_SOURCE_DIR) / "tests/golden/bert_tiny_config";

}  // namespace

TEST_CASE("convert: float32 to float32 gives the same bytes") {
  const TemporaryFolder folder;
  convert(kTiny, folder / "out", WeightStorage::kFloat32);
  CHECK(read_bytes(folder / "out/model.safetensors") == read_bytes(kTiny / "model.safetensors"));
  CHECK(read_bytes(folder / "out/vocab.txt") == read_bytes(kTiny / "vocab.txt"));
  CHECK(load_config(folder / "out").labels.size() == 3);
}

TEST_CASE("convert: float16 and bfloat16 halve the weights, and back they are the rounded values") {
  const TemporaryFolder folder;
  const auto check = [&](WeightStorage storage, const std::string& dtype, const std::string& name, double error) {
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
  check(WeightStorage::kFloat16, "F16", "float16", 0x1p-11);
  check(WeightStorage::kBFloat16, "BF16", "bfloat16", 0x1p-8);
}

TEST_CASE("convert: to int8 it has the bytes of a model placed in int8, and back it is those times their scales") {
  const TemporaryFolder folder;
  BertClassifier model(load_config(kTiny));
  load_weights(kTiny, named_values(model.parameters()), kBert);
  model.place(Device::kCpu, DType::kInt8);
  save_model_folder(folder / "placed", model.config(), named_values(model.parameters()), {});
  convert(kTiny, folder / "int8", WeightStorage::kInt8);
  CHECK(read_bytes(folder / "int8/model.safetensors") == read_bytes(folder / "placed/model.safetensors"));
  CHECK(read_bytes(folder / "int8/vocab.txt") == read_bytes(kTiny / "vocab.txt"));
  convert(folder / "int8", folder / "same", WeightStorage::kInt8);
  CHECK(read_bytes(folder / "same/model.safetensors") == read_bytes(folder / "int8/model.safetensors"));
  convert(folder / "int8", folder / "float", WeightStorage::kFloat32);
  CHECK_FALSE(load_config(folder / "float").int8_weights);
  const SafetensorsFile in_int8 = SafetensorsFile::open(folder / "int8/model.safetensors");
  const SafetensorsFile back = SafetensorsFile::open(folder / "float/model.safetensors");
  CHECK(back.entries().size() == SafetensorsFile::open(kTiny / "model.safetensors").entries().size());
  const std::string name = "bert.encoder.layer.1.attention.self.value.weight";
  CHECK(in_int8.find(name)->dtype == "I8");
  CHECK(back.tensor(name).to_vector<float>() ==
        dequantize_rows({in_int8.tensor(name), in_int8.tensor(name + "_scale")}).to_vector<float>());
}

TEST_CASE("convert: weights get their published names, integers keep their type") {
  const TemporaryFolder folder;
  fs::create_directory(folder / "in");
  fs::copy_file(kTiny / "config.json", folder / "in/config.json");
  save_safetensors(folder / "in/model.safetensors", {{{"embeddings.LayerNorm.gamma", zeros({2})},
                                                      {"cls.predictions.bias", zeros({2})},
                                                      {"embeddings.position_ids", arange(3, DType::kInt64)}}});
  fs::create_directory(folder / "out");  // an empty one is as good as none
  convert(folder / "in/model.safetensors", folder / "out", WeightStorage::kFloat16);
  const SafetensorsFile file = SafetensorsFile::open(folder / "out/model.safetensors");
  REQUIRE(file.entries().size() == 3);
  CHECK(file.find("bert.embeddings.LayerNorm.weight")->dtype == "F16");
  CHECK(file.find("cls.predictions.bias")->dtype == "F16");
  CHECK(file.find("bert.embeddings.position_ids")->dtype == "I64");
}

TEST_CASE("convert: what is there is never written over, and a failure leaves nothing") {
  const TemporaryFolder folder;
  write_bytes(folder / "file", "text");
  CHECK_THROWS_WITH(convert(kTiny, folder.path(), WeightStorage::kFloat32),
                    folder.path().string() + ": exists and is not an empty folder");
  CHECK_THROWS_WITH(convert(kTiny, folder / "file", WeightStorage::kFloat32),
                    (folder / "file").string() + ": exists and is not an empty folder");
  CHECK_THROWS_WITH(convert(folder / "none", folder / "out", WeightStorage::kFloat32),
                    (folder / "none").string() + ": no such file or folder");
  fs::create_directory(folder / "in");
  fs::copy_file(kTiny / "config.json", folder / "in/config.json");
  save_safetensors(folder / "in/model.safetensors", {{{"classifier.bias", full({1}, 1e6)}}});
  CHECK_THROWS_WITH(convert(folder / "in", folder / "out", WeightStorage::kFloat16),
                    ContainsSubstring("holds 1e+06, beyond the range of float16"));
  CHECK_FALSE(fs::exists(folder / "out"));
  const std::string name = "bert.encoder.layer.0.output.dense.weight";
  save_safetensors(folder / "in/model.safetensors", {{{name, full({2, 2}, std::numeric_limits<double>::infinity())}}});
  CHECK_THROWS_WITH(convert(folder / "in", folder / "out", WeightStorage::kInt8),
                    "not written: the weight \"" + name + "\": quantize_rows: row 0 holds a value that is not finite");
  CHECK_FALSE(fs::exists(folder / "out"));
  CHECK(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()) == 2);
}
