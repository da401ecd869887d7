#pragma once

#include <cstdint>
#include <vector>

#include "data/example.h"
#include "transkimmer/training/task_model.h"

namespace tk {

/// Text without labels, on which a student learns its teacher's answers.
struct DistillText {
  std::vector<Example> texts = {};  ///< of other tasks and files: sentences or pairs, as the task's are
  std::int64_t samples = 80'000;    ///< of these at most, drawn so that their lengths are the task's
  std::int64_t pairs = 0;    ///< new pairs for each own one: see re_pair, words are tokens of two letters or more
  std::int64_t corrupt = 0;  ///< corrupted copies of each own row, and half of the other rows corrupted, too
  std::uint64_t seed = 42;   ///< names all that is drawn
};

/// What was made of it, in this order; rows are in the words of the model's tokenizer, without labels.
struct DistillRows {
  std::vector<TokenizedExample> rows = {};
  std::int64_t texts = 0;
  std::int64_t pairs = 0;
  std::int64_t copies = 0;
};

/// Rows to learn on beside the split's own, whose lengths and pairs they follow; ids are none of the split's. Texts
/// that are among the own rows, or came before, are left out. Throws where pairs are asked for in a task without any.
DistillRows distill_rows(const TaskModel& model, const Split& own, const DistillText& text, std::int64_t max_length);

}  // namespace tk
