#include "transkimmer/cli/run/task_data.h"

#include "tensor/error.h"
#include "transkimmer/cli/run/log.h"

namespace tk {
namespace {

bool is_mismatched(const SplitInfo& split) {
  return split.split == Split::kDevMismatched || split.split == Split::kTestMismatched;
}

}  // namespace

TaskSplit load_split(const GlueTask& task, const SplitInfo& split, const std::filesystem::path& data_dir,
                     const Tokenizer& tokenizer, const LoadOptions& options) {
  const SplitFile file = find_split_file(task, split, data_dir);
  SplitExamples read = read_examples(task, split, file, options.limit);
  const std::string note = incomplete_note(read);
  if (options.official && !note.empty()) warn("{}", note);
  TaskSplit result{.path = read.path,
                   .suffix = is_mismatched(split) ? "_mm" : "",
                   .examples = std::move(read.examples),
                   .tokenized = {}};
  TK_CHECK(!result.examples.empty(), file.path.string(), ": no examples are left");
  result.tokenized = tokenize_examples(tokenizer, result.examples, options.max_length);
  return result;
}

std::vector<TaskSplit> load_dev(const GlueTask& task, const std::filesystem::path& data_dir, const Tokenizer& tokenizer,
                                const LoadOptions& options) {
  std::vector<TaskSplit> splits;
  for (const SplitInfo& split : task.splits) {
    if (split.split != Split::kDev && split.split != Split::kDevMismatched) continue;
    splits.push_back(load_split(task, split, data_dir, tokenizer, options));
    check_labelled(splits.back());
  }
  TK_CHECK(!splits.empty(), "--task_name: ", task.name, " has no dev set; its test set is for predict");
  return splits;
}

void check_labelled(const TaskSplit& split) {
  for (const Example& example : split.examples) {
    TK_CHECK(example.label != -1, split.path.string(), ": row ", example.id, " has no label");
  }
}

}  // namespace tk
