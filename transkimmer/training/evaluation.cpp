#include "transkimmer/training/evaluation.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <numeric>
#include <optional>
#include <utility>

#include "autograd/grad_mode.h"
#include "data/prefetch.h"
#include "nn/loss.h"
#include "tensor/error.h"
#include "tensor/ops/index.h"
#include "tensor/read_back.h"
#include "transkimmer/training/inference.h"

namespace tk {
namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// The sum of the loss over the batch's labels.
double labelled_loss(const Task& task, const Tensor& logits, const Tensor& labels) {
  const NoGrad no_grad;
  const bool of_several = task.kind == TaskKind::kMultiLabel;
  const Tensor classes = of_several ? logits_of_pairs(Variable(logits)).value() : logits;
  const Tensor flat = labels.reshape({labels.numel()});
  std::vector<std::int32_t> rows;
  const std::vector<double> values = labels.to(DType::kFloat64).to_vector<double>();
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (values[i] != -1) rows.push_back(static_cast<std::int32_t>(i));
  }
  if (rows.empty()) return 0;
  const Tensor index = from_values(rows);
  const Variable labelled(index_select(classes, index));
  const Tensor targets = index_select(flat, index);
  const Variable loss =
      task.regression() ? mse_loss(labelled, targets.reshape(labelled.shape())) : cross_entropy_loss(labelled, targets);
  return loss.item() * static_cast<double>(rows.size());
}

// A batch that the model was asked for: what is known of it, and what is on its way.
struct Asked {
  Batch batch;
  std::span<const std::int64_t> indices;
  RowSetTable sets;  // its tensors lie on the device, and may have been written over: `offsets` is of what they were
  bool masked;
  double table_macs;
  ReadBack logits;
  ReadBack offsets;

  Asked(Batch made, std::span<const std::int64_t> its, const ClassifierOutput& out)
      : batch(std::move(made)),
        indices(its),
        sets(out.encoder.sets),
        masked(out.encoder.masked),
        table_macs(out.table_macs),
        logits(out.logits.value()),
        offsets(out.encoder.sets.offsets) {}
};

double total(const std::vector<double>& rows) { return std::accumulate(rows.begin(), rows.end(), 0.0); }

void add_rows(std::vector<LayerShares>& sums, const std::vector<LayerRows>& layers) {
  if (sums.empty()) sums.assign(layers.size(), {0, 0, 0});
  for (std::size_t i = 0; i < layers.size(); ++i) {
    sums[i].keys += total(layers[i].keys);
    sums[i].updated += total(layers[i].updated);
    sums[i].fed += total(layers[i].fed);
  }
}

// What comes of weights or sums beyond the numbers of the dtype would be taken for an answer.
void check_finite(const Tensor& logits, const BertClassifier& model) {
  const std::vector<float> values = logits.to_vector<float>();
  TK_CHECK(std::ranges::all_of(values, [](float value) { return std::isfinite(value); }),
           "evaluate: the model's answers are not finite numbers: its weights are too large for ",
           model.compute_dtype());
}

// Waits for a batch's numbers and adds them.
void take(Evaluation& result, const Config& config, const Task& task, std::span<const std::int64_t> starts,
          Asked& pass) {
  const Tensor& logits = pass.logits.get();
  const std::int64_t labels = logits.size(1);
  const float* next = logits.data<float>();
  for (const std::int64_t i : pass.indices) {
    const std::int64_t n = (starts[i + 1] - starts[i]) * labels;
    std::copy_n(next, n, result.logits.data<float>() + starts[i] * labels);
    next += n;
  }
  result.loss += labelled_loss(task, logits, pass.batch.labels);
  const Packed& rows = pass.batch.tokens.rows;
  result.tokens += rows.tokens;
  const double dense = dense_macs(config, rows);
  const std::vector<LayerRows> layers =
      count_rows(pass.sets, rows, pass.offsets.defined() ? pass.offsets.get() : Tensor());
  add_rows(result.layers, layers);
  result.dense_macs += dense;
  result.counted_macs += counted_macs(config, layers, rows);
  result.executed_macs += pass.masked ? dense : executed_macs(config, layers, rows) + pass.table_macs;
}

}  // namespace

Evaluation evaluate(const BertClassifier& model, const Task& task, std::span<const TokenizedExample> examples,
                    const EvaluationOptions& options) {
  const Config& config = model.config();
  std::optional<Inference> of_this_pass;
  if (options.inference == nullptr) {
    of_this_pass.emplace(model,
                         InferenceOptions{.queues = options.queues, .exact_transforms = options.exact_transforms});
  }
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
  check_finite(result.logits, model);
  const auto labelled = std::ranges::count_if(labels_of(examples, task.kind), [](double label) { return label != -1; });
  for (LayerShares& layer : result.layers) {
    for (double* share : {&layer.keys, &layer.updated, &layer.fed}) *share /= static_cast<double>(result.tokens);
  }
  if (labelled > 0) result.loss /= static_cast<double>(labelled);
  result.padded_macs = dense_macs(config, task.padded_length) * static_cast<double>(examples.size());
  return result;
}

}  // namespace tk
