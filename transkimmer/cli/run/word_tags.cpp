#include "transkimmer/cli/run/word_tags.h"

namespace tk {

std::vector<WordTag> word_tags(const TaskModel& model, const Example& example, std::int64_t max_length,
                               std::span<const double> classes) {
  const std::vector<std::string_view> words = words_of(example);
  const std::vector<std::int64_t> starts = word_starts(model.tokenizer, example, max_length);
  std::vector<WordTag> tags;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const double value = starts[i] < 0 ? -1 : classes[static_cast<std::size_t>(starts[i])];
    tags.push_back({words[i], value < 0 ? nullptr : &model.task.labels[static_cast<std::size_t>(value)]});
  }
  return tags;
}

}  // namespace tk
