#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "transkimmer/classifier.h"
#include "transkimmer/embedding_tables.h"
#include "transkimmer/training/recorder.h"

namespace tk {

struct InferenceOptions {
  const std::vector<double>* keep_shares = nullptr;  ///< as in ForwardOptions
  int queues = 1;                                    ///< of the device, which passes take in turn
  int unrecorded = 0;            ///< how often a bucket comes to a queue before it is recorded; 0 chooses by the model
  bool exact_transforms = true;  ///< as in ForwardOptions
};

/// Forward passes of a model in evaluation. On a device that records, a bucket of batches that comes again and again is
/// recorded and replayed; in several queues passes run side by side. The model must outlive it; weights that the host
/// changes and its skim threshold are noticed.
class Inference {
 public:
  explicit Inference(const BertClassifier& model, const InferenceOptions& options = {});

  /// Memory that rows of the tables of exact transforms take.
  std::int64_t table_bytes() const { return tables_ ? tables_->bytes() : 0; }
  int queues() const { return static_cast<int>(passes_.size()); }
  /// Asks for a pass over the batch, which lies on the CPU, in the queue whose turn it is (turn modulo queues). There
  /// `read` may ask for what is wanted of its output, which the queue's next pass writes over.
  void operator()(std::size_t turn, const Batch& batch, const std::function<void(const ClassifierOutput&)>& read);

 private:
  const BertClassifier& model_;
  std::vector<Recorder<ClassifierOutput>> passes_;  // of each queue
  std::unique_ptr<EmbeddingTables> tables_;         // where they serve
  std::optional<std::uint64_t> version_;            // of the weights that were recorded with
};

}  // namespace tk
