#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nn/init.h"
#include "tensor/activation.h"
#include "tensor/choices.h"
#include "transkimmer/skim/gate.h"

namespace tk {

struct Family;

/// What a model answers for: each sentence, or each of its tokens.
enum class HeadKind : std::uint8_t { kSequence, kToken };

/// An activation's names in transformers, the first of each for writing. Its GELU by tanh exists under three.
inline constexpr Choice<Activation> kActivations[] = {
    {Activation::kGelu, "gelu"},          {Activation::kGelu, "gelu_python"},
    {Activation::kGeluTanh, "gelu_new"},  {Activation::kGeluTanh, "gelu_pytorch_tanh"},
    {Activation::kGeluTanh, "gelu_fast"}, {Activation::kRelu, "relu"},
    {Activation::kSilu, "silu"},          {Activation::kSilu, "swish"}};
inline Choices<Activation> choices(Activation) { return kActivations; }

/// A threshold of the gates, and how many times fewer multiply-accumulates than dense the model has by it.
struct SpeedThreshold {
  double speedup = 1;  ///< convention 2
  double threshold = 0;
};

/// The shape of a model with a head and its skim predictors. Members have the names of Hugging Face's `config.json`;
/// defaults are those of bert-base-uncased. Only absolute positions exist.
struct Config {
  std::string model_type = "bert";  ///< of one of families()
  std::int64_t vocab_size = 30522;
  std::int64_t hidden_size = 768;
  std::int64_t num_hidden_layers = 12;
  std::int64_t num_attention_heads = 12;
  std::int64_t intermediate_size = 3072;
  Activation hidden_act = Activation::kGelu;  ///< of the feed-forward network; predictors have GELU
  std::int64_t max_position_embeddings = 512;
  std::int64_t type_vocab_size = 2;
  double layer_norm_eps = 1e-12;
  double hidden_dropout_prob = 0.1;
  double attention_probs_dropout_prob = 0.1;
  std::optional<double> classifier_dropout;  ///< hidden_dropout_prob where unset
  double initializer_range = 0.02;           ///< standard deviation of new weights

  std::vector<std::string> labels = {"LABEL_0", "LABEL_1"};  ///< name of each class: id2label
  std::optional<std::string> problem_type;     ///< regression, single_label_classification, multi_label_classification
  std::optional<std::string> finetuning_task;  ///< the task's name (data/task.h): "sst2"
  std::vector<std::string> architectures;      ///< classes of transformers, which name the head; none: a sequence's
  std::string torch_dtype = "float32";         ///< what the weights' file holds, beside int8
  bool int8_weights = false;                   ///< quantization_config, as compressed-tensors reads it

  SkimGate skim_gate = SkimGate::kNone;
  SkimAttention skim_attention = SkimAttention::kExact;
  SkimCls skim_cls = SkimCls::kKept;
  std::int64_t skim_width = 0;                     ///< hidden width of the predictors; unused without a gate
  double skim_threshold = 0;                       ///< evaluation passes a gate where z is above it
  std::vector<SpeedThreshold> skim_speedups = {};  ///< of a model for several speed-ups, in ascending order

  /// What a file that was read contradicts itself in, a line each, with what counts. Not written.
  std::vector<std::string> notes = {};
  std::string other_keys = "{}";  ///< JSON object of the file's other keys, which writing puts back

  std::int64_t num_labels() const { return static_cast<std::int64_t>(labels.size()); }
  std::int64_t head_size() const { return hidden_size / num_attention_heads; }
  double head_dropout() const { return classifier_dropout.value_or(hidden_dropout_prob); }
  /// Layers that have a predictor.
  std::int64_t num_predictors() const { return traits(skim_gate).predictors(num_hidden_layers); }

  /// Throws for a model_type that is not known.
  const Family& family() const;
  HeadKind head() const;
  /// Names the family's class for such a head, and no other.
  void set_head(HeadKind kind);
};

/// How weights of is_int8_weight (transkimmer/families/family.h) are held in a new model.
inline Init weight_init(const Config& config) { return config.int8_weights ? Init::kInt8Zeros : Init::kZeros; }

/// The number of weights of such a model, head and predictors included.
std::int64_t parameter_count(const Config& config);

/// Throws tk::Error "<source>: <key>: ..." when a size is out of range, two contradict each other, or the model would
/// have more than 10^10 weights.
void validate(const Config& config, std::string_view source);

/// The shape of a checkpoint's first skim predictor: what a published `config.json` leaves unsaid.
struct PredictorShape {
  std::int64_t width = 0;
  std::int64_t outputs = 0;
};

/// The threshold for a speed-up, linear between the nearest of the model's skim_speedups. Throws tk::Error for one that
/// does not lie between the least and the most of them, and where there are none.
double skim_threshold_for(const Config& config, double speedup);

/// Reads and validates the text of a `config.json`. Where label2id disagrees with id2label, that counts, as in
/// transformers, and a note says so. Where it names no skim_gate, a predictor with two outputs means the
/// published gate; where it names no skim_width, that is the predictor's, else hidden_size / 4. Errors start with
/// `source` and the key at fault.
Config parse_config(std::string_view json, std::string_view source, std::optional<PredictorShape> predictor = {});
Config read_config(const std::filesystem::path& file, std::optional<PredictorShape> predictor = {});

/// The text of a `config.json` that Hugging Face reads too: sorted keys, indent 2.
std::string to_json(const Config& config);

/// A preset of a family, such as "bert-base", else the `config.json` at that path (or in that folder).
Config config_from_name_or_file(const std::string& name_or_file);

/// One line for people: "6 layers, hidden 384, 12 heads, ...".
std::string summary(const Config& config);

}  // namespace tk
