#include "transkimmer/training/inference.h"

#include "autograd/grad_mode.h"
#include "tensor/backend.h"
#include "tensor/queue.h"

namespace tk {
namespace {

// Recording costs a few passes, and for a model that skims a few for each of the sizes that a layer may have, unless
// the device counts.
int passes_before_recording(const BertClassifier& model) {
  return model.config().skim_gate == SkimGate::kNone || model.counts_rows() ? 1 : 16;
}

// Another number when weights were written, or lie elsewhere.
std::uint64_t version_of(const BertClassifier& model) {
  std::uint64_t version = 0;
  for (const NamedParameter& named : model.parameters()) {
    const Tensor& value = named.parameter->value();
    version = 31 * version + value.version() + reinterpret_cast<std::uintptr_t>(value.raw_data());
  }
  return version;
}

}  // namespace

Inference::Inference(const BertClassifier& model, const InferenceOptions& options) : model_(model) {
  if (options.exact_transforms && EmbeddingTables::serve(model.config(), model.device(), model.compute_dtype())) {
    tables_ = std::make_unique<EmbeddingTables>();
  }
  const ForwardOptions forward{
      .keep_shares = options.keep_shares, .exact_transforms = options.exact_transforms, .tables = tables_.get()};
  const int unrecorded = options.unrecorded > 0 ? options.unrecorded : passes_before_recording(model);
  for (int queue = 0; queue < options.queues; ++queue) {
    passes_.emplace_back(model.device(), unrecorded,
                         [&model, forward](const Batch& batch) { return model(batch.tokens, Context(), forward); });
  }
}

void Inference::operator()(std::size_t turn, const Batch& batch,
                           const std::function<void(const ClassifierOutput&)>& read) {
  const NoGrad no_grad;
  const Device device = model_.device();
  const std::uint64_t version = version_of(model_);
  const bool is_first = version != version_;
  // What wrote the weights may still run in a queue.
  const auto wait_for_all = [&] {
    if (is_first && queues() > 1) synchronize(device);
  };
  if (is_first) {
    // A copy of a weight in another dtype is made when the host knows that the weight changed: a replay would not.
    for (Recorder<ClassifierOutput>& passes : passes_) passes.forget();
    if (tables_) tables_->forget();
    version_ = version;
  }
  wait_for_all();
  {
    const std::size_t index = turn % passes_.size();
    const UseQueue queue(device, {static_cast<int>(index), queues()});
    read(passes_[index](batch));
  }
  wait_for_all();  // now the copies of the weights, which all queues read
}

}  // namespace tk
