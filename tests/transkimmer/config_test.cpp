#include "transkimmer/config.h"

#include "tensor/error.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tensors.h"

namespace fs = std::filesystem;
using namespace tk;
using namespace tk::test;

namespace {

const fs::path kGolden = fs::path(TK_SOURCE_DIR) / "tests/golden";

// A small valid configuration; of a key that comes twice the last counts, so `keys` win.
std::string with(const std::string& keys) {
  return R"({"vocab_size": 120, "hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 4,
             "intermediate_size": 64, "max_position_embeddings": 64)" +
         (keys.empty() ? "" : ", " + keys) + "}";
}

Config parse(const std::string& keys) { return parse_config(with(keys), "config.json"); }

void check_refused(const std::string& keys, const std::string& message) {
  INFO(keys);
  CHECK_THROWS_AS(parse(keys), Error);
  CHECK_THROWS_WITH(parse(keys), ContainsSubstring("config.json: " + message));
}

}  // namespace

TEST_CASE("config: int8 weights are said as compressed-tensors does, and no other quantization is read") {
  Config config;
  config.int8_weights = true;
  const std::string text = to_json(config);
  CHECK(parse_config(text, "here").int8_weights);
  CHECK_THAT(text, ContainsSubstring("\"int-quantized\"") && ContainsSubstring("\"bert.pooler.dense\""));
  CHECK(to_json(parse_config(text, "here")) == text);
  config.int8_weights = false;
  CHECK_THAT(to_json(config), !ContainsSubstring("quantization_config"));
  std::string other = text;
  other.replace(other.find("int-quantized"), 13, "pack-quantized");
  CHECK_THROWS_WITH(parse_config(other, "here"),
                    ContainsSubstring("here: quantization_config: expected quant_method \"compressed-tensors\""));
}

TEST_CASE("config: a file of Hugging Face's is read") {
  const Config config = read_config(kGolden / "bert_tiny_config/config.json");
  CHECK(config.vocab_size == 120);
  CHECK(config.hidden_size == 32);
  CHECK(config.num_hidden_layers == 3);
  CHECK(config.num_attention_heads == 4);
  CHECK(config.head_size() == 8);
  CHECK(config.intermediate_size == 64);
  CHECK(config.max_position_embeddings == 64);
  CHECK(config.type_vocab_size == 2);
  CHECK(config.layer_norm_eps == 1e-12);
  CHECK(config.hidden_dropout_prob == 0);
  CHECK(config.head_dropout() == 0);
  CHECK(config.labels == std::vector<std::string>{"LABEL_0", "LABEL_1", "LABEL_2"});
  CHECK(config.architectures == std::vector<std::string>{"BertForSequenceClassification"});
  CHECK(config.skim_gate == SkimGate::kNone);
}

TEST_CASE("config: what a file leaves unsaid has Hugging Face's defaults") {
  const Config config = parse("");
  CHECK(config.layer_norm_eps == 1e-12);
  CHECK(config.hidden_dropout_prob == 0.1);
  CHECK(config.attention_probs_dropout_prob == 0.1);
  CHECK(config.initializer_range == 0.02);
  CHECK(config.type_vocab_size == 2);
  CHECK(config.labels == std::vector<std::string>{"LABEL_0", "LABEL_1"});
  CHECK_FALSE(config.classifier_dropout);
  CHECK(config.head_dropout() == 0.1);
  CHECK(parse(R"("classifier_dropout": 0.3)").head_dropout() == 0.3);
  CHECK_FALSE(parse(R"("classifier_dropout": null)").classifier_dropout);
}

