#include "transkimmer/cli/inference.h"

#include "autograd/grad_mode.h"

namespace tk {
namespace {

// Recording costs a few passes, and for a model that skims a few for each of the sizes that a layer may have.
int passes_before_recording(const BertClassifier& model) {
  return model.config().skim_gate == SkimGate::kNone ? 1 : 16;
}

std::uint64_t version_of(const BertClassifier& model) {
  std::uint64_t version = 0;
  for (const NamedParameter& named : model.parameters()) version += named.parameter->value().version();
  return version;
}

}  // namespace

Inputs model_inputs(const Batch& batch) { return {batch.packed, batch.input_ids, batch.token_types}; }

Inference::Inference(const BertClassifier& model, const std::vector<double>* keep_shares)
    : Inference(model, keep_shares, passes_before_recording(model)) {}

Inference::Inference(const BertClassifier& model, const std::vector<double>* keep_shares, int unrecorded)
    : model_(model), passes_(model.device(), unrecorded, [&model, keep_shares](const StepInputs& in) {
        return model(model_inputs(in.batch), Context(), {.keep_shares = keep_shares});
      }) {}

ClassifierOutput Inference::operator()(const Batch& batch) {
  const NoGrad no_grad;
  // A copy of a weight in another dtype is made when the host knows that the weight changed: a replay would not.
  if (const std::uint64_t version = version_of(model_); version != version_) {
    passes_.forget();
    version_ = version;
  }
  return passes_({batch, {}});
}

}  // namespace tk
