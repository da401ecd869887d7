#include "transkimmer/config.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "tensor/error.h"
#include "tensor/io/in_quotes.h"
#include "tensor/io/input_file.h"
#include "tensor/io/json.h"
#include "tensor/random.h"
#include "transkimmer/families/family.h"

namespace tk {
namespace {

using nlohmann::json;

constexpr std::int64_t kMaxParameters = 10'000'000'000;
constexpr std::size_t kMaxFileBytes = 8 << 20;
constexpr std::int64_t kMaxLabels = 1 << 14;
constexpr double kLargestThreshold = 1e6;

// The keys of a config.json. Taking one checks its type and removes it, so that at the end the others are left.
class Keys {
 public:
  Keys(std::string_view text, std::string_view source) : source_(source) {
    TK_CHECK(text.size() <= kMaxFileBytes, source, ": ", text.size(), " bytes are too many for a configuration");
    object_ = parse_json(text, std::string(source));
    TK_CHECK(object_.is_object(), source, ": expected a JSON object, got ", shown(object_));
  }

  template <class... Parts>
  [[noreturn]] void fail(const char* key, const Parts&... parts) const {
    throw Error(concat(source_, ": ", key, ": ", parts...));
  }

  std::string about(const std::string& text) const { return concat(source_, ": ", text); }

  // null counts as not given, as it does for Hugging Face.
  json take(const char* key) {
    json value = peek(key);
    object_.erase(key);
    return value;
  }
  json peek(const char* key) const { return object_.value(key, json()); }

  std::int64_t required_integer(const char* key) {
    if (peek(key).is_null()) fail(key, "missing, expected an integer");
    return integer(key, 0);
  }

  std::int64_t integer(const char* key, std::int64_t fallback) {
    const json value = take(key);
    if (value.is_null()) return fallback;
    const bool fits = value.is_number_integer() &&
                      (!value.is_number_unsigned() || value.get<std::uint64_t>() <= std::uint64_t{INT64_MAX});
    if (!fits) fail(key, "expected an integer, got ", shown(value));
    return value.get<std::int64_t>();
  }

  std::optional<double> number(const char* key) {
    const json value = take(key);
    if (value.is_null()) return std::nullopt;
    if (!value.is_number()) fail(key, "expected a number, got ", shown(value));
    return value.get<double>();
  }

  std::optional<std::string> text(const char* key) {
    const json value = take(key);
    if (value.is_null()) return std::nullopt;
    if (!value.is_string()) fail(key, "expected a string, got ", shown(value));
    return value.get<std::string>();
  }

  std::vector<std::string> texts(const char* key) {
    std::vector<std::string> result;
    const json value = take(key);
    if (value.is_null()) return result;
    const auto is_text = [](const json& element) { return element.is_string(); };
    if (!value.is_array() || !std::ranges::all_of(value, is_text)) {
      fail(key, "expected a list of strings, got ", shown(value));
    }
    return value.get<std::vector<std::string>>();
  }

  // [[a, b], ...]
  std::vector<std::pair<double, double>> number_pairs(const char* key) {
    std::vector<std::pair<double, double>> result;
    const json value = take(key);
    if (value.is_null()) return result;
    const auto is_pair = [](const json& e) {
      return e.is_array() && e.size() == 2 && e[0].is_number() && e[1].is_number();
    };
    if (!value.is_array() || !std::ranges::all_of(value, is_pair)) {
      fail(key, "expected a list of pairs of numbers, got ", shown(value));
    }
    for (const json& pair : value) result.emplace_back(pair[0].get<double>(), pair[1].get<double>());
    return result;
  }

  std::string rest() const { return object_.dump(); }

