#include "transkimmer/cli/run/best_score.h"

#include <nlohmann/json.hpp>

#include "tests/support/catch.h"

namespace tk {
namespace {

using nlohmann::json;

TEST_CASE("best score: without a metric the loss, and more is better unless the name says loss") {
  CHECK(BestModelOptions{}.key() == "eval_loss");
  CHECK_FALSE(BestModelOptions{}.greater_is_better());
  CHECK(BestModelOptions{.metric = "f1"}.key() == "eval_f1");
  CHECK(BestModelOptions{.metric = "eval_f1"}.key() == "eval_f1");
  CHECK(BestModelOptions{.metric = "f1"}.greater_is_better());
  CHECK_FALSE(BestModelOptions{.metric = "f1", .greater = false}.greater_is_better());
}

TEST_CASE("best score: the first of equal ones, and none that is not defined") {
  BestScore best({.metric = "f1"});
  CHECK_FALSE(best.note({{"step", 1}, {"eval_f1", json()}}));
  CHECK_FALSE(best.score());
  CHECK(best.note({{"step", 2}, {"eval_f1", 0.5}}));
  CHECK_FALSE(best.note({{"step", 3}, {"eval_f1", 0.5}}));
  CHECK_FALSE(best.note({{"step", 4}, {"eval_loss", 0.1}}));
  CHECK(best.note({{"step", 5}, {"eval_f1", 0.6}}));
  CHECK(best.score() == 0.6);
  CHECK(best.step() == 5);
  CHECK_FALSE(best.is_patience_over());
}

// As EarlyStoppingCallback counts: a score that is better by less than the threshold is the best one all the same.
TEST_CASE("best score: patience counts evaluations that were not better by more than the threshold") {
  BestScore best({.patience = 2, .threshold = 0.1});
  const auto over = [&](int step, double loss) {
    best.note({{"step", step}, {"eval_loss", loss}});
    return best.is_patience_over();
  };
  CHECK_FALSE(over(1, 1.0));
  CHECK_FALSE(over(2, 0.95));
  CHECK(best.step() == 2);
  CHECK_FALSE(over(3, 0.8));
  CHECK_FALSE(over(4, 0.9));
  CHECK(over(5, 0.75));
  CHECK(best.step() == 5);
}

}  // namespace
}  // namespace tk
