#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "data/example.h"
#include "data/glue_task.h"
#include "data/tokenizer.h"

namespace tk {

/// A split as text and as tokens, in the same order.
struct TaskSplit {
  std::filesystem::path path;
  std::string suffix;  ///< what Hugging Face puts behind its metrics' names: "_mm" for MNLI's mismatched dev set
  std::vector<Example> examples;
  std::vector<TokenizedExample> tokenized;

  std::int64_t size() const { return static_cast<std::int64_t>(examples.size()); }
};

struct LoadOptions {
  std::int64_t max_length = 128;  ///< tokens of an example at most
  std::int64_t limit = -1;        ///< examples at most; all when negative
  bool official = true;           ///< to say on standard error when the file is not the complete official one
};

/// Reads and tokenises a split. Throws as read_examples does.
TaskSplit load_split(const GlueTask& task, const SplitInfo& split, const std::filesystem::path& data_dir,
                     const Tokenizer& tokenizer, const LoadOptions& options);

/// The task's dev sets, two for MNLI, every example labelled; throws for a task without one.
std::vector<TaskSplit> load_dev(const GlueTask& task, const std::filesystem::path& data_dir, const Tokenizer& tokenizer,
                                const LoadOptions& options);

/// Throws when an example has no label.
void check_labelled(const TaskSplit& split);

}  // namespace tk
