#pragma once

#include <cstdint>
#include <string>

#include "data/task.h"
#include "transkimmer/training/trainer_options.h"

namespace tk {

/// How a skimmed model comes to hold its scores, as far as that depends on the task (docs/program.md, "The recipe"):
/// found by trials with a MiniLM of six layers, on dev scores over seeds.
struct Recipe {
  std::string start_task = {};    ///< whose model the dense one starts from; empty: the checkpoint itself
  bool start_gates = false;       ///< that task teaches the gates, too: its skimmed model is where skimming starts
  double epochs = 3;              ///< of the dense model
  std::int64_t least_steps = 0;   ///< of the dense model: more epochs where these are fewer steps
  std::int64_t steps = 4000;      ///< of the skimmed one, from a dense one
  bool reads_other_tasks = true;  ///< texts of other tasks are learnt on, too
  double own_share = 0.25;        ///< of an epoch, beside texts, pairs and copies
  std::int64_t pairs = 0;         ///< new pairs for each own one: DistillText
  std::int64_t corrupt = 1;       ///< corrupted copies of each own row: DistillText
  std::int64_t least_tokens = 0;  ///< of own rows that the skimmed model learns on
};

/// Steps that a model for one's own rows is trained at least, where nothing else is said: of 400 rows of SST-2 three
/// passes (39 steps) teach a MiniLM nothing (dev accuracy 51), 150 steps make it 79, and 300 no more (78).
inline constexpr std::int64_t kLeastOwnSteps = 150;

/// The recipe for a task; for one that is not known, what serves most.
Recipe recipe_for(const Task& task);

/// How the recipe's dense model is trained, which is skimmed then and teaches; `steps` in place of the epochs where
/// positive.
TrainerOptions dense_options(const Recipe& recipe, std::int64_t steps, std::uint64_t seed);

}  // namespace tk
