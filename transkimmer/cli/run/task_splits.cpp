#include "transkimmer/cli/run/task_splits.h"

#include "tensor/error.h"
#include "transkimmer/cli/run/log.h"

namespace tk {
namespace {

const char* missing_part(Part part) {
  switch (part) {
    case Part::kTrain:
      return "training set";
    case Part::kDev:
      return "dev set; its test set is for predict";
    case Part::kTest:
      break;
  }
  return "test set";
}

}  // namespace

void tell(const std::vector<Note>& notes) {
  for (const Note& note : notes) note.is_warning ? log_warning(note.text) : log_info(note.text);
}

std::int64_t told_length(const TaskModel& model, std::int64_t asked) {
  const std::int64_t length = fitting_length(model, asked);
  if (length < asked) {
    warn("--max_seq_length: {} is more than the {} positions of {}; texts are cut there", asked, length,
         model.folder.string());
  }
  return length;
}

std::vector<Split> load_splits(const Reader& reader, Part part, const TaskModel& model, const LoadOptions& options) {
  std::vector<Split> splits = reader.read(part, options.limit);
  TK_CHECK(!splits.empty(), "--task_name: ", reader.task().name, " has no ", missing_part(part));
  for (Split& split : splits) split = prepared(std::move(split), model, options);
  return splits;
}

std::vector<Split> load_labelled(const Reader& reader, Part part, const TaskModel& model, const LoadOptions& options) {
  std::vector<Split> splits = load_splits(reader, part, model, options);
  for (const Split& split : splits) check_labelled(split);
  return splits;
}

Split prepared(Split split, const TaskModel& model, const LoadOptions& options) {
  if (options.notes && !split.note.empty()) warn("{}", split.note);
  tokenize(split, model.tokenizer, options.max_length);
  return split;
}

}  // namespace tk
