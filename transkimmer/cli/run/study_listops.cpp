#include "transkimmer/cli/run/study_listops.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>

#include "autograd/estimators/estimators.h"
#include "autograd/grad_mode.h"
#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/reduce.h"
#include "nn/optim/adamw.h"
#include "tensor/ops/gate.h"
#include "tensor/ops/reduce.h"
#include "tensor/step_state.h"
#include "transkimmer/cli/run/signals.h"
#include "transkimmer/cli/run/tree_lstm.h"

namespace tk {
namespace {

constexpr std::int64_t kHeldOut = 4;  // one of so many
constexpr std::int64_t kOutputs = 10;

// Expressions of one length.
struct Rows {
  std::vector<std::int32_t> tokens;
  std::vector<std::int32_t> values;
};

struct Batch {
  Tensor tokens;  // [rows, length] int32
  Tensor values;  // [rows] int32
};
Batch batch_of(const Rows& rows) {
  const std::int64_t n = std::ssize(rows.values);
  return {from_values(rows.tokens, {n, std::ssize(rows.tokens) / n}), from_values(rows.values)};
}

void append(Rows& rows, const ListExpression& one) {
  rows.tokens.insert(rows.tokens.end(), one.tokens.begin(), one.tokens.end());
  rows.values.push_back(one.value);
}

struct ListOps {
  explicit ListOps(const ListOpsStudyOptions& options);
  /// As many rows as a batch has, of the length of one expression that is drawn.
  Batch draw(std::int64_t rows, Generator& random) const;

  std::vector<ListExpression> train;
  std::map<std::size_t, std::vector<std::size_t>> by_length;
  std::vector<Batch> held_out;  // one a length
};

ListOps::ListOps(const ListOpsStudyOptions& options) {
  train = make_list_ops({.seed = 1,
                         .count = options.samples + options.samples / kHeldOut,
                         .max_depth = options.max_depth,
                         .max_length = options.max_length});
  std::map<std::size_t, Rows> rest;
  for (auto one = train.begin() + options.samples; one != train.end(); ++one) append(rest[one->tokens.size()], *one);
  for (const auto& [length, rows] : rest) held_out.push_back(batch_of(rows));
  train.resize(static_cast<std::size_t>(options.samples));
  for (std::size_t i = 0; i < train.size(); ++i) by_length[train[i].tokens.size()].push_back(i);
}

Batch ListOps::draw(std::int64_t rows, Generator& random) const {
  const auto below = [&](std::size_t n) { return random.below(static_cast<std::uint32_t>(n)); };
  const std::vector<std::size_t>& alike = by_length.at(train[below(train.size())].tokens.size());
  Rows drawn;
  for (std::int64_t i = 0; i < rows; ++i) append(drawn, train[alike[below(alike.size())]]);
  return batch_of(drawn);
}

struct Score {
  double accuracy, loss;
};

Score evaluate(const TreeLstm& model, const std::vector<Batch>& batches) {
  const NoGrad no_grad;
  const ChoosePair best = [](const Variable& scores, std::int64_t) {
    return Variable(one_hot_of_largest(scores.value()));
  };
  double right = 0, loss = 0, all = 0;
  for (const Batch& batch : batches) {
    throw_if_stopped();
    const Variable logits = model(batch.tokens, best);
    const std::vector<std::int64_t> answers = argmax(logits.value(), 1).to_vector<std::int64_t>();
    const std::vector<std::int32_t> values = batch.values.to_vector<std::int32_t>();
    for (std::size_t i = 0; i < values.size(); ++i) right += answers[i] == values[i] ? 1 : 0;
    loss += sum(cross_entropy(logits, batch.values)).item();
    all += static_cast<double>(values.size());
  }
  return {right / all, loss / all};
}

StudyValues train(const ListOps& data, const std::string& estimator, std::uint64_t seed,
                  const ListOpsStudyOptions& options) {
  const ChosenEstimator chosen = choose_estimator(estimator, {.temperature = options.temperature});
  manual_seed(seed);
  TreeLstm model(ListExpression::kTokens, options.hidden, kOutputs);
  AdamW adam(model.parameters());
  Generator random(seed, Purpose::kShuffle);
  constexpr std::int64_t kPoints = 20;  // of a curve, and the one before the first step
  const std::int64_t every = std::max<std::int64_t>(1, options.steps / kPoints);
  StudyValues values;
  for (std::int64_t step = 0;; ++step) {
    if (step % every == 0 || step == options.steps) {
      const Score score = evaluate(model, data.held_out);
      values.push_back({"accuracy", static_cast<double>(step), 100 * score.accuracy});
      values.push_back({"loss", static_cast<double>(step), score.loss});
    }
    if (step == options.steps) return values;
    throw_if_stopped();
    const Tensor state = make_step_state(
        {.seed = seed, .step = step + 1, .learning_rate = {options.learning_rate, options.learning_rate}});
    const Batch batch = data.draw(options.batch_size, random);
    const ChoosePair sample = [&](const Variable& scores, std::int64_t merge) {
      Draws draws = draws_of_rows(state, scores.size(0));
      draws.position = full({scores.size(0)}, static_cast<double>(merge), DType::kInt32);
      const Tensor noise = gumbel_noise(draws.key(0), scores.size(1), scores.dtype());
      return chosen.estimator->classes(scores, noise, draws, chosen.options);
    };
    mean(cross_entropy(model(batch.tokens, sample), batch.values)).backward();
    adam.step(state);
  }
}

}  // namespace

Study listops_study(const ListOpsStudyOptions& options) {
  Study study;
  study.name = "listops";
  study.summary = {fmt::format(
      "ListOps by a tree LSTM of {} units that chooses which neighbours it merges: {} generated expressions of up to "
      "{} "
      "tokens, lists in lists to a depth of {}, {} steps of Adam with a learning rate of {:g} and {} expressions a "
      "step. Shown is how many of {} held-out expressions it evaluates rightly, with the best-scored pair always "
      "merged. "
      "Bands are two standard errors of the mean over the seeds.",
      options.hidden, options.samples, options.max_length, options.max_depth, options.steps, options.learning_rate,
      options.batch_size, options.samples / kHeldOut)};
  study.charts = {{"accuracy", "Right values of held-out expressions", "%", "step", true},
                  {"loss", "Cross-entropy of held-out expressions", "nats", "step", true}};
  study.measure = [options, data = std::make_shared<std::unique_ptr<ListOps>>()](const std::string& estimator,
                                                                                 std::uint64_t seed) {
    if (!*data) *data = std::make_unique<ListOps>(options);
    return train(**data, estimator, seed, options);
  };
  return study;
}

}  // namespace tk
