#include "transkimmer/training/recipe.h"

#include <algorithm>
#include <iterator>

namespace tk {
namespace {

struct TaskRecipe {
  const char* task;
  Recipe recipe;
};

// Small sets of pairs start from MNLI, which teaches what their few rows cannot (RTE gains 7 points, STS-B and MRPC 2),
// and need more made-up rows; longer training costs them points, and gives the large sets one. MNLI teaches RTE's and
// MRPC's gates, too (at 4x they gain 3 points and 1), not STS-B's, which gain nothing. MNLI's own rows are enough for
// it. SST-2 is trained on phrases and asked about whole sentences. Entities are few in a set of sentences
// (WNUT-17's F1 on dev is 44 after 3 epochs, 57 after 10).
const TaskRecipe kRecipes[] = {
    {"cola", {.epochs = 5, .steps = 6000, .own_share = 0.5, .corrupt = 4}},
    {"sst2", {.steps = 20000, .least_tokens = 14}},
    {"mrpc", {.start_task = "mnli", .start_gates = true, .epochs = 6, .pairs = 4, .corrupt = 4}},
    {"stsb", {.start_task = "mnli", .epochs = 6, .steps = 6000, .pairs = 2, .corrupt = 2}},
    {"rte", {.start_task = "mnli", .start_gates = true, .epochs = 8, .pairs = 4, .corrupt = 4}},
    {"wnli", {.start_task = "mnli", .pairs = 4, .corrupt = 4}},
    {"qnli", {.epochs = 4, .steps = 20000, .own_share = 0.5, .pairs = 1}},
    {"qqp", {.steps = 20000, .own_share = 0.5, .pairs = 1}},
    {"mnli", {.steps = 20000, .reads_other_tasks = false, .corrupt = 0}},
};

}  // namespace

Recipe recipe_for(const Task& task) {
  const auto* known = std::ranges::find(kRecipes, task.name, [](const TaskRecipe& r) { return std::string(r.task); });
  return known != std::end(kRecipes) ? known->recipe
                                     : Recipe{.epochs = task.kind == TaskKind::kTokens ? 10.0 : 3.0,
                                              .least_steps = kLeastOwnSteps,
                                              .pairs = task.texts == 2 ? 1 : 0};
}

TrainerOptions dense_options(const Recipe& recipe, std::int64_t steps, std::uint64_t seed) {
  return {.epochs = recipe.epochs, .max_steps = steps, .least_steps = recipe.least_steps, .seed = seed, .warmup = 0.06};
}

}  // namespace tk
