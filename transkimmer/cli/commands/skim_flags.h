#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "transkimmer/cli/run/distill_flags.h"
#include "transkimmer/cli/run/options.h"
#include "transkimmer/training/recipe.h"
#include "transkimmer/training/task_model.h"

// What `skim` and `sweep` have in common.
namespace tk {

/// How a skimmed model learns from its dense one. What is not given is the recipe's.
struct SkimFlags {
  SkimSettings settings;
  std::optional<std::int64_t> steps;
  std::optional<std::int64_t> least_tokens;
  TrainerOptions trainer = {.learning_rate = 1e-4, .warmup = 0.06, .dropout = 0, .distill_weight = 0.9};
  double dropout = 0;
};
void add_skim_flags(Flags& flags, SkimFlags& skim);

/// What is wrong with them together, a line for each problem, with its flag.
std::vector<std::string> skim_problems(const SkimFlags& skim);

/// What the recipe does where flags of text without labels are silent.
inline const DistillDefaults kRecipeDistillDefaults = {.tasks = "all in --data_dir that suit the task; none for mnli",
                                                       .pairs = "4 to 0, by the task",
                                                       .corrupt = "4 to 0, by the task",
                                                       .own_share = "0.5 or 0.25, by the task"};

/// The task from whose model the recipe's dense one starts; empty where there is none, or no training rows of it.
std::string start_task_with_rows(const Recipe& recipe, const std::filesystem::path& data_dir);

}  // namespace tk
