#pragma once

#include "transkimmer/cli/run/study.h"
#include "transkimmer/skim/gate.h"

namespace tk {

struct EnumerateStudyOptions {
  std::int64_t samples = 1024;  ///< gradients, of each layer
  SkimGate gate = SkimGate::kStaged;
  double temperature = 1;
  std::int64_t steps = 300;  ///< of training, before
  std::int64_t nodes = 12;   ///< gates that are enumerated, at most
};

/// The gates of a small skimming model that was trained on the toy corpus, a predictor at a time: with the gates of one
/// predictor as nodes and all others open, the exact gradient of the expected task loss in the predictor's scores is a
/// sum over all masks, and each estimator's gradients are held to it. A sentence a seed.
Study enumerate_study(const EnumerateStudyOptions& options);

}  // namespace tk
