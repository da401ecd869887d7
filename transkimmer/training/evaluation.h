#pragma once

#include <functional>
#include <span>
#include <vector>

#include "data/data_loader.h"
#include "data/example.h"
#include "data/task.h"
#include "tensor/communicator.h"
#include "tensor/tensor.h"

namespace tk {

class BertClassifier;
class Inference;

/// Rows of one layer over a whole split, as shares of all tokens.
struct LayerShares {
  double keys = 1;
  double updated = 1;
  double fed = 1;
};

struct EvaluationOptions {
  std::int64_t batch_size = kBatchSize;  ///< sentences of a batch at most; 0: no bound
  std::int64_t max_tokens = 0;           ///< tokens of a batch at most; 0: no bound
  int queues = 1;                        ///< of the device, in which batches run side by side
  bool exact_transforms = true;          ///< as in ForwardOptions
  Communicator* ranks = &alone();        ///< who share the batches; all get the bits that one would
  Inference* inference =
      nullptr;  ///< whose recorded passes and queues are used, and options; null: those of this pass alone
  std::function<void(std::int64_t done, std::int64_t total)> progress = {};  ///< of this rank's sentences; may be empty
};

/// One pass over a split, longest sentences first, rows dropped for real. A device that works on its own is asked for
/// further batches before a batch's numbers are waited for.
struct Evaluation {
  Tensor logits;    ///< [examples, labels] in the order of the examples; in tasks of tokens [tokens, labels]
  double loss = 0;  ///< mean over labels; 0 when none has one
  std::vector<LayerShares> layers;
  double padded_macs = 0;    ///< a dense BERT on sentences padded to the task's padded_length
  double dense_macs = 0;     ///< a dense BERT on the sentences as they are
  double counted_macs = 0;   ///< this model in convention 2
  double executed_macs = 0;  ///< what was computed, by all ranks
  std::int64_t tokens = 0;
  std::int64_t batches = 0;
  double seconds = 0;  ///< from before the first batch is made until the last one's numbers are here

  double mac_share() const { return counted_macs / dense_macs; }
};
/// Throws where the model's answers are not finite numbers. All ranks call it with the same arguments.
Evaluation evaluate(const BertClassifier& model, const Task& task, std::span<const TokenizedExample> examples,
                    const EvaluationOptions& options = {});

}  // namespace tk
