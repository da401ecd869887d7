#include "transkimmer/cli/commands/convert.h"

#include <fmt/format.h>

#include <map>
#include <memory>
#include <vector>

#include "nn/parameter.h"
#include "tensor/error.h"
#include "tensor/io/in_quotes.h"
#include "tensor/ops/quantize.h"
#include "transkimmer/checkpoint.h"
#include "transkimmer/cli/run/evaluation_progress.h"
#include "transkimmer/cli/run/signals.h"
#include "transkimmer/cli/run/task_splits.h"
#include "transkimmer/families/family.h"
#include "transkimmer/training/scoring.h"
#include "transkimmer/training/task_model.h"
#include "transkimmer/weight_files.h"

namespace tk {
namespace fs = std::filesystem;

namespace {

FloatStorage of_floats(WeightStorage storage) {
  switch (storage) {
    case WeightStorage::kFloat16:
      return FloatStorage::kFloat16;
    case WeightStorage::kBFloat16:
      return FloatStorage::kBFloat16;
    default:
      return FloatStorage::kFloat32;
  }
}

// Where weights are int8 already, "X.weight_scale" has the scales of X.weight.
class Weights {
 public:
  Weights(const WeightFiles& file, const Family& family) {
    for (const SafetensorsEntry& entry : file.entries()) {
      throw_if_stopped();
      tensors_.push_back({family.published_name(entry.name), file.tensor(entry.name)});
    }
    for (const NamedTensor& weight : tensors_) {
      if (weight.tensor.dtype() == DType::kInt8) scales_[weight.name + kSuffix] = Tensor();
    }
    for (const NamedTensor& weight : tensors_) {
      if (const auto scale = scales_.find(weight.name); scale != scales_.end()) scale->second = weight.tensor;
    }
  }

  std::vector<NamedTensor> in_floats() const {
    std::vector<NamedTensor> weights;
    for (const auto& [name, tensor] : tensors_) {
      if (scales_.contains(name)) continue;
      const auto scale = scales_.find(name + kSuffix);
      weights.push_back({name, scale == scales_.end() ? tensor : dequantize_rows({tensor, scale->second})});
    }
    return weights;
  }

  std::vector<NamedTensor> in_int8(const Family& family) const {
    std::vector<NamedTensor> weights;
    for (const auto& [name, tensor] : tensors_) {
      if (!is_int8_weight(name, family) || !is_floating(tensor.dtype()) || tensor.rank() != 2) {
        weights.push_back({name, tensor});
        continue;
      }
      const QuantizedRows rows = quantized(name, tensor);
      weights.push_back({name, rows.values});
      weights.push_back({name + kSuffix, rows.scale});
    }
    return weights;
  }

 private:
  static inline const std::string kSuffix{kScaleSuffix};

  static QuantizedRows quantized(const std::string& name, const Tensor& weight) {
    try {
      return quantize_rows(weight.to(DType::kFloat32));
    } catch (const Error& error) {
      throw Error(concat("not written: the weight ", in_quotes(name), ": ", error.what()));
    }
  }

  std::vector<NamedTensor> tensors_;
  std::map<std::string, Tensor> scales_;  // of the int8 ones, by their own names; undefined where there are none
};

}  // namespace

void convert(const fs::path& in, const fs::path& out, WeightStorage storage) {
  const bool is_new = is_new_folder(out);
  const WeightFiles file = WeightFiles::open(in);
  const fs::path folder = fs::is_directory(in) ? in : fs::absolute(in).parent_path();
  const Config config = load_config(folder);
  const FolderTexts tokenizer = read_tokenizer_files(folder, config.family());
  if (!tokenizer.files.empty()) make_tokenizer(tokenizer, config.family());  // throws unless it is one
  const Weights weights(file, config.family());
  const auto save = is_new ? save_new_model_folder : save_model_folder;
  const bool is_int8 = storage == WeightStorage::kInt8;
  save(out, config, is_int8 ? weights.in_int8(config.family()) : weights.in_floats(), tokenizer, of_floats(storage));
}

std::string conversion_cost(const fs::path& in, const fs::path& out, TaskFlags task) {
  const fs::path before = fs::is_directory(in) ? in : fs::absolute(in).parent_path();
  task.model = before.string();
  const std::unique_ptr<Reader> reader = scoring_reader(task);
  const auto scores_of = [&](const fs::path& folder, bool notes) {
    const TaskModel model = load_for_scoring(folder, reader->task());
    if (notes) tell(model.notes);
    model.model->place(Device::kCpu);
    const LoadOptions loading{.max_length = told_length(model, task.max_seq_length), .notes = notes};
    return score_all(*model.model, reader->task(), load_labelled(*reader, scored_part(task), model, loading),
                     {.progress = evaluation_progress(ProgressMode::kAuto)});
  };
  const std::vector<SplitScore> scores = scores_of(before, true), converted = scores_of(out, false);
  std::string text = fmt::format("{:<32} {:>10} {:>10} {:>10}\n", "", "before", "after", "difference");
  for (std::size_t i = 0; i < scores.size(); ++i) {
    for (std::size_t j = 0; j < scores[i].metrics.size(); ++j) {
      const Metric &first = scores[i].metrics[j], &second = converted[i].metrics[j];
      text += fmt::format("{:<32} {:>10.4f} {:>10.4f} {:>+10.4f}\n", "eval_" + first.name + scores[i].suffix,
                          first.value, second.value, second.value - first.value);
    }
    const std::vector<double> answers = predictions_from_logits(reader->task(), scores[i].evaluation.logits);
    const std::vector<double> others = predictions_from_logits(reader->task(), converted[i].evaluation.logits);
    std::int64_t differing = 0;
    for (std::size_t k = 0; k < answers.size(); ++k) differing += answers[k] != others[k];
    if (!reader->task().regression()) text += fmt::format("{} of {} answers differ\n", differing, answers.size());
  }
  return text;
}

}  // namespace tk
