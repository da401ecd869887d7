#include "transkimmer/cli/run/run_checkpoint.h"

#include <algorithm>
#include <array>
#include <utility>

#include "tensor/error.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/in_quotes.h"
#include "tensor/io/json.h"
#include "tensor/io/problem_text.h"
#include "tensor/io/safetensors.h"
#include "transkimmer/checkpoint.h"
#include "transkimmer/cli/run/log.h"
#include "transkimmer/cli/run/options.h"
#include "transkimmer/cli/run/run_files.h"

namespace tk {
namespace fs = std::filesystem;

using nlohmann::json;

void load_checkpoint_weights(const fs::path& folder, const BertClassifier& model) {
  const std::vector<NamedTensor> weights = named_values(model.parameters());
  const LoadReport report = load_weights(folder, weights, model.config().family());
  TK_CHECK(report.missing.empty(), folder.string(), ": is no checkpoint of this run's model: it lacks ",
           in_quotes(report.missing.front()));
  for (const NamedTensor& weight : weights) weight.tensor.bump_version();
}

json starts_json(const TrainerStarts& starts, std::int64_t log_start) {
  return {
      {"data", starts.data}, {"metrics", log_start}, {"optimizer", starts.optimizer}, {"schedule", starts.schedule}};
}

Checkpoint load_checkpoint(const fs::path& folder, const BertClassifier& model) {
  load_checkpoint_weights(folder, model);
  const json state = read_json(folder / "trainer_state.json");
  const SafetensorsFile optimizer = SafetensorsFile::open(folder / "optimizer.safetensors");
  Checkpoint checkpoint;
  checkpoint.folder = folder;
  for (const SafetensorsEntry& entry : optimizer.entries()) {
    checkpoint.state.optimizer.push_back({entry.name, optimizer.tensor(entry)});
  }
  try {
    checkpoint.state.steps = state.at("global_step");
    checkpoint.log = state.at("log_history");
    checkpoint.log_window = state.at("log_window");
    checkpoint.loss_sum = state.at("loss_sum");
    checkpoint.tokens = state.at("num_input_tokens_seen");
    const json& starts = state.at("starts");
    checkpoint.log_start = starts.at("metrics");
    checkpoint.state.starts = {
        .optimizer = starts.at("optimizer"), .schedule = starts.at("schedule"), .data = starts.at("data")};
    if (state.contains("skim_budget")) {
      checkpoint.budget = state["skim_budget"].at("budget");
      checkpoint.state.skim_multipliers = {.widest = state["skim_budget"].at("multiplier"),
                                           .tightest = state["skim_budget"].value("tightest_multiplier", 0.0)};
    }
  } catch (const json::exception& error) {
    throw Error(concat((folder / "trainer_state.json").string(), ": ", problem_text(error)));
  }
  TK_CHECK(checkpoint.log.is_array(), (folder / "trainer_state.json").string(), ": log_history is no list");
  return checkpoint;
}

RunCheckpoints::RunCheckpoints(fs::path folder, fs::path final_folder)
    : folder_(std::move(folder)), final_folder_(std::move(final_folder)) {
  if (!folder_.empty()) all_ = checkpoints_in(folder_);
}

fs::path RunCheckpoints::path(std::int64_t step) const { return folder_ / concat("checkpoint-", step); }

fs::path RunCheckpoints::find(std::int64_t step) const {
  const fs::path here = path(step), there = source_ / here.filename();
  return !source_.empty() && !fs::exists(here) && fs::exists(there) ? there : here;
}

fs::path RunCheckpoints::final_name(std::int64_t step) const {
  const fs::path found = find(step);
  return found.parent_path() == folder_ ? final_folder_ / found.filename() : found;
}

void RunCheckpoints::drop_all_but(std::int64_t left, std::optional<std::int64_t> best) {
  const auto stays = [&](const fs::path& checkpoint) {
    return left > 0 && (checkpoint == all_.back() || (best && checkpoint == path(*best)));
  };
  while (std::ssize(all_) > left) {
    const auto oldest = std::ranges::find_if_not(all_, stays);
    if (oldest == all_.end()) break;
    try {
      remove_folder(*oldest);
    } catch (const Error& error) {
      warn("{}", error.what());
    }
    all_.erase(oldest);
  }
}

void reset(Checkpoint& checkpoint, const Resets& resets) {
  if (resets.optimizer) checkpoint.state.reset_optimizer();
  if (resets.schedule) checkpoint.state.reset_schedule();
  if (resets.data) checkpoint.state.reset_data();
  if (!resets.metrics) return;
  checkpoint.log = json::array();
  checkpoint.log_window = nullptr;
  checkpoint.log_start = checkpoint.state.steps;
  checkpoint.loss_sum = 0;
  checkpoint.tokens = 0;
}

namespace {

constexpr std::array<std::pair<const char*, bool Resets::*>, 4> kResets = {{{"optimizer", &Resets::optimizer},
                                                                            {"schedule", &Resets::schedule},
                                                                            {"data", &Resets::data},
                                                                            {"metrics", &Resets::metrics}}};

}  // namespace

Resets resets_of(const std::optional<std::string>& value) {
  Resets resets;
  for (const std::string& name : comma_separated(value.value_or(""))) {
    for (const auto& [part, member] : kResets) resets.*member |= name == part || name == "all";
  }
  return resets;
}

void add_reset_flag(Flags& flags, std::optional<std::string>& value) {
  flags
      .add("--reset", value,
           "with --resume_from_checkpoint DIR: what of it begins anew beside its weights, which are kept; optimizer "
           "(moments), schedule (learning rates and budget, over the steps that are left), data (the order of the "
           "rows), metrics (log and best model), or all (default: nothing)",
           "PARTS")
      .words()
      .check([](const std::string& text) -> std::string {
        const std::vector<std::string> names = comma_separated(text);
        const auto is_known = [](const std::string& name) {
          return name == "all" || std::ranges::any_of(kResets, [&](const auto& part) { return name == part.first; });
        };
        if (!names.empty() && std::ranges::all_of(names, is_known)) return "";
        return concat(
            "expected optimizer, schedule, data and metrics, or some of them with commas between, or all, got ",
            in_quotes(text));
      });
}

}  // namespace tk
