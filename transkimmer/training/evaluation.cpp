#include "transkimmer/training/evaluation.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <utility>

#include "autograd/grad_mode.h"
#include "data/prefetch.h"
#include "nn/loss.h"
#include "tensor/ops/index.h"
#include "tensor/read_back.h"

namespace tk {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// The sum of the loss over the batch's labels.
double labelled_loss(const Task& task, const Tensor& logits, const Tensor& labels) {
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

// Tensors on their way to the CPU, each asked for once, since layers share them.
class Copies {
 public:
  void ask(const Tensor& x) {
    if (x.defined() && !row_of_.contains(x.raw_data())) copies_.try_emplace(x.raw_data(), x);
  }
  // Every row of x, by one copy.
  void ask_rows(const Tensor& x) {
    if (!x.defined() || x.numel() == 0) return;
    for (std::int64_t i = 0; i < x.shape()[0]; ++i) row_of_.emplace(x.select(0, i).raw_data(), i);
    rows_ = ReadBack(x);
  }
  // Spares the copy of a tensor whose elements are here.
  void know(const Tensor& x, const Tensor& here) { copies_.try_emplace(x.raw_data(), here); }
  Tensor get(const Tensor& x) {
    const auto row = row_of_.find(x.raw_data());
    return row != row_of_.end() ? rows_.get().select(0, row->second) : copies_.at(x.raw_data()).get();
  }

 private:
  std::map<const void*, ReadBack> copies_;
  std::map<const void*, std::int64_t> row_of_;
  ReadBack rows_;
};

template <class F>
void for_each_offsets(std::vector<LayerRows>& layers, F f) {
  for (LayerRows& layer : layers) {
    for (Packed* rows : {&layer.keys, &layer.updated, &layer.fed, &layer.predicted}) {
      if (rows->offsets.defined()) f(rows->offsets);
    }
  }
}

// A batch that the model was asked for: what is known of it, and what is on its way.
struct Asked {
  Batch batch;
  std::span<const std::int64_t> indices;
  EncoderOutput encoder;  // lies on the device; it may have been written over, but `copies` are of what it was
  ReadBack logits;
  Copies copies;

  Asked(Batch made, std::span<const std::int64_t> its, const ClassifierOutput& out)
      : batch(std::move(made)), indices(its), encoder(out.encoder), logits(out.logits.value()) {
    if (encoder.layers.empty()) {
      copies.ask(encoder.cost.value());
      for (const LayerMasks& masks : encoder.masks) {
        for (const Variable* mask : {&masks.keys, &masks.updated, &masks.fed}) copies.ask(mask->value());
      }
      return;
    }
    // The host knows all rows and the first ones: of a dense model these are all there are.
    copies.know(encoder.layers.front().entering().offsets, batch.tokens.rows.offsets);
    copies.know(encoder.rows.offsets, arange(batch.tokens.rows.sentences + 1));
    copies.ask_rows(encoder.kept_offsets);
    for_each_offsets(encoder.layers, [&](const Tensor& offsets) { copies.ask(offsets); });
  }
};

void add_rows(std::vector<LayerShares>& sums, const std::vector<LayerRows>& layers) {
  if (sums.empty()) sums.assign(layers.size(), {0, 0, 0});
  for (std::size_t i = 0; i < layers.size(); ++i) {
    sums[i].keys += layers[i].keys.count().item();
    sums[i].updated += layers[i].updated.count().item();
    sums[i].fed += layers[i].fed.count().item();
  }
}

// Rows of each layer from masks (paper attention is evaluated under masks): every row is computed, the ones count.
void add_masks(std::vector<LayerShares>& sums, Asked& pass) {
  const std::vector<LayerMasks>& masks = pass.encoder.masks;
  const Packed& rows = pass.batch.tokens.rows;
  if (sums.empty()) sums.assign(masks.size(), {0, 0, 0});
  const auto ones = [&](const Variable& mask, std::int64_t otherwise) {
    if (!mask.defined()) return static_cast<double>(otherwise);
    double sum = 0;  // dummies follow the tokens
    for (const float x : pass.copies.get(mask.value()).narrow(0, 0, rows.tokens).to_vector<float>()) sum += x;
    return sum;
  };
  for (std::size_t i = 0; i < masks.size(); ++i) {
    const std::int64_t otherwise = i + 1 == masks.size() ? rows.sentences : rows.tokens;
    sums[i].keys += ones(masks[i].keys, rows.tokens);
    sums[i].updated += ones(masks[i].updated, otherwise);
    sums[i].fed += ones(masks[i].fed, otherwise);
  }
}

// Waits for a batch's numbers and adds them.
void take(Evaluation& result, const Config& config, const Task& task, std::span<const std::int64_t> starts,
          Asked& pass) {
  const Tensor& logits = pass.logits.get();
  std::int64_t row = 0;
  for (const std::int64_t i : pass.indices) {
    const std::int64_t rows = starts[i + 1] - starts[i];
    result.logits.narrow(0, starts[i], rows).copy_from(logits.narrow(0, row, rows));
    row += rows;
  }
  result.loss += labelled_loss(task, logits, pass.batch.labels);
  result.tokens += pass.batch.tokens.rows.tokens;
  const double dense = dense_macs(config, pass.batch.tokens.rows);
  result.dense_macs += dense;
  if (pass.encoder.layers.empty()) {
    add_masks(result.layers, pass);
    result.counted_macs += pass.copies.get(pass.encoder.cost.value()).item() * dense;
    result.executed_macs += dense;
  } else {
    std::vector<LayerRows> layers = pass.encoder.layers;
    for_each_offsets(layers, [&](Tensor& offsets) { offsets = pass.copies.get(offsets); });
    add_rows(result.layers, layers);
    result.counted_macs += counted_macs(config, layers);
    result.executed_macs += executed_macs(config, layers);
  }
}

}  // namespace

Evaluation evaluate(const BertClassifier& model, const Task& task, std::span<const TokenizedExample> examples,
                    const EvaluationOptions& options) {
  const Config& config = model.config();
  std::optional<Inference> of_this_pass;
  if (options.inference == nullptr) of_this_pass.emplace(model, InferenceOptions{.queues = options.queues});
  Inference& forward = options.inference != nullptr ? *options.inference : *of_this_pass;
  const auto batches = epoch_batches(
      lengths_of(examples),
      {.batch_size = options.batch_size, .max_tokens = options.max_tokens, .order = BatchOrder::kLongestFirst}, 0);
  const std::vector<std::int64_t> starts = label_starts(examples, task.kind);

  Evaluation result;
  result.batches = std::ssize(batches);
  result.logits = empty({starts.back(), config.num_labels()});
  const auto start = std::chrono::steady_clock::now();
  std::int64_t done = 0;
  std::deque<Asked> asked;
  const auto take_first = [&] {
    take(result, config, task, starts, asked.front());
    done += asked.front().batch.sentences();
    asked.pop_front();
    if (options.progress) options.progress(done, static_cast<std::int64_t>(examples.size()));
  };
  Prefetch<Batch> made(std::ssize(batches), model.device() != Device::kCpu, [&](std::int64_t i) {
    return make_batch(examples, batches[static_cast<std::size_t>(i)], task.kind);
  });
  for (std::size_t turn = 0; turn < batches.size(); ++turn) {
    // In each queue the device goes from one batch to the next without waiting for the host. The next may be the same
    // recorded pass, which writes over what the last one left: what is wanted of that was copied before, in its order.
    Batch batch = made.next();
    forward(turn, batch,
            [&](const ClassifierOutput& out) { asked.emplace_back(std::move(batch), batches[turn], out); });
    if (std::ssize(asked) == 2 * forward.queues()) take_first();
  }
  while (!asked.empty()) take_first();
  result.seconds = seconds_since(start);
  const auto labelled = std::ranges::count_if(labels_of(examples, task.kind), [](double label) { return label != -1; });
  for (LayerShares& layer : result.layers) {
    for (double* share : {&layer.keys, &layer.updated, &layer.fed}) *share /= static_cast<double>(result.tokens);
  }
  if (labelled > 0) result.loss /= static_cast<double>(labelled);
  result.padded_macs = dense_macs(config, task.padded_length) * static_cast<double>(examples.size());
  return result;
}

}  // namespace tk