 private:
  std::string_view source_;
  json object_;
};

// The one value that our model can do; the key stays for writing back.
void check_only(const Keys& keys, const char* key, const json& supported) {
  const json value = keys.peek(key);
  if (!value.is_null() && value != supported) {
    keys.fail(key, "expected ", shown(supported), ", the only one supported, got ", shown(value));
  }
}

// Whether the file says that weights are int8, in the one way that is read.
bool take_int8(Keys& keys) {
  const json value = keys.take("quantization_config");
  if (value.is_null()) return false;
  const bool is_known = value.is_object() && value.value("quant_method", json()) == "compressed-tensors" &&
                        value.value("format", json()) == "int-quantized";
  if (!is_known) {
    keys.fail("quantization_config", "expected quant_method \"compressed-tensors\" with format \"int-quantized\", ",
              "the only one supported, got ", shown(value));
  }
  return true;
}

// What compressed-tensors makes of is_int8_weight: linear layers whose input is rounded too, each row by its own
// scale, and a table.
json int8_config(const Family& family) {
  const auto eight_bits = [](const char* strategy, bool dynamic) {
    return json{{"num_bits", 8}, {"type", "int"}, {"symmetric", true}, {"strategy", strategy}, {"dynamic", dynamic}};
  };
  const json weights = eight_bits("channel", false);
  const json linear = {{"targets", {"Linear"}}, {"weights", weights}, {"input_activations", eight_bits("token", true)}};
  const json table = {{"targets", {family.weights.word_embeddings}}, {"weights", weights}, {"input_activations", {}}};
  return {{"quant_method", "compressed-tensors"},
          {"format", "int-quantized"},
          {"quantization_status", "compressed"},
          {"config_groups", {{"group_0", linear}, {"group_1", table}}},
          {"ignore", {family.weights.pooler, family.weights.classifier}}};
}

// "a", "b" or "c".
std::string choice(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    text += (i == 0 ? "" : i + 1 < names.size() ? ", " : " or ") + in_quotes(names[i]);
  }
  return text;
}

// The family of a file's model_type; BERT's files may lack it. The key stays for writing back.
const Family& family_of(const Keys& keys, const Config& defaults) {
  const json value = keys.peek("model_type");
  if (value.is_null()) return defaults.family();
  const Family* family = value.is_string() ? find_family(value.get<std::string>()) : nullptr;
  if (family != nullptr) return *family;
  std::vector<std::string> known;
  for (const Family* each : families()) known.emplace_back(each->model_type);
  keys.fail("model_type", "expected ", choice(known), known.size() == 1 ? ", the only one" : ", the ones",
            " supported, got ", shown(value));
}

// {"0": "negative", "1": "positive"}: the ids are the strings of 0 to n - 1.
std::vector<std::string> labels_of_id2label(const Keys& keys, const json& id2label) {
  if (id2label.empty()) keys.fail("id2label", "expected at least one label");
  std::vector<std::string> labels;
  for (std::size_t id = 0; id < id2label.size(); ++id) {
    const auto label = id2label.find(std::to_string(id));
    if (label == id2label.end() || !label->is_string()) {
      keys.fail("id2label", "expected a name for each id from 0 to ", id2label.size() - 1, ", got ", shown(id2label));
    }
    labels.push_back(label->get<std::string>());
  }
  return labels;
}

// {"negative": 0, "positive": 1}, the other way round.
std::vector<std::string> labels_of_label2id(const Keys& keys, const json& label2id) {
  std::vector<std::string> labels(label2id.size());
  std::vector<bool> named(label2id.size());
  for (const auto& [label, id] : label2id.items()) {
    const bool valid = id.is_number_unsigned() && id.get<std::uint64_t>() < labels.size();
    if (!valid || named[id.get<std::size_t>()]) {
      keys.fail("label2id", "expected each id from 0 to ", labels.size() - 1, " once, got ", shown(label2id));
    }
    labels[id.get<std::size_t>()] = label;
    named[id.get<std::size_t>()] = true;
  }
  return labels;
}

// What label2id says other than id2label, whose labels these are; empty if nothing.
std::string disagreement(const std::vector<std::string>& labels, const json& label2id) {
  for (const auto& [label, id] : label2id.items()) {
    const bool known = id.is_number_unsigned() && id.get<std::uint64_t>() < labels.size();
    if (!known || labels[id.get<std::size_t>()] != label) {
      return concat("label2id has ", in_quotes(label), " as ", shown(id), " and is passed over: id2label counts, ",
                    listed(labels));
    }
  }
  return "";
}

std::vector<std::string> take_labels(Keys& keys, std::vector<std::string>& notes) {
  const json id2label = keys.take("id2label");
  const json label2id = keys.take("label2id");
  if (!id2label.is_null() && !id2label.is_object()) keys.fail("id2label", "expected an object, got ", shown(id2label));
  if (id2label.is_null() && !label2id.is_null() && !label2id.is_object()) {
    keys.fail("label2id", "expected an object, got ", shown(label2id));
  }

  std::vector<std::string> labels;
  if (!id2label.is_null()) {
    labels = labels_of_id2label(keys, id2label);
    if (std::string text = disagreement(labels, label2id); !text.empty()) notes.push_back(keys.about(text));
  } else if (!label2id.is_null()) {
    labels = labels_of_label2id(keys, label2id);
  }
  const std::int64_t count = keys.integer("num_labels", labels.empty() ? 2 : std::ssize(labels));
  if (labels.empty()) {
    if (count < 1 || count > kMaxLabels) keys.fail("num_labels", "expected 1 to ", kMaxLabels, ", got ", count);
    for (std::int64_t id = 0; id < count; ++id) labels.push_back(concat("LABEL_", id));
  }
  if (count != std::ssize(labels)) {
    keys.fail("num_labels", count, " contradicts the ", labels.size(), " labels of id2label and label2id");
  }
  return labels;
}

// The value that a key names, if it is there: one that people choose, or `unchosen`.
template <class Enum>
std::optional<Enum> take_named(Keys& keys, const char* key, std::optional<Choice<Enum>> unchosen = {}) {
  const auto text = keys.text(key);
  if (!text) return std::nullopt;
  if (unchosen && *text == unchosen->name) return unchosen->value;
  if (const std::optional<Enum> value = find_choice<Enum>(*text)) return value;
  std::vector<std::string> names = choice_names<Enum>();
  if (unchosen) names.emplace_back(unchosen->name);
  keys.fail(key, "expected ", choice(names), ", got ", in_quotes(*text));
}

void take_skimming(Keys& keys, Config& config, std::optional<PredictorShape> predictor) {
  constexpr SkimGate kPublished = SkimGate::kLayer;
  if (const auto gate =
          take_named<SkimGate>(keys, "skim_gate", Choice<SkimGate>{SkimGate::kNone, name(SkimGate::kNone)})) {
    config.skim_gate = *gate;
  } else if (predictor) {
    if (predictor->outputs != traits(kPublished).outputs) {
      keys.fail("skim_gate", "missing, and the checkpoint's predictors have ", predictor->outputs,
                " outputs where the published gate has ", traits(kPublished).outputs);
    }
    config.skim_gate = kPublished;
  }
  if (const auto attention = take_named<SkimAttention>(keys, "skim_attention")) {
    config.skim_attention = *attention;
  }
  if (const auto cls = take_named<SkimCls>(keys, "skim_cls")) config.skim_cls = *cls;
  config.skim_threshold = keys.number("skim_threshold").value_or(0);
  for (const auto& [speedup, threshold] : keys.number_pairs("skim_speedups")) {
    config.skim_speedups.push_back({.speedup = speedup, .threshold = threshold});
  }
  const std::int64_t width = predictor ? predictor->width : std::max<std::int64_t>(config.hidden_size / 4, 1);
  config.skim_width = keys.integer("skim_width", config.skim_gate == SkimGate::kNone ? 0 : width);
}

template <class T>
void check_range(std::string_view source, const char* key, T value, T least, T most) {
  TK_CHECK(value >= least && value <= most, source, ": ", key, ": expected ", least, " to ", most, ", got ", value);
}

Config config_of(const Family& family, const Preset& preset) {
  Config config;
  config.model_type = family.model_type;
  config.num_hidden_layers = preset.layers;
  config.hidden_size = preset.hidden;
  config.num_attention_heads = preset.heads;
  config.intermediate_size = 4 * preset.hidden;
  return config;
}

}  // namespace

