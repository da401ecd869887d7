#pragma once

#include "data/list_ops.h"
#include "transkimmer/cli/run/study.h"

namespace tk {

struct ListOpsStudyOptions {
  std::int64_t samples = 4000;  ///< expressions to train on; a quarter of as many are held out
  std::int64_t max_depth = 2;
  std::int64_t max_length = 10;
  std::int64_t hidden = 64;
  std::int64_t batch_size = 32;
  std::int64_t steps = 1000;
  double learning_rate = 2e-3;
  double temperature = 1;
};

/// Generated ListOps (data/list_ops.h) by a tree LSTM whose tree is a choice of neighbours in each of its merges
/// (tree_lstm.h), which the estimators, of classes, teach: the share of held-out expressions whose value is right, with
/// the best-scored pair always merged, and their cross-entropy.
Study listops_study(const ListOpsStudyOptions& options);

}  // namespace tk