TEST_CASE("config: writing and reading again changes nothing and loses no key") {
  Config config = parse(R"("my_key": {"a": [1, 2.5, null]}, "pad_token_id": 0, "position_embedding_type": "absolute",
                           "transformers_version": "4.8.2", "id2label": {"0": "no", "1": "yes"}, "problem_type": null,
                           "finetuning_task": "rte", "dtype": "bfloat16")");
  config.skim_gate = SkimGate::kStaged;
  config.skim_width = 7;
  config.skim_threshold = -0.75;
  config.skim_speedups = {{2, 0.25}, {4, 6.5}};
  config.skim_attention = SkimAttention::kPaper;
  config.classifier_dropout = 0.25;
  config.problem_type = "single_label_classification";
  const std::string text = to_json(config);
  for (const char* part : {R"("my_key": {)", "2.5", R"("pad_token_id": 0)", R"("transformers_version": "4.8.2")",
                           R"("position_embedding_type": "absolute")", R"("yes": 1)", R"("1": "yes")",
                           R"("finetuning_task": "rte")", R"("torch_dtype": "bfloat16")", R"("skim_gate": "staged")"}) {
    CHECK_THAT(text, ContainsSubstring(part));
  }
  const Config again = parse_config(text, "again");
  CHECK(to_json(again) == text);
  CHECK(again.skim_gate == SkimGate::kStaged);
  CHECK(again.skim_width == 7);
  CHECK(again.skim_threshold == -0.75);
  REQUIRE(again.skim_speedups.size() == 2);
  CHECK(again.skim_speedups[1].speedup == 4);
  CHECK(again.skim_speedups[1].threshold == 6.5);
  CHECK(again.skim_attention == SkimAttention::kPaper);
  CHECK(again.classifier_dropout == 0.25);
  CHECK(again.problem_type == "single_label_classification");
  CHECK(again.labels == std::vector<std::string>{"no", "yes"});
}

TEST_CASE("config: the threshold of a speed-up is linear between the nearest that are known") {
  Config config = parse("");
  CHECK(message_of([&] { skim_threshold_for(config, 2); }) ==
        "the model was skimmed for one speed-up alone, if at all");
  config.skim_speedups = {{2, -1}, {3, 1}, {5, 7}};
  CHECK(skim_threshold_for(config, 2) == -1);
  CHECK(skim_threshold_for(config, 2.5) == Approx(0));
  CHECK(skim_threshold_for(config, 4) == Approx(4));
  CHECK(skim_threshold_for(config, 5) == 7);
  CHECK(message_of([&] { skim_threshold_for(config, 5.5); }) ==
        "expected a speed-up that the model was skimmed for, 2 to 5, got 5.5");
}

TEST_CASE("config: speed-ups that are no pairs of numbers in ascending order are refused") {
  const auto refused = [](const std::string& speedups) {
    return message_of([&] { parse(R"("skim_gate": "staged", "skim_width": 4, "skim_speedups": )" + speedups); });
  };
  CHECK_THAT(refused("[2, 4]"), ContainsSubstring("skim_speedups: expected a list of pairs of numbers, got [2,4]"));
  CHECK_THAT(refused("[[4, 1], [2, 0]]"), ContainsSubstring("skim_speedups: expected speed-ups in ascending order"));
  CHECK_THAT(refused("[[0.5, 1]]"), ContainsSubstring("skim_speedups: expected 1 to "));
}

TEST_CASE("config: a dense model's file says nothing of skimming") {
  CHECK(to_json(Config()).find("skim") == std::string::npos);
}

TEST_CASE("config: missing, mistyped and out-of-range sizes are refused by key") {
  CHECK_THROWS_WITH(parse_config("{}", "a/config.json"), "a/config.json: vocab_size: missing, expected an integer");
  check_refused(R"("hidden_size": null)", "hidden_size: missing");
  check_refused(R"("hidden_size": "32")", R"(hidden_size: expected an integer, got "32")");
  check_refused(R"("hidden_size": 32.5)", "hidden_size: expected an integer, got 32.5");
  check_refused(R"("hidden_size": true)", "hidden_size: expected an integer, got true");
  check_refused(R"("hidden_size": 18446744073709551615)", "hidden_size: expected an integer, got 18446744073709551615");
  check_refused(R"("hidden_size": -32)", "hidden_size: expected 1 to 1048576, got -32");
  check_refused(R"("vocab_size": 0)", "vocab_size: expected 1 to ");
  check_refused(R"("num_hidden_layers": 0)", "num_hidden_layers: expected 1 to 256, got 0");
  check_refused(R"("num_hidden_layers": 100000)", "num_hidden_layers: expected 1 to 256, got 100000");
  check_refused(R"("intermediate_size": 9223372036854775807)", "intermediate_size: expected 1 to ");
  check_refused(R"("max_position_embeddings": -1)", "max_position_embeddings: expected 1 to ");
  check_refused(R"("type_vocab_size": 0)", "type_vocab_size: expected 1 to ");
  check_refused(R"("num_attention_heads": 5)", "num_attention_heads: 5 does not divide hidden_size 32");
  check_refused(R"("layer_norm_eps": 0)", "layer_norm_eps: expected ");
  check_refused(R"("layer_norm_eps": "small")", "layer_norm_eps: expected a number");
  check_refused(R"("hidden_dropout_prob": 1)", "hidden_dropout_prob: expected 0 to ");
  check_refused(R"("attention_probs_dropout_prob": -0.1)", "attention_probs_dropout_prob: expected 0 to ");
  check_refused(R"("classifier_dropout": 2)", "classifier_dropout: expected 0 to ");
  check_refused(R"("initializer_range": -1)", "initializer_range: expected 0 to ");
  check_refused(R"("vocab_size": 1000000000, "hidden_size": 1024)",
                "vocab_size, hidden_size and the other sizes ask for ");
}