const Family& Config::family() const {
  const Family* family = find_family(model_type);
  TK_CHECK(family != nullptr, "config: no family of models has the model_type ", in_quotes(model_type));
  return *family;
}

HeadKind Config::head() const {
  return std::ranges::count(architectures, family().architectures.token) > 0 ? HeadKind::kToken : HeadKind::kSequence;
}

void Config::set_head(HeadKind kind) {
  const Architectures& classes = family().architectures;
  architectures = {kind == HeadKind::kToken ? classes.token : classes.sequence};
}

std::int64_t parameter_count(const Config& c) {
  const std::int64_t d = c.hidden_size;
  const std::int64_t f = c.intermediate_size;
  const std::int64_t w = c.skim_width;
  const auto linear = [](std::int64_t in, std::int64_t out) { return in * out + out; };
  const std::int64_t norm = 2 * d;
  const std::int64_t embeddings = (c.vocab_size + c.max_position_embeddings + c.type_vocab_size) * d + norm;
  const std::int64_t layer = 4 * linear(d, d) + linear(d, f) + linear(f, d) + 2 * norm;
  const std::int64_t predictor = norm + linear(d, w) + 2 * w + linear(w, traits(c.skim_gate).outputs);
  const std::int64_t pooler = c.head() == HeadKind::kSequence ? linear(d, d) : 0;
  return embeddings + c.num_hidden_layers * layer + c.num_predictors() * predictor + pooler + linear(d, c.num_labels());
}

