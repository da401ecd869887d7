#pragma once

#include <vector>

#include "transkimmer/training/trainer.h"

namespace tk::test {

/// Trains a new model for 240 quick steps, to a budget of 0.7 where it skims: the last step's task loss over the
/// first's.
inline double loss_left(BertClassifier& model, const Task& task, const std::vector<TokenizedExample>& rows) {
  model.initialize(1);
  TrainerOptions options{.max_steps = 240, .learning_rate = 5e-3};
  if (model.config().skim_gate != SkimGate::kNone) {
    options.skim_target = 0.7;
    options.skim_learning_rate = 1e-2;
  }
  Trainer trainer(model, task, rows, options);
  const double first = trainer.step().task_loss;
  StepReport last;
  while (!trainer.finished()) last = trainer.step();
  return last.task_loss / first;
}

}  // namespace tk::test