TEST_CASE("config: models that this one is not are refused") {
  check_refused(R"("model_type": "roberta")", R"(model_type: expected "bert", the only one supported, got "roberta")");
  check_refused(R"("position_embedding_type": "relative_key")", R"(position_embedding_type: expected "absolute")");
  check_refused(R"("is_decoder": true)", "is_decoder: expected false");
  check_refused(R"("add_cross_attention": true)", "add_cross_attention: expected false");
  check_refused(R"("pruned_heads": {"0": [1]})", "pruned_heads: expected {}");
  CHECK_NOTHROW(parse(R"("pruned_heads": {}, "is_decoder": false, "model_type": "bert")"));
}

TEST_CASE("config: an activation is read by each of transformers' names, and written by one that it has") {
  CHECK(parse("").hidden_act == Activation::kGelu);
  const std::pair<const char*, Activation> names[] = {
      {"gelu", Activation::kGelu},          {"gelu_python", Activation::kGelu},
      {"gelu_new", Activation::kGeluTanh},  {"gelu_pytorch_tanh", Activation::kGeluTanh},
      {"gelu_fast", Activation::kGeluTanh}, {"relu", Activation::kRelu},
      {"silu", Activation::kSilu},          {"swish", Activation::kSilu}};
  for (const auto& [name, activation] : names) {
    const Config config = parse(R"("hidden_act": ")" + std::string(name) + '"');
    CHECK(config.hidden_act == activation);
    CHECK(parse_config(to_json(config), "again").hidden_act == activation);
  }
  CHECK_THAT(to_json(Config()), ContainsSubstring(R"("hidden_act": "gelu")"));
  check_refused(R"("hidden_act": "mish")",
                R"(hidden_act: expected "gelu", "gelu_python", "gelu_new", "gelu_pytorch_tanh", "gelu_fast", "relu", )"
                R"("silu" or "swish", got "mish")");
  check_refused(R"("hidden_act": 1)", "hidden_act: expected a string, got 1");
}

TEST_CASE("config: labels come from id2label, label2id or num_labels") {
  using Labels = std::vector<std::string>;
  CHECK(parse(R"("id2label": {"0": "a", "1": "b", "2": "c"})").labels == Labels{"a", "b", "c"});
  CHECK(parse(R"("label2id": {"b": 1, "a": 0})").labels == Labels{"a", "b"});
  CHECK(parse(R"("num_labels": 3)").labels == Labels{"LABEL_0", "LABEL_1", "LABEL_2"});
  CHECK(parse(R"("id2label": {"0": "a"}, "num_labels": 1)").num_labels() == 1);
  check_refused(R"("id2label": {"0": "a", "2": "b"})", "id2label: expected a name for each id from 0 to 1");
  check_refused(R"("id2label": {"0": 5})", "id2label: expected a name");
  check_refused(R"("id2label": ["a"])", "id2label: expected an object");
  check_refused(R"("id2label": {})", "id2label: expected at least one label");
  check_refused(R"("label2id": {"a": 0, "b": 0})", "label2id: expected each id from 0 to 1 once");
  check_refused(R"("label2id": {"a": 1})", "label2id: expected each id");
  check_refused(R"("id2label": {"0": "a", "1": "b"}, "num_labels": 3)", "num_labels: 3 contradicts the 2 labels");
  check_refused(R"("num_labels": 0)", "num_labels: expected 1 to 16384, got 0");
  check_refused(R"("num_labels": 16385)", "num_labels: expected 1 to 16384, got 16385");
}