void validate(const Config& c, std::string_view source) {
  // Products of these bounds fit 64 bits, so that the count of the weights cannot overflow.
  constexpr std::int64_t kWide = 1 << 20;
  constexpr std::int64_t kLong = 1 << 30;
  check_range<std::int64_t>(source, "vocab_size", c.vocab_size, 1, kLong);
  check_range<std::int64_t>(source, "hidden_size", c.hidden_size, 1, kWide);
  check_range<std::int64_t>(source, "num_hidden_layers", c.num_hidden_layers, 1, Stream::kLayers);
  check_range<std::int64_t>(source, "num_attention_heads", c.num_attention_heads, 1, kWide);
  check_range<std::int64_t>(source, "intermediate_size", c.intermediate_size, 1, kWide);
  check_range<std::int64_t>(source, "max_position_embeddings", c.max_position_embeddings, 1, kLong);
  check_range<std::int64_t>(source, "type_vocab_size", c.type_vocab_size, 1, kWide);
  TK_CHECK(c.hidden_size % c.num_attention_heads == 0, source, ": num_attention_heads: ", c.num_attention_heads,
           " does not divide hidden_size ", c.hidden_size);
  check_range<std::int64_t>(source, "id2label", c.num_labels(), 1, kMaxLabels);
  if (c.skim_gate != SkimGate::kNone) check_range<std::int64_t>(source, "skim_width", c.skim_width, 1, kWide);
  TK_CHECK(c.skim_cls == SkimCls::kKept || traits(c.skim_gate).can_free_cls, source, ": skim_cls: expected ",
           in_quotes(name(SkimCls::kKept)), ", the only one with skim_gate ", in_quotes(name(c.skim_gate)), ", got ",
           in_quotes(name(c.skim_cls)));
  check_range(source, "skim_threshold", c.skim_threshold, -kLargestThreshold, kLargestThreshold);
  for (const SpeedThreshold& s : c.skim_speedups) {
    check_range(source, "skim_speedups", s.speedup, 1.0, 1e6);
    check_range(source, "skim_speedups", s.threshold, -kLargestThreshold, kLargestThreshold);
  }
  const auto rises = [](const SpeedThreshold& a, const SpeedThreshold& b) { return a.speedup < b.speedup; };
  TK_CHECK(std::ranges::adjacent_find(c.skim_speedups, std::not_fn(rises)) == c.skim_speedups.end(), source,
           ": skim_speedups: expected speed-ups in ascending order");

  constexpr double kBelowOne = 1 - 0x1p-53;
  check_range(source, "layer_norm_eps", c.layer_norm_eps, 1e-30, 1.0);
  check_range(source, "hidden_dropout_prob", c.hidden_dropout_prob, 0.0, kBelowOne);
  check_range(source, "attention_probs_dropout_prob", c.attention_probs_dropout_prob, 0.0, kBelowOne);
  check_range(source, "classifier_dropout", c.head_dropout(), 0.0, kBelowOne);
  check_range(source, "initializer_range", c.initializer_range, 0.0, 10.0);

  const std::int64_t parameters = parameter_count(c);
  TK_CHECK(parameters <= kMaxParameters, source, ": vocab_size, hidden_size and the other sizes ask for ", parameters,
           " weights, at most ", kMaxParameters, " are supported");
}

Config parse_config(std::string_view text, std::string_view source, std::optional<PredictorShape> predictor) {
  Keys keys(text, source);
  Config c;
  const Family& family = family_of(keys, c);
  c.model_type = family.model_type;
  for (const FixedKey& fixed : family.fixed) check_only(keys, fixed.key, json::parse(fixed.value));
  for (const SizeKey& size : family.sizes) {
    c.*size.member = size.required ? keys.required_integer(size.key) : keys.integer(size.key, c.*size.member);
  }
  for (const NumberKey& number : family.numbers) {
    c.*number.member = keys.number(number.key).value_or(c.*number.member);
  }
  c.hidden_act = take_named<Activation>(keys, family.activation).value_or(c.hidden_act);
  c.classifier_dropout = keys.number("classifier_dropout");
  c.labels = take_labels(keys, c.notes);
  c.problem_type = keys.text("problem_type");
  c.finetuning_task = keys.text("finetuning_task");
  c.architectures = keys.texts("architectures");
  // transformers 5 calls it dtype.
  const auto dtype = keys.text("dtype");
  const auto torch_dtype = keys.text("torch_dtype");
  c.torch_dtype = dtype.value_or(torch_dtype.value_or(c.torch_dtype));
  c.int8_weights = take_int8(keys);
  take_skimming(keys, c, predictor);
  c.other_keys = keys.rest();
  validate(c, source);
  // Indented and with both tables of labels it may have grown.
  TK_CHECK(to_json(c).size() <= kMaxFileBytes, source, ": too large to be written and read again");
  return c;
}

