#include "transkimmer/cli/evaluation.h"

#include <chrono>
#include <map>
#include <optional>

#include "autograd/grad_mode.h"
#include "data/data_loader.h"
#include "nn/loss.h"
#include "tensor/ops/index.h"
#include "tensor/read_back.h"

namespace tk {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// The sum of the loss over the batch's examples that have a label.
double labelled_loss(const GlueTask& task, const Tensor& logits, const Tensor& labels) {
  const NoGrad no_grad;
  std::vector<std::int32_t> rows;
  const std::vector<double> values = labels.to(DType::kFloat64).to_vector<double>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] != -1) rows.push_back(static_cast<std::int32_t>(i));
  }
  if (rows.empty()) return 0;
  const Tensor index = from_values(rows);
  const Variable labelled(index_select(logits, index));
  const Tensor targets = index_select(labels, index);
  const Variable loss =
      task.regression() ? mse_loss(labelled, targets.reshape(labelled.shape())) : cross_entropy_loss(labelled, targets);
  return loss.item() * static_cast<double>(rows.size());
}

void add_rows(std::vector<LayerShares>& sums, const std::vector<LayerRows>& layers) {
  if (sums.empty()) sums.assign(layers.size(), {0, 0, 0});
  for (std::size_t i = 0; i < layers.size(); ++i) {
    sums[i].keys += layers[i].keys.count().item();
    sums[i].updated += layers[i].updated.count().item();
    sums[i].fed += layers[i].fed.count().item();
  }
}

// Rows of each layer from masks (paper attention is evaluated under masks): every row is computed, the ones count.
void add_masks(std::vector<LayerShares>& sums, const std::vector<LayerMasks>& masks, std::int64_t tokens,
               std::int64_t sentences) {
  if (sums.empty()) sums.assign(masks.size(), {0, 0, 0});
  const auto ones = [&](const Variable& mask, double otherwise) {
    if (!mask.defined()) return otherwise;
    double sum = 0;  // dummies follow the tokens
    for (const double x : mask.value().narrow(0, 0, tokens).to(DType::kFloat64).to_vector<double>()) sum += x;
    return sum;
  };
  for (std::size_t i = 0; i < masks.size(); ++i) {
    const bool last = i + 1 == masks.size();
    const double otherwise = static_cast<double>(last ? sentences : tokens);
    sums[i].keys += ones(masks[i].keys, static_cast<double>(tokens));
    sums[i].updated += ones(masks[i].updated, otherwise);
    sums[i].fed += ones(masks[i].fed, otherwise);
  }
}

// The layers with the offsets of their rows on the CPU: asked for all at once, and each once, since layers share them.
std::vector<LayerRows> counted_here(std::vector<LayerRows> layers) {
  std::map<const void*, ReadBack> copies;
  const auto for_each = [&](auto f) {
    for (LayerRows& layer : layers) {
      for (Packed* rows : {&layer.keys, &layer.updated, &layer.fed, &layer.predicted}) {
        if (rows->offsets.defined()) f(rows->offsets);
      }
    }
  };
  for_each([&](const Tensor& offsets) { copies.try_emplace(offsets.raw_data(), offsets); });
  for_each([&](Tensor& offsets) { offsets = copies.at(offsets.raw_data()).get(); });
  return layers;
}

}  // namespace

Evaluation evaluate(const BertClassifier& model, const GlueTask& task, std::span<const TokenizedExample> examples,
                    const EvaluationOptions& options) {
  const Config& config = model.config();
  std::optional<Inference> of_this_pass;
  if (options.inference == nullptr) of_this_pass.emplace(model, options.keep_shares);
  Inference& forward = options.inference != nullptr ? *options.inference : *of_this_pass;
  std::vector<std::int64_t> lengths;
  for (const TokenizedExample& example : examples) lengths.push_back(static_cast<std::int64_t>(example.ids.size()));
  const auto batches =
      epoch_batches(lengths, {.batch_size = options.batch_size, .order = BatchOrder::kLongestFirst}, 0);

  Evaluation result;
  result.logits = empty({static_cast<std::int64_t>(examples.size()), config.num_labels()});
  std::int64_t done = 0;
  std::int64_t labelled = 0;
  for (const TokenizedExample& example : examples) labelled += example.label != -1;
  for (const std::vector<std::int64_t>& indices : batches) {
    const Batch batch = make_batch(examples, indices, task.regression());
    const auto start = std::chrono::steady_clock::now();
    const ClassifierOutput out = forward(batch);
    const Tensor logits = out.logits.value().to(Device::kCpu);
    result.seconds += seconds_since(start);
    for (std::size_t i = 0; i < indices.size(); ++i) {
      result.logits.select(0, indices[i]).copy_from(logits.select(0, static_cast<std::int64_t>(i)));
    }
    result.loss += labelled_loss(task, logits, batch.labels);
    result.tokens += batch.packed.tokens;
    const double dense = dense_macs(config, batch.packed);
    result.dense_macs += dense;
    if (out.encoder.layers.empty()) {
      add_masks(result.layers, out.encoder.masks, batch.packed.tokens, batch.packed.sentences);
      result.counted_macs += out.encoder.cost.item() * dense;
      result.executed_macs += dense;
    } else {
      const std::vector<LayerRows> layers = counted_here(out.encoder.layers);
      add_rows(result.layers, layers);
      result.counted_macs += counted_macs(config, layers);
      result.executed_macs += executed_macs(config, layers);
    }
    done += batch.packed.sentences;
    if (options.progress) options.progress(done, static_cast<std::int64_t>(examples.size()));
  }
  for (LayerShares& layer : result.layers) {
    for (double* share : {&layer.keys, &layer.updated, &layer.fed}) *share /= static_cast<double>(result.tokens);
  }
  if (labelled > 0) result.loss /= static_cast<double>(labelled);
  result.padded_macs = dense_macs(config, options.padded_length) * static_cast<double>(examples.size());
  return result;
}

}  // namespace tk
