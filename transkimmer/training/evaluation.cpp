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

// What is summed over the batches: these, then three numbers of rows a layer.
enum Number : std::uint8_t { kLoss, kTokens, kDenseMacs, kCountedMacs, kExecutedMacs, kNumbers };

// What comes of weights or sums beyond the numbers of the dtype would be taken for an answer.
void check_finite(const Tensor& logits, const BertClassifier& model) {
  const std::vector<float> values = logits.to_vector<float>();
  TK_CHECK(std::ranges::all_of(values, [](float value) { return std::isfinite(value); }),
           "evaluate: the model's answers are not finite numbers: its weights are too large for ",
           model.compute_dtype());
}

// Waits for a batch's numbers, which go to `numbers`.
void take(Evaluation& result, const Config& config, const Task& task, std::span<const std::int64_t> starts, Asked& pass,
          double* numbers) {
  const Tensor& logits = pass.logits.get();
  const std::int64_t labels = logits.size(1);
  const float* next = logits.data<float>();
  for (const std::int64_t i : pass.indices) {
    const std::int64_t n = (starts[i + 1] - starts[i]) * labels;
    std::copy_n(next, n, result.logits.data<float>() + starts[i] * labels);
    next += n;
  }
  const Packed& rows = pass.batch.tokens.rows;
  const double dense = dense_macs(config, rows);
  const std::vector<LayerRows> layers =
      count_rows(pass.sets, rows, pass.offsets.defined() ? pass.offsets.get() : Tensor());
  numbers[kLoss] = labelled_loss(task, logits, pass.batch.labels);
  numbers[kTokens] = static_cast<double>(rows.tokens);
  numbers[kDenseMacs] = dense;
  numbers[kCountedMacs] = counted_macs(config, layers, rows);
  numbers[kExecutedMacs] = pass.masked ? dense : executed_macs(config, layers, rows) + pass.table_macs;
  double* of_layer = numbers + kNumbers;
  for (const LayerRows& layer : layers) {
    for (const std::vector<double>* set : {&layer.keys, &layer.updated, &layer.fed}) *of_layer++ = total(*set);
  }
}

// Rows [.., columns] of a matrix on the CPU, of which each rank has those that `order` names for it, for all ranks.
void gather_rows(Communicator& ranks, const Tensor& x, const std::vector<std::vector<std::int64_t>>& order) {
  if (ranks.size() == 1) return;
  std::vector<std::int64_t> all, bounds = {0};
  for (const std::vector<std::int64_t>& its : order) {
    all.insert(all.end(), its.begin(), its.end());
    bounds.push_back(std::ssize(all));
  }
  const Tensor index = from_values(all);
  const Tensor rows = index_select(x, index).to(ranks.device());  // those of others are to come
  ranks.all_gather(rows, bounds);
  ranks.milestone()();
  index_copy_to(x, index, rows.to(Device::kCpu));
}

// In the order of the batches, whoever had them.
void sum_numbers(Evaluation& result, const Tensor& numbers) {
  const std::int64_t layers = (numbers.size(1) - kNumbers) / 3;
  result.layers.assign(static_cast<std::size_t>(layers), {0, 0, 0});
  for (std::int64_t batch = 0; batch < numbers.size(0); ++batch) {
    const double* its = numbers.data<double>() + batch * numbers.size(1);
    result.loss += its[kLoss];
    result.tokens += static_cast<std::int64_t>(its[kTokens]);
    result.dense_macs += its[kDenseMacs];
    result.counted_macs += its[kCountedMacs];
    result.executed_macs += its[kExecutedMacs];
    const double* of_layer = its + kNumbers;
    for (LayerShares& layer : result.layers) {
      for (double* set : {&layer.keys, &layer.updated, &layer.fed}) *set += *of_layer++;
    }
  }
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

  // The longest come first, and the ranks take them in turn.
  const Communicator& ranks = *options.ranks;
  std::vector<std::vector<std::int64_t>> turns(static_cast<std::size_t>(ranks.size())), rows(turns.size());
  for (std::size_t i = 0; i < batches.size(); ++i) {
    const std::size_t rank = i % turns.size();
    turns[rank].push_back(static_cast<std::int64_t>(i));
    for (const std::int64_t example : batches[i]) {
      for (std::int64_t row = starts[example]; row < starts[example + 1]; ++row) rows[rank].push_back(row);
    }
  }
  const std::vector<std::int64_t>& own = turns[static_cast<std::size_t>(ranks.rank())];
  std::int64_t sentences = 0;
  for (const std::int64_t i : own) sentences += std::ssize(batches[static_cast<std::size_t>(i)]);

  Evaluation result;
  result.batches = std::ssize(batches);
  result.logits = zeros({starts.back(), config.num_labels()});
  const Tensor numbers = zeros({result.batches, kNumbers + 3 * config.num_hidden_layers}, DType::kFloat64);
  const auto start = std::chrono::steady_clock::now();
  std::int64_t done = 0;
  std::size_t taken = 0;
  std::deque<Asked> asked;
  const auto take_first = [&] {
    take(result, config, task, starts, asked.front(), numbers.data<double>() + own[taken++] * numbers.size(1));
    done += asked.front().batch.sentences();
    asked.pop_front();
    if (options.progress) options.progress(done, sentences);
  };
  Prefetch<Batch> made(std::ssize(own), model.device() != Device::kCpu, [&](std::int64_t i) {
    return make_batch(examples, batches[static_cast<std::size_t>(own[static_cast<std::size_t>(i)])], task.kind);
  });
  for (std::size_t turn = 0; turn < own.size(); ++turn) {
    // In each queue the device goes from one batch to the next without waiting for the host. The next may be the same
    // recorded pass, which writes over what the last one left: what is wanted of that was copied before, in its order.
    Batch batch = made.next();
    const std::vector<std::int64_t>& indices = batches[static_cast<std::size_t>(own[turn])];
    forward(turn, batch, [&](const ClassifierOutput& out) { asked.emplace_back(std::move(batch), indices, out); });
    if (std::ssize(asked) == 2 * forward.queues()) take_first();
  }
  while (!asked.empty()) take_first();
  gather_rows(*options.ranks, result.logits, rows);
  gather_rows(*options.ranks, numbers, turns);
  sum_numbers(result, numbers);
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