Config read_config(const std::filesystem::path& file, std::optional<PredictorShape> predictor) {
  return parse_config(read_file(file, kMaxFileBytes), file.string(), predictor);
}

std::string to_json(const Config& c) {
  json object = json::parse(c.other_keys);
  const Family& family = c.family();
  object["model_type"] = family.model_type;
  for (const SizeKey& size : family.sizes) object[size.key] = c.*size.member;
  for (const NumberKey& number : family.numbers) object[number.key] = c.*number.member;
  object[family.activation] = choice_name(c.hidden_act);
  object["classifier_dropout"] = c.classifier_dropout ? json(*c.classifier_dropout) : json();
  object["architectures"] = c.architectures;
  object["torch_dtype"] = c.torch_dtype;
  if (c.int8_weights) object["quantization_config"] = int8_config(family);
  if (c.problem_type) object["problem_type"] = *c.problem_type;
  if (c.finetuning_task) object["finetuning_task"] = *c.finetuning_task;
  object["id2label"] = json::object();
  object["label2id"] = json::object();
  for (std::size_t id = 0; id < c.labels.size(); ++id) {
    object["id2label"][std::to_string(id)] = c.labels[id];
    object["label2id"][c.labels[id]] = id;
  }
  if (c.skim_gate != SkimGate::kNone) {
    object["skim_gate"] = name(c.skim_gate);
    object["skim_attention"] = name(c.skim_attention);
    if (c.skim_cls != SkimCls::kKept) object["skim_cls"] = name(c.skim_cls);
    object["skim_width"] = c.skim_width;
    if (c.skim_threshold != 0) object["skim_threshold"] = c.skim_threshold;
    for (const SpeedThreshold& s : c.skim_speedups) object["skim_speedups"].push_back({s.speedup, s.threshold});
  }
  return object.dump(2) + '\n';
}

double skim_threshold_for(const Config& config, double speedup) {
  const std::vector<SpeedThreshold>& known = config.skim_speedups;
  TK_CHECK(!known.empty(), "the model was skimmed for one speed-up alone, if at all");
  TK_CHECK(speedup >= known.front().speedup && speedup <= known.back().speedup,
           "expected a speed-up that the model was skimmed for, ", known.front().speedup, " to ", known.back().speedup,
           ", got ", speedup);
  const auto above = std::ranges::lower_bound(known, speedup, {}, &SpeedThreshold::speedup);
  if (above->speedup == speedup) return above->threshold;
  const SpeedThreshold& below = *std::prev(above);
  return std::lerp(below.threshold, above->threshold, (speedup - below.speedup) / (above->speedup - below.speedup));
}

Config config_from_name_or_file(const std::string& name_or_file) {
  std::string known;
  for (const Family* family : families()) {
    for (const Preset& preset : family->presets) {
      if (name_or_file == preset.name) return config_of(*family, preset);
      known += (known.empty() ? "" : ", ") + std::string(preset.name);
    }
  }
  std::filesystem::path file = name_or_file;
  if (std::filesystem::is_directory(file)) file /= "config.json";
  TK_CHECK(std::filesystem::exists(file), in_quotes(name_or_file), ": neither a file nor one of ", known);
  return read_config(file);
}

std::string summary(const Config& c) {
  std::string text = concat(c.family().title, ": ", c.num_hidden_layers, " layers, hidden ", c.hidden_size, ", ",
                            c.num_attention_heads, " heads, feed-forward ", c.intermediate_size, ", vocabulary ",
                            c.vocab_size, ", positions ", c.max_position_embeddings, ", labels ", c.num_labels());
  if (c.finetuning_task) text += concat(", task ", printable(*c.finetuning_task));
  if (c.skim_gate == SkimGate::kNone) return text + ", no skimming";
  return text + concat(", skim gate ", name(c.skim_gate), " (width ", c.skim_width, ", attention ",
                       name(c.skim_attention), c.skim_cls == SkimCls::kFree ? ", [CLS] free" : "", ")");
}

}  // namespace tk
