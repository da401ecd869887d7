#include "transkimmer/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "autograd/grad_mode.h"
#include "tensor/error.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tensors.h"
#include "tests/transkimmer/small_model.h"
#include "transkimmer/families/bert.h"

namespace fs = std::filesystem;
using namespace tk;
using namespace tk::test;

namespace {

const fs::path kGolden = fs::path(TK_SOURCE_DIR) / "tests/golden";

using Floats = std::vector<float>;
using Names = std::vector<std::string>;

Tensor floats(const Floats& values) { return from_values(values); }

Floats values(const Tensor& x) { return x.to(DType::kFloat32).to_vector<float>(); }

// A model folder with these weights and a small configuration.
void write_model(const fs::path& folder, const std::vector<NamedTensor>& weights) {
  fs::create_directories(folder);
  fs::copy_file(kGolden / "bert_tiny_config/config.json", folder / "config.json");
  save_safetensors(folder / "model.safetensors", weights, {{"format", "pt"}});
}

// A destination for each tensor of a file, under its own name, all zeros.
std::vector<NamedTensor> destinations_for(const SafetensorsFile& file) {
  std::vector<NamedTensor> destinations;
  for (const SafetensorsEntry& entry : file.entries()) {
    destinations.push_back({entry.name, zeros(Shape(std::span(entry.shape)))});
  }
  return destinations;
}

Names file_names(const fs::path& folder) {
  Names names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

}  // namespace

TEST_CASE("checkpoint: a Hugging Face folder goes in whole, bit for bit") {
  const SafetensorsFile file = SafetensorsFile::open(kGolden / "bert_tiny_config/model.safetensors");
  const std::vector<NamedTensor> destinations = destinations_for(file);
  const LoadReport report = load_weights(kGolden / "bert_tiny_config", destinations, kBert);
  CHECK(report.missing.empty());
  CHECK(report.unexpected.empty());
  CHECK(report.mismatched.empty());
  CHECK(messages(report, "M").empty());
  for (const auto& [name, tensor] : destinations) CHECK(values(tensor) == values(file.tensor(name)));
}

TEST_CASE("checkpoint: a destination may be rows of a larger matrix") {
  const TemporaryFolder folder;
  write_model(folder / "m",
              {{"bert.q.weight", floats({1, 2}).reshape({1, 2})}, {"bert.k.weight", floats({3, 4}).reshape({1, 2})}});
  const Tensor whole = zeros({3, 2});
  load_weights(folder / "m", {{{"bert.q.weight", whole.narrow(0, 0, 1)}, {"bert.k.weight", whole.narrow(0, 1, 1)}}},
               kBert);
  CHECK(values(whole) == Floats{1, 2, 3, 4, 0, 0});
}

TEST_CASE("checkpoint: names with and without bert. and legacy layer norm names are the same") {
  const TemporaryFolder folder;
  write_model(folder / "m", {{"embeddings.LayerNorm.gamma", floats({1})}, {"embeddings.LayerNorm.beta", floats({2})}});
  const Tensor weight = zeros({1});
  const Tensor bias = zeros({1});
  load_weights(folder / "m", {{{"bert.embeddings.LayerNorm.weight", weight}, {"bert.embeddings.LayerNorm.bias", bias}}},
               kBert);
  CHECK(values(weight) == Floats{1});
  CHECK(values(bias) == Floats{2});
}

TEST_CASE("checkpoint: two names of one weight are refused") {
  const TemporaryFolder folder;
  write_model(folder / "m", {{"bert.pooler.dense.bias", floats({1})}, {"pooler.dense.bias", floats({2})}});
  CHECK_THROWS_WITH(load_weights(folder / "m", {{{"bert.pooler.dense.bias", zeros({1})}}}, kBert),
                    ContainsSubstring("\"pooler.dense.bias\" are the same weight"));
}

TEST_CASE("checkpoint: missing and unexpected weights are reported, pre-training heads are not") {
  const TemporaryFolder folder;
  write_model(folder / "m", {{"bert.pooler.dense.bias", floats({1})},
                             {"bert.extra", floats({1})},
                             {"cls.predictions.bias", floats({1})},
                             {"cls.seq_relationship.bias", floats({1})},
                             {"bert.embeddings.position_ids", arange(4, DType::kInt64)}});
  const Tensor classifier = floats({7});
  const LoadReport report =
      load_weights(folder / "m", {{{"bert.pooler.dense.bias", zeros({1})}, {"classifier.bias", classifier}}}, kBert);
  CHECK(report.missing == Names{"classifier.bias"});
  CHECK(report.unexpected == Names{"bert.extra"});
  CHECK(values(classifier) == Floats{7});  // keeps its new value
  const Names lines = messages(report, "M");
  REQUIRE(lines.size() == 2);
  CHECK(lines[0] == "Some weights of the model checkpoint at M were not used when initializing the model: bert.extra");
  CHECK(lines[1] ==
        "Some weights of the model were not initialized from the model checkpoint at M and are newly initialized: "
        "classifier.bias");
}

TEST_CASE("checkpoint: another shape is an error with both shapes, or reported when that was asked for") {
  const TemporaryFolder folder;
  write_model(folder / "m", {{"bert.pooler.dense.bias", floats({1})}, {"classifier.weight", zeros({3, 32})}});
  const std::vector<NamedTensor> destinations = {{"bert.pooler.dense.bias", zeros({1})},
                                                 {"classifier.weight", full({2, 32}, 5)}};
  CHECK_THROWS_WITH(load_weights(folder / "m", destinations, kBert),
                    (folder / "m/model.safetensors").string() +
                        ": shapes differ: classifier.weight: [3, 32] in the file, [2, 32] in the model");
  const LoadReport report = load_weights(folder / "m", destinations, kBert, true);
  CHECK(report.mismatched == Names{"classifier.weight: [3, 32] in the file, [2, 32] in the model"});
  CHECK(values(destinations[0].tensor) == Floats{1});
  CHECK(values(destinations[1].tensor)[0] == 5);
  CHECK_THAT(messages(report, "M")[0], ContainsSubstring("because the shapes did not match: classifier.weight"));
}

TEST_CASE("checkpoint: one element is not broadcast") {
  const TemporaryFolder folder;
  write_model(folder / "m", {{"classifier.bias", floats({1})}});
  CHECK_THROWS_WITH(load_weights(folder / "m", {{{"classifier.bias", zeros({3})}}}, kBert),
                    ContainsSubstring("shapes differ"));
}

TEST_CASE("checkpoint: float16, bfloat16 and float64 weights are converted, integers refused") {
  const TemporaryFolder folder;
  const Floats weights = {1.5f, -0.0625f, 256};
  for (const FloatStorage storage : {FloatStorage::kFloat16, FloatStorage::kBFloat16, FloatStorage::kFloat32}) {
    save_safetensors(folder / "w", {{{"classifier.bias", floats(weights)}}}, {}, storage);
    const Tensor destination = zeros({3});
    load_weights(folder / "w", {{{"classifier.bias", destination}}}, kBert);
    CHECK(values(destination) == weights);
  }
  save_safetensors(folder / "w", {{{"classifier.bias", from_values(std::vector<double>{0.1})}}});
  const Tensor destination = zeros({1});
  load_weights(folder / "w", {{{"classifier.bias", destination}}}, kBert);
  CHECK(values(destination) == Floats{0.1f});
  save_safetensors(folder / "w", {{{"classifier.bias", arange(1)}}});
  CHECK_THROWS_WITH(load_weights(folder / "w", {{{"classifier.bias", destination}}}, kBert),
                    ContainsSubstring("tensor \"classifier.bias\": expected floating-point weights, got I32"));
}

TEST_CASE("checkpoint: a file with none of the model's weights is refused") {
  const TemporaryFolder folder;
  save_safetensors(folder / "w", {{{"roberta.pooler.dense.bias", floats({1})}}});
  CHECK_THROWS_WITH(load_weights(folder / "w", {{{"bert.pooler.dense.bias", zeros({1})}}}, kBert),
                    ContainsSubstring("holds none of the model's weights, such as \"bert.pooler.dense.bias\""));
}

TEST_CASE("checkpoint: the published gate and the predictors' width are known by their weights") {
  const Config published = load_config(kGolden / "skim_layer_config");
  CHECK(published.skim_gate == SkimGate::kLayer);
  CHECK(published.skim_width == 8);
  CHECK(load_config(kGolden / "skim_layer_paper_config").skim_width == 32);
  const Config staged = load_config(kGolden / "skim_staged_config");
  CHECK(staged.skim_gate == SkimGate::kStaged);
  CHECK(staged.skim_width == 8);
  CHECK(load_config(kGolden / "bert_tiny_config").skim_gate == SkimGate::kNone);
  CHECK_THROWS_WITH(load_config(kGolden / "none"), ContainsSubstring("none: no such file or folder"));
  CHECK_THROWS_WITH(load_config(kGolden / "README.md"), ContainsSubstring("expected a model folder, got a file"));
}

TEST_CASE("checkpoint: the golden folders hold as many weights as their configuration says") {
  for (const char* name : {"bert_tiny_config", "skim_layer_config", "skim_layer_paper_config", "skim_staged_config"}) {
    INFO(name);
    const SafetensorsFile file = SafetensorsFile::open(kGolden / name / "model.safetensors");
    std::int64_t elements = 0;
    for (const SafetensorsEntry& entry : file.entries()) elements += entry.numel();
    CHECK(elements == parameter_count(load_config(kGolden / name)));
  }
}

TEST_CASE("checkpoint: a saved folder is read back") {
  const TemporaryFolder folder;
  Config config = load_config(kGolden / "bert_tiny_config");
  config.architectures = {"BertModel"};
  const SafetensorsFile file = SafetensorsFile::open(kGolden / "bert_tiny_config/model.safetensors");
  const std::vector<NamedTensor> weights = destinations_for(file);
  load_weights(kGolden / "bert_tiny_config", weights, kBert);
  save_model_folder(folder / "a/b", config, weights, read_tokenizer_files(kGolden / "bert_tiny_config", kBert));

  CHECK(file_names(folder / "a") == Names{"b"});
  CHECK(file_names(folder / "a/b") == Names{"config.json", "model.safetensors", "tokenizer_config.json", "vocab.txt"});
  CHECK(read_bytes(folder / "a/b/model.safetensors") == read_bytes(kGolden / "bert_tiny_config/model.safetensors"));
  CHECK(read_bytes(folder / "a/b/vocab.txt") == read_bytes(kGolden / "bert_tiny_config/vocab.txt"));
  const Config again = load_config(folder / "a/b");
  CHECK(again.architectures == Names{"BertForSequenceClassification"});
  CHECK(again.torch_dtype == "float32");
  CHECK(again.labels == config.labels);
}

TEST_CASE("checkpoint: int8 weights and their scales are saved and read back, for every gate") {
  for (const Skimming& gate : kDenseAndSkimming) {
    INFO(name(gate));
    const TemporaryFolder folder;
    const auto model = mixing_model(small_config(gate));
    model->place(Device::kCpu, DType::kInt8);
    save_model_folder(folder / "model", model->config(), named_values(model->parameters()), {});
    const Config config = load_config(folder / "model");
    CHECK(config.int8_weights);
    CHECK(config.torch_dtype == "float32");
    const std::vector<std::string> names = int8_weights(folder / "model", kBert);
    CHECK(names.size() == 1 + 6 * 4 + static_cast<std::size_t>(config.num_predictors()));
    BertClassifier back(config);
    CHECK(back.is_quantized());
    const LoadReport report = load_weights(folder / "model", named_values(back.parameters()), kBert);
    CHECK((report.missing.empty() && report.unexpected.empty()));
    back.place(Device::kCpu);
    CHECK(back.compute_dtype() == DType::kInt8);
    const PackedTokens inputs = random_inputs(9, 1);
    const NoGrad no_grad;
    CHECK(same_bits(back(inputs, {}).logits.value(), (*model)(inputs, {}).logits.value()));
    CHECK_THROWS_WITH(back.place(Device::kCpu, DType::kBFloat16), ContainsSubstring("int8"));
  }
}

TEST_CASE("checkpoint: int8 on one side alone is refused, and so is an int8 weight without scales") {
  const TemporaryFolder folder;
  const auto model = mixing_model(small_config(SkimGate::kNone));
  save_model_folder(folder / "float", model->config(), named_values(model->parameters()), {});
  model->place(Device::kCpu, DType::kInt8);
  const std::vector<NamedTensor> quantized = named_values(model->parameters());
  save_model_folder(folder / "int8", model->config(), quantized, {});
  BertClassifier in_float(load_config(folder / "float")), in_int8(load_config(folder / "int8"));
  CHECK_THROWS_WITH(load_weights(folder / "int8", named_values(in_float.parameters()), kBert),
                    ContainsSubstring("word_embeddings.weight\": expected floating-point weights, got I8"));
  CHECK_THROWS_WITH(load_weights(folder / "float", named_values(in_int8.parameters()), kBert),
                    ContainsSubstring("word_embeddings.weight\": expected int8 weights, got F32"));
  std::vector<NamedTensor> some = quantized;
  std::erase_if(some, [](const NamedTensor& weight) { return weight.name.ends_with("query.weight_scale"); });
  save_safetensors(folder / "some.safetensors", some);
  CHECK_THROWS_WITH(load_weights(folder / "some.safetensors", named_values(in_int8.parameters()), kBert),
                    ContainsSubstring("without its scales \"bert.encoder.layer.0.attention.self.query.weight_scale\""));
}

TEST_CASE("checkpoint: saving a skimmed model keeps its gate") {
  const TemporaryFolder folder;
  const SafetensorsFile file = SafetensorsFile::open(kGolden / "skim_layer_config/model.safetensors");
  const std::vector<NamedTensor> weights = destinations_for(file);
  const Config config = load_config(kGolden / "skim_layer_config");
  save_model_folder(folder / "m", config, weights, read_tokenizer_files(kGolden / "skim_layer_config", kBert));
  const Config again = read_config(folder / "m/config.json");
  CHECK(again.skim_gate == SkimGate::kLayer);
  CHECK(again.skim_width == 8);
}

TEST_CASE("checkpoint: saving a model whose [CLS] is free keeps that") {
  const TemporaryFolder folder;
  const auto place = kGolden / "skim_staged_cls_config";
  const SafetensorsFile file = SafetensorsFile::open(place / "model.safetensors");
  const Config config = load_config(place);
  CHECK(config.skim_cls == SkimCls::kFree);
  CHECK(load_config(kGolden / "skim_staged_config").skim_cls == SkimCls::kKept);
  save_model_folder(folder / "m", config, destinations_for(file), read_tokenizer_files(place, kBert));
  CHECK(load_config(folder / "m").skim_cls == SkimCls::kFree);
}

TEST_CASE("checkpoint: a vocabulary made in memory becomes vocab.txt and its settings") {
  const TemporaryFolder folder;
  Config config;
  config.max_position_embeddings = 40;
  save_model_folder(folder / "m", config, {{{"bert.pooler.dense.bias", floats({1})}}},
                    new_tokenizer_files(config, "[PAD]\n[UNK]\n", false), FloatStorage::kBFloat16);
  CHECK(read_bytes(folder / "m/vocab.txt") == "[PAD]\n[UNK]\n");
  const std::string settings = read_bytes(folder / "m/tokenizer_config.json");
  CHECK_THAT(settings, ContainsSubstring("\"do_lower_case\": false"));
  CHECK_THAT(settings, ContainsSubstring("\"model_max_length\": 40"));
  const Config again = load_config(folder / "m");
  CHECK(again.torch_dtype == "bfloat16");
  CHECK(again.architectures == Names{"BertModel"});
  CHECK(SafetensorsFile::open(folder / "m/model.safetensors").entries()[0].dtype == "BF16");
}

TEST_CASE("checkpoint: in an existing folder other files stay and another tokenizer's go") {
  const TemporaryFolder folder;
  write_bytes(folder / "trainer_state.json", "{}");
  write_bytes(folder / "tokenizer.json", "of another model");
  const std::vector<NamedTensor> weights = {{"classifier.bias", floats({1})}};
  save_model_folder(folder.path(), Config(), weights, new_tokenizer_files(Config(), "[PAD]\n"));
  CHECK(file_names(folder.path()) ==
        Names{"config.json", "model.safetensors", "tokenizer_config.json", "trainer_state.json", "vocab.txt"});

  // Saving a model over itself, with its own mapped weights, is fine.
  const SafetensorsFile file = SafetensorsFile::open(folder / "model.safetensors");
  const std::vector<NamedTensor> own = {{"classifier.bias", file.tensor("classifier.bias")}};
  save_model_folder(folder.path(), Config(), own, read_tokenizer_files(folder.path(), kBert));
  CHECK(read_bytes(folder / "vocab.txt") == "[PAD]\n");
  CHECK(values(SafetensorsFile::open(folder / "model.safetensors").tensor("classifier.bias")) == Floats{1});
}

TEST_CASE("checkpoint: a save that fails leaves nothing, or what was there") {
  const TemporaryFolder folder;
  const std::vector<NamedTensor> bad = {{"classifier.bias", floats({1})}, {"classifier.bias", floats({2})}};
  CHECK_THROWS_WITH(save_model_folder(folder / "m", Config(), bad, new_tokenizer_files(Config(), "[PAD]\n")),
                    ContainsSubstring("two tensors are called \"classifier.bias\""));
  CHECK(fs::is_empty(folder.path()));
  write_bytes(folder / "file", "text");
  CHECK_THROWS_WITH(save_model_folder(folder / "file", Config(), {}, {}),
                    (folder / "file").string() + ": exists and is not a folder");
  CHECK(read_bytes(folder / "file") == "text");
}

TEST_CASE("checkpoint: a model with a weight that is not finite is neither written nor read") {
  const TemporaryFolder folder;
  for (const float value : {NAN, INFINITY, -INFINITY}) {
    const std::vector<NamedTensor> weights = {{"classifier.bias", floats({1, value})}};
    CHECK_THROWS_WITH(
        save_model_folder(folder / "m", Config(), weights, {}),
        (folder / "m").string() + ": not written: the weight \"classifier.bias\" holds a value that is not finite");
    CHECK(fs::is_empty(folder.path()));
  }
  const std::vector<NamedTensor> broken = {{"classifier.bias", floats({1, NAN})}};
  save_safetensors(folder / "model.safetensors", broken);
  const Tensor bias = zeros({2});
  CHECK_THROWS_WITH(
      load_weights(folder.path(), {{{"classifier.bias", bias}}}, kBert),
      ContainsSubstring("model.safetensors: tensor \"classifier.bias\": holds a value that is not finite"));
}

TEST_CASE("checkpoint: a tokenizer's file that is none is refused when it is read, not when it is written") {
  const TemporaryFolder folder;
  write_bytes(folder / "secret", "root:*:19000:0:99999:7:::\n");
  fs::create_symlink(folder / "secret", folder / "special_tokens_map.json");
  CHECK_THROWS_WITH(read_tokenizer_files(folder.path(), kBert),
                    (folder / "special_tokens_map.json").string() + ": not valid JSON at line 1, column 1");
  fs::remove(folder / "special_tokens_map.json");
  write_bytes(folder / "vocab.txt", "[PAD]\n\xff\n");
  CHECK_THROWS_WITH(read_tokenizer_files(folder.path(), kBert),
                    (folder / "vocab.txt").string() + ": is not valid UTF-8");
}

TEST_CASE("checkpoint: the published MiniLM folder is read", "[realdata]") {
  const char* minilm = std::getenv("TK_MINILM_DIR");
  if (minilm == nullptr) {
    WARN("TK_MINILM_DIR is not set: skipped");
    return;
  }
  const Config config = load_config(minilm);
  CHECK(config.num_hidden_layers == 6);
  CHECK(config.hidden_size == 384);
  const Tensor weight = zeros({384});
  const Tensor classifier = zeros({2});
  const LoadReport report =
      load_weights(minilm, {{{"bert.embeddings.LayerNorm.weight", weight}, {"classifier.bias", classifier}}}, kBert);
  CHECK(report.missing == Names{"classifier.bias"});
  CHECK(report.unexpected.size() == 102);
  CHECK(values(weight)[0] != 0);
}
