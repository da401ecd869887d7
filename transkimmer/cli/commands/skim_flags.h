#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "transkimmer/cli/run/distill_flags.h"
#include "transkimmer/cli/run/options.h"
#include "transkimmer/cli/run/speedups.h"
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
inline SkimGate gate_of(const SkimFlags& skim) { return skim.settings.gate.value_or(SkimGate::kStaged); }

/// The speed-ups that a model is skimmed for, ascending: "4", "2,3.2,5", or "2-5" for 2, 3, 4 and 5, each from 1 to
/// 100. Nothing where the text is none of these.
std::optional<std::vector<double>> parse_speedups(const std::string& text);
/// What one model with that gate is trained for where these are asked for: they themselves, or of one S all from S / 2
/// (at least 1) to 5 S / 4, and it is left with S, or with the most. None where the gate does not serve several.
SpeedupRange trained_speedups(const std::vector<double>& asked, SkimGate gate);
/// What is wrong with such a text, if anything.
std::string speedup_problem(const std::string& text);

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
