#include "transkimmer/cli/run/speed.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "transkimmer/cli/run/batch_flags.h"
#include "transkimmer/cli/run/manifest.h"
#include "transkimmer/cli/run/signals.h"
#include "transkimmer/training/inference.h"
#include "transkimmer/training/task_model.h"

namespace tk {

std::vector<TokenizedExample> of_length(std::vector<TokenizedExample> examples, std::int64_t length,
                                        std::int32_t padding_id) {
  for (TokenizedExample& example : examples) {
    example.ids.resize(static_cast<std::size_t>(length), padding_id);
    example.token_types.resize(static_cast<std::size_t>(length), 0);
    if (!example.token_labels.empty()) example.token_labels.resize(static_cast<std::size_t>(length), -1);
  }
  return examples;
}

double Timing::median() const {
  std::vector<double> sorted = seconds;
  std::ranges::sort(sorted);
  const std::size_t middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

int warm_up_passes(Device device) { return Capture::is_possible(device) ? 2 : 1; }

double Timing::least() const { return std::ranges::min(seconds); }

double Timing::most() const { return std::ranges::max(seconds); }

std::vector<TokenizedExample> evenly_taken(const std::vector<TokenizedExample>& examples, std::int64_t count) {
  const auto n = static_cast<std::int64_t>(examples.size());
  if (n <= count) return examples;
  std::vector<TokenizedExample> taken;
  for (std::int64_t i = 0; i < count; ++i) taken.push_back(examples[static_cast<std::size_t>(i * n / count)]);
  return taken;
}

SpeedComparison compare_speed(const BertClassifier& model, const Task& task, const Split& split,
                              std::int32_t padding_id, const SpeedOptions& options) {
  constexpr std::int64_t kPaddedSentences = 64;
  const auto twin = dense_twin(model);
  const std::vector<TokenizedExample> sample = evenly_taken(split.tokenized, options.most_sentences);
  SpeedComparison result{.batch = options.batch};
  result.padded_length = std::min(task.padded_length, model.config().max_position_embeddings);
  const std::vector<TokenizedExample> padded_sample =
      of_length(evenly_taken(split.tokenized, std::min(kPaddedSentences, options.most_sentences)), result.padded_length,
                padding_id);
  result.sentences = static_cast<std::int64_t>(sample.size());
  result.padded_sentences = static_cast<std::int64_t>(padded_sample.size());

  const InferenceOptions passes{
      .queues = options.queues, .unrecorded = 1, .exact_transforms = options.exact_transforms};
  Inference forward(model, passes), dense_forward(*twin, passes);
  const auto seconds = [&](const BertClassifier& of, Inference& inference, const auto& examples) {
    return evaluate(
               of, task, examples,
               {.batch_size = options.batch.sentences, .max_tokens = options.batch.tokens, .inference = &inference})
        .seconds;
  };
  const int warm_up = warm_up_passes(model.device());
  Progress progress("time", options.repeats + warm_up, options.progress);
  for (int repeat = 0; repeat < options.repeats + warm_up; ++repeat) {
    const double model_seconds = seconds(model, forward, sample);
    const double dense_seconds = seconds(*twin, dense_forward, sample);
    const double padded_seconds = seconds(*twin, dense_forward, padded_sample);
    throw_if_stopped();
    progress.update(repeat + 1);
    if (repeat < warm_up) continue;
    result.model.seconds.push_back(model_seconds);
    result.dense.seconds.push_back(dense_seconds);
    result.padded.seconds.push_back(padded_seconds);
  }
  return result;
}

std::string speed_text(const Evaluation& e, const SpeedComparison& s) {
  std::string text = fmt::format("speed-up over a dense BERT{:24}  padded  unpadded\n", "");
  text += fmt::format("  multiply-accumulates (padded to {} tokens) {:>9.2f}x {:>8.2f}x\n", s.padded_length,
                      e.padded_macs / e.counted_macs, e.dense_macs / e.counted_macs);
  text += fmt::format("  multiply-accumulates executed {:>22.2f}x {:>8.2f}x\n", e.padded_macs / e.executed_macs,
                      e.dense_macs / e.executed_macs);
  text += fmt::format("  measured time, batch {}, {} sentences {:>14.2f}x {:>8.2f}x\n", text_of(s.batch), s.sentences,
                      s.time_padded(), s.time_unpadded());
  return text;
}

nlohmann::json speed_results(const SpeedComparison& s) {
  return {{"eval_sentences_per_second", rounded(s.per_second(), 3)},
          {"eval_dense_sentences_per_second", rounded(s.dense_per_second(), 3)},
          {"eval_padded_sentences_per_second", rounded(s.padded_per_second(), 3)},
          {"eval_padded_length", s.padded_length},
          {"eval_time_speedup_unpadded", rounded(s.time_unpadded(), 4)},
          {"eval_time_speedup_padded", rounded(s.time_padded(), 4)}};
}

}  // namespace tk
