#pragma once

#include <cstdint>
#include <vector>

#include "data/reader.h"
#include "transkimmer/training/task_model.h"

namespace tk {

struct LoadOptions {
  std::int64_t max_length = 128;  ///< tokens of an example at most, and as many as the model has positions
  std::int64_t limit = -1;        ///< examples at most; all when negative
  bool notes = true;              ///< to say on standard error what the reader noted of a file
};

/// Says notes on standard error.
void tell(const std::vector<Note>& notes);

/// `asked`, or the model's positions if that is less, which is said on standard error.
std::int64_t told_length(const TaskModel& model, std::int64_t asked);

/// Reads a part and tokenises it for the model. Throws as the reader does, and where there is no such part.
std::vector<Split> load_splits(const Reader& reader, Part part, const TaskModel& model, const LoadOptions& options);
/// The same, every example labelled: a part to train on or to score.
std::vector<Split> load_labelled(const Reader& reader, Part part, const TaskModel& model, const LoadOptions& options);
/// Says what the reader noted, and tokenises.
Split prepared(Split split, const TaskModel& model, const LoadOptions& options);

}  // namespace tk
