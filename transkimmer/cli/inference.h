#pragma once

#include <cstdint>
#include <vector>

#include "transkimmer/classifier.h"
#include "transkimmer/cli/recorder.h"

namespace tk {

/// The parts of a batch that the model reads.
Inputs model_inputs(const Batch& batch);

/// Forward passes of a model in evaluation. On a device that records, a bucket of batches that comes again and again is
/// recorded and replayed. The model must outlive it; weights that the host changes are noticed, its skim threshold is
/// not. keep_shares as in ForwardOptions.
class Inference {
 public:
  explicit Inference(const BertClassifier& model, const std::vector<double>* keep_shares = nullptr);
  /// `unrecorded`: how often a bucket comes before it is recorded.
  Inference(const BertClassifier& model, const std::vector<double>* keep_shares, int unrecorded);

  /// The batch lies on the CPU. What is returned is valid until the next call.
  ClassifierOutput operator()(const Batch& batch);

 private:
  const BertClassifier& model_;
  Recorder<ClassifierOutput> passes_;
  std::uint64_t version_ = 0;  // of the weights that were recorded with
};

}  // namespace tk
