#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/example.h"
#include "transkimmer/training/task_model.h"

namespace tk {

struct WordTag {
  std::string_view word;  ///< of the example
  const std::string*
      tag;  ///< a label of the task; null for a word that gave no token, or for whose token none is known
};

/// What each word of an example is, in a task of tokens: by the class of each of its first `max_length` tokens, -1
/// where none is known.
std::vector<WordTag> word_tags(const TaskModel& model, const Example& example, std::int64_t max_length,
                               std::span<const double> classes);

}  // namespace tk
