#include "transkimmer/cli/commands/skim_flags.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "data/glue_task.h"
#include "tensor/error.h"

namespace tk {

void add_skim_flags(Flags& flags, SkimFlags& skim) {
  flags.group("Skimming");
  flags.add("--skim_gate", skim.settings.gate,
            "what a token loses: in stages, or all at once as published (default staged)");
  flags.add("--skim_width", skim.settings.width, "hidden width of the predictors; 0: a twelfth of the model's")
      .at_least(0);
  flags.add("--skim_cls", skim.settings.cls,
            "whether [CLS], which stays a key, keeps its update and feed-forward (default free with the staged gate)");
  flags.add("--max_steps", skim.steps, "steps (default: 3000 to 20000, by the task)").at_least(1);
  flags.add("--per_device_train_batch_size", skim.trainer.batch_size, "sentences of a step").at_least(1);
  flags.add("--learning_rate", skim.trainer.learning_rate, "peak of AdamW's learning rate").at_least(0);
  flags.add("--skim_learning_rate", skim.trainer.skim_learning_rate, "peak learning rate of the predictors")
      .at_least(0);
  flags
      .add("--ema_decay", skim.trainer.ema_decay,
           "the result is the moving average of the weights with that decay (0.999), which grows to it in the first "
           "steps (default: the weights of the last step)")
      .range(0, 0.9999999);
  flags.add("--dropout", skim.dropout, "of hidden states, attention and classifier").range(0, 0.999999);
  flags.add("--distill_weight", skim.trainer.distill_weight, "of the teacher's loss; the task's has the rest")
      .range(0.01, 1);
  flags
      .add("--min_tokens", skim.least_tokens,
           "own rows with fewer are not learnt on (default: 14 for sst2, whose rows are phrases; else 0)")
      .at_least(0);
}

namespace {

std::optional<double> number_in(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !(value >= 1 && value <= 100)) return std::nullopt;
  return value;
}

}  // namespace

std::optional<std::vector<double>> parse_speedups(const std::string& text) {
  std::vector<double> speedups;
  if (const std::size_t dash = text.find('-'); dash != std::string::npos) {
    const std::optional<double> low = number_in(text.substr(0, dash)), high = number_in(text.substr(dash + 1));
    if (!low || !high || *low >= *high) return std::nullopt;
    speedups.push_back(*low);
    for (double between = std::floor(*low) + 1; between < *high; ++between) speedups.push_back(between);
    speedups.push_back(*high);
    return speedups;
  }
  for (const std::string& part : comma_separated(text)) {
    const std::optional<double> speedup = number_in(part);
    if (!speedup) return std::nullopt;
    speedups.push_back(*speedup);
  }
  std::ranges::sort(speedups);
  if (speedups.empty() || std::ranges::adjacent_find(speedups) != speedups.end()) return std::nullopt;
  return speedups;
}

SpeedupRange trained_speedups(const std::vector<double>& asked, SkimGate gate) {
  if (!traits(gate).serves_speedups) return {.all = {}, .chosen = asked.back()};
  if (asked.size() > 1) return {.all = asked, .chosen = asked.back()};
  const double speedup = asked.front();
  SpeedupRange range{.all = {std::max(1.0, speedup / 2)}, .chosen = speedup};
  if (speedup > range.all.front()) range.all.push_back(speedup);
  range.all.push_back(1.25 * speedup);
  return range;
}

std::string speedup_problem(const std::string& text) {
  return parse_speedups(text) ? "" : "expected numbers from 1 to 100 with commas between, or LOW-HIGH";
}

std::vector<std::string> skim_problems(const SkimFlags& skim) {
  const SkimGate gate = gate_of(skim);
  if (skim.settings.cls != SkimCls::kFree || traits(gate).can_free_cls) return {};
  return {concat("--skim_cls: gate ", name(gate), " has no free, only kept")};
}

std::string start_task_with_rows(const Recipe& recipe, const std::filesystem::path& data_dir) {
  if (recipe.start_task.empty()) return "";
  return has_file(find_glue_task(recipe.start_task), Part::kTrain, data_dir) ? recipe.start_task : "";
}

}  // namespace tk
