#include "transkimmer/cli/run/speedups.h"

#include <fmt/format.h>

#include <utility>

#include "transkimmer/cli/run/log.h"

namespace tk {
namespace {

// What the rows of the last steps cost is not what others do. A budget that is not spent buys scores, too.
double fit_threshold(TaskModel& model, const Split& held_out, double mac_share, const EvaluationOptions& options) {
  const auto cost = [&] { return evaluate(*model.model, model.task, held_out.tokenized, options).mac_share(); };
  const double before = cost();
  fit_skim_threshold(*model.model, model.task, held_out, mac_share, options);
  const double now = cost();
  info("skim threshold {:.3f}: the held-out rows cost {:.1f} % of the dense model's MACs, now {:.1f} %",
       model.model->config().skim_threshold, 100 * before, 100 * now);
  return now;
}

void choose_speedup(BertClassifier& model, const SpeedupRange& speedups) {
  if (!speedups.all.empty()) model.set_skim_threshold(skim_threshold_for(model.config(), speedups.chosen));
}

}  // namespace

std::string speedup_text(double speedup) { return fmt::format("{:g}x", speedup); }

std::string speedup_suffix(double speedup) { return fmt::format("_{:g}x", speedup); }

HeldOutCosts keep_budget(TaskModel& model, const Split& held_out, const TrainerOptions& trainer,
                         const SpeedupRange& speedups, const EvaluationOptions& options) {
  const bool fits = held_out.size() > 0;
  HeldOutCosts costs;
  if (fits && speedups.all.empty()) costs.chosen = fit_threshold(model, held_out, trainer.skim_target.value(), options);
  std::vector<SpeedThreshold> thresholds;
  for (const double speedup : speedups.all) {
    model.model->set_skim_threshold(training_threshold(trainer, speedup));
    if (fits) costs.all.push_back(fit_threshold(model, held_out, 1 / speedup, options));
    if (fits && speedup == speedups.chosen) costs.chosen = costs.all.back();
    thresholds.push_back({.speedup = speedup, .threshold = model.model->config().skim_threshold});
  }
  model.model->set_skim_speedups(std::move(thresholds));
  choose_speedup(*model.model, speedups);
  return costs;
}

std::vector<std::vector<SplitScore>> scores_at_speedups(BertClassifier& model, const SpeedupRange& speedups,
                                                        const std::vector<SplitScore>& at_chosen,
                                                        const std::function<std::vector<SplitScore>()>& score) {
  std::vector<std::vector<SplitScore>> all;
  for (const double speedup : speedups.all) {
    model.set_skim_threshold(skim_threshold_for(model.config(), speedup));
    all.push_back(speedup == speedups.chosen ? at_chosen : score());
    for (SplitScore& of_split : all.back()) of_split.suffix += speedup_suffix(speedup);
  }
  choose_speedup(model, speedups);
  return all;
}

}  // namespace tk