TEST_CASE("config: where label2id disagrees with id2label, that counts, and a note says so") {
  const std::string id2label = R"("id2label": {"0": "no", "1": "yes"}, "label2id": )";
  for (const std::string label2id : {R"({"LABEL_0": 0, "LABEL_1": 1})", R"({"no": 1, "yes": 0})",
                                     R"({"no": 0, "yes": 2})", R"({"no": "0", "yes": "1"})", "7"}) {
    INFO(label2id);
    const Config config = parse(id2label + label2id);
    CHECK(config.labels == std::vector<std::string>{"no", "yes"});
    REQUIRE(config.notes.size() == 1);
    CHECK_THAT(config.notes[0], ContainsSubstring("config.json: label2id has ") &&
                                    ContainsSubstring("and is passed over: id2label counts, no, yes"));
    CHECK(parse_config(to_json(config), "again").notes.empty());
  }
  CHECK(parse(id2label + R"({"no": 0, "yes": 1})").notes.empty());
  CHECK(parse(id2label + "null").notes.empty());
}

TEST_CASE("config: text that is no JSON object is refused in one short line") {
  const auto refused = [](const std::string& text, const std::string& message) {
    try {
      parse_config(text, "config.json");
      FAIL("accepted");
    } catch (const Error& error) {
      const std::string line = error.what();
      CHECK_THAT(line, ContainsSubstring("config.json: " + message));
      CHECK(line.size() < 400);
      CHECK(line.find('\n') == std::string::npos);
    }
  };
  refused("", "not valid JSON");
  refused("{\n\"hidden_size\": }", "not valid JSON at line 2, column 16");
  refused("{\"a\": \"" + std::string(10000, 'x'), "not valid JSON");
  refused("[1]", "expected a JSON object, got [1]");
  refused("{\"a\": 1e999}", "not valid JSON");
  refused(std::string(100'000, '['), "nested more than 32 levels deep");
  refused("{\"hidden_size\": \"" + std::string(10000, 'x') + "\"}", "vocab_size: missing");
  refused(std::string(9 << 20, ' '), "9437184 bytes are too many");
}

TEST_CASE("config: what is accepted can be written and read again, whatever its size") {
  const Config many = parse(R"("num_labels": 16384)");
  CHECK(parse_config(to_json(many), "again").num_labels() == 16384);
  std::string numbers = "1";
  for (int i = 0; i < 1'500'000; ++i) numbers += ",1";  // a line each, when it is written
  check_refused(R"("a": [[[[)" + numbers + "]]]]", "too large to be written and read again");
}

TEST_CASE("config: skimming is read from its keys, else from the predictor's shape") {
  const Config staged = read_config(kGolden / "skim_staged_config/config.json");
  CHECK(staged.skim_gate == SkimGate::kStaged);
  CHECK(staged.skim_width == 8);
  CHECK(staged.skim_attention == SkimAttention::kExact);
  CHECK(staged.num_predictors() == 2);
  CHECK(traits(staged.skim_gate).outputs == 3);

  const auto with_predictor = [](const std::string& keys, std::int64_t width, std::int64_t outputs) {
    return parse_config(with(keys), "config.json", PredictorShape{width, outputs});
  };
  const Config published = with_predictor("", 32, 2);
  CHECK(published.skim_gate == SkimGate::kLayer);
  CHECK(published.skim_width == 32);
  CHECK(published.num_predictors() == 3);
  CHECK(traits(published.skim_gate).outputs == 2);
  CHECK(with_predictor(R"("skim_gate": "none")", 32, 2).skim_gate == SkimGate::kNone);
  CHECK(with_predictor(R"("skim_gate": "staged")", 12, 3).skim_width == 12);
  CHECK(with_predictor(R"("skim_gate": "staged", "skim_width": 5)", 12, 3).skim_width == 5);
  CHECK_THROWS_WITH(with_predictor("", 8, 3), ContainsSubstring("skim_gate: missing, and the checkpoint's predictors"));

  CHECK(parse("").skim_gate == SkimGate::kNone);
  CHECK(parse(R"("skim_gate": "layer", "skim_attention": "paper")").skim_attention == SkimAttention::kPaper);
  check_refused(R"("skim_gate": "all")", R"(skim_gate: expected "staged", "layer" or "none", got "all")");
  check_refused(R"("skim_gate": "layer", "skim_width": 0)", "skim_width: expected 1 to ");
  check_refused(R"("skim_attention": "soft")", R"(skim_attention: expected "exact" or "paper", got "soft")");
}

TEST_CASE("config: [CLS] is kept unless a staged gate's file says that it is free, and is written only then") {
  CHECK(parse(R"("skim_gate": "staged")").skim_cls == SkimCls::kKept);
  CHECK(parse(R"("skim_gate": "layer", "skim_cls": "kept")").skim_cls == SkimCls::kKept);
  const Config free = parse(R"("skim_gate": "staged", "skim_cls": "free")");
  CHECK(free.skim_cls == SkimCls::kFree);
  CHECK(parse_config(to_json(free), "again").skim_cls == SkimCls::kFree);
  CHECK_THAT(to_json(free), ContainsSubstring(R"("skim_cls": "free")"));
  CHECK_THAT(summary(free), ContainsSubstring("(width 8, attention exact, [CLS] free)"));
  const Config kept = parse(R"("skim_gate": "staged", "skim_cls": "kept")");
  CHECK(to_json(kept) == to_json(parse(R"("skim_gate": "staged")")));
  CHECK_THAT(to_json(kept), !ContainsSubstring("skim_cls"));
  CHECK_THAT(summary(kept), ContainsSubstring("(width 8, attention exact)"));
  check_refused(R"("skim_gate": "staged", "skim_cls": "maybe")", R"(skim_cls: expected "kept" or "free", got "maybe")");
  check_refused(R"("skim_gate": "staged", "skim_cls": true)", "skim_cls: expected a string, got true");
  check_refused(R"("skim_gate": "layer", "skim_cls": "free")",
                R"(skim_cls: expected "kept", the only one with skim_gate "layer", got "free")");
  check_refused(R"("skim_cls": "free")",
                R"(skim_cls: expected "kept", the only one with skim_gate "none", got "free")");
}

TEST_CASE("config: presets have the published sizes") {
  const Config base = config_from_name_or_file("bert-base");
  CHECK(parameter_count(base) == 109'482'240 + 2 * 768 + 2);  // bert-base-uncased, and a classifier of two
  const Config minilm = config_from_name_or_file("minilm-l6");
  CHECK(parameter_count(minilm) == 22'713'216 + 2 * 384 + 2);
  CHECK(parameter_count(config_from_name_or_file("tiny")) == 4'385'920 + 2 * 128 + 2);
  CHECK(minilm.num_attention_heads == 12);

  Config published = base;
  published.skim_gate = SkimGate::kLayer;
  published.skim_width = 768;
  CHECK(parameter_count(published) - parameter_count(base) == 7'142'424);
}

TEST_CASE("config: a name that is no preset is a file or a folder") {
  CHECK(config_from_name_or_file((kGolden / "bert_tiny_config").string()).hidden_size == 32);
  CHECK(config_from_name_or_file((kGolden / "bert_tiny_config/config.json").string()).hidden_size == 32);
  CHECK_THROWS_WITH(config_from_name_or_file("bert-huge"),
                    R"("bert-huge": neither a file nor one of bert-base, minilm-l6, tiny)");
  const TemporaryFolder folder;
  write_bytes(folder / "config.json", with(R"("hidden_size": 0)"));
  CHECK_THROWS_WITH(config_from_name_or_file(folder.path().string()),
                    (folder / "config.json").string() + ": hidden_size: expected 1 to 1048576, got 0");
}
