#include "transkimmer/training/recipe.h"

#include "data/glue_task.h"
#include "tests/support/catch.h"

namespace tk {
namespace {

TEST_CASE("recipe: every task of GLUE has one, with new pairs only of pairs and no start from itself") {
  for (const GlueTask& glue : glue_tasks()) {
    const Recipe recipe = recipe_for(glue.task);
    INFO(glue.task.name);
    CHECK(recipe.epochs > 0);
    CHECK(recipe.steps > 0);
    if (glue.task.texts == 1) CHECK(recipe.pairs == 0);
    if (!recipe.start_task.empty()) CHECK(find_glue_task(recipe.start_task).task.name != glue.task.name);
  }
  CHECK(recipe_for(find_glue_task("rte").task).start_task == "mnli");
}

TEST_CASE("recipe: a task that is not known gets what its number of texts allows") {
  CHECK(recipe_for({.name = "own", .texts = 1}).pairs == 0);
  CHECK(recipe_for({.name = "own", .texts = 2}).pairs == 1);
}

TEST_CASE("recipe: a dense model for few rows of one's own is trained for enough steps, one of GLUE by its epochs") {
  const auto least = [](const Task& task) { return dense_options(recipe_for(task), -1, 1).least_steps; };
  CHECK(least({.name = "own"}) == kLeastOwnSteps);
  CHECK(least(find_glue_task("rte").task) == 0);
}

}  // namespace
}  // namespace tk
