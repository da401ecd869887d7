#include "transkimmer/cli/run/best_score.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace tk {

std::string BestModelOptions::key() const {
  const std::string name = metric.value_or("loss");
  return name.starts_with("eval_") ? name : "eval_" + name;
}

bool BestModelOptions::greater_is_better() const { return greater.value_or(!key().ends_with("loss")); }

bool BestScore::note(const nlohmann::json& row) {
  const auto found = row.find(options_.key());
  const bool is_defined = found != row.end() && found->is_number();
  const double score = is_defined ? found->get<double>() : 0;
  const bool is_better = is_defined && (!score_ || (options_.greater_is_better() ? score > *score_ : score < *score_));
  const bool counts = is_better && (!score_ || std::abs(score - *score_) > options_.threshold);
  waited_ = counts ? 0 : waited_ + 1;
  if (!is_better) return false;
  score_ = score;
  step_ = row.at("step").get<std::int64_t>();
  return true;
}

}  // namespace tk
