#include "transkimmer/cli/run/study_enumerate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <optional>

#include "autograd/estimators/enumeration.h"
#include "autograd/estimators/estimators.h"
#include "autograd/grad_mode.h"
#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"
#include "data/glue_task.h"
#include "data/tokenizer.h"
#include "data/toy_corpus.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/reduce.h"
#include "tensor/step_state.h"
#include "transkimmer/classifier.h"
#include "transkimmer/cli/run/log.h"
#include "transkimmer/cli/run/signals.h"
#include "transkimmer/training/trainer.h"

namespace tk {
namespace {

constexpr std::int64_t kRows = 512;  // sentences of a batch
constexpr double kOpen = 1e6;        // noise that opens any gate

Config model_config(SkimGate gate, std::int64_t vocabulary) {
  Config config;
  config.vocab_size = vocabulary;
  config.hidden_size = 64;
  config.num_hidden_layers = 4;
  config.num_attention_heads = 4;
  config.intermediate_size = 128;
  config.max_position_embeddings = 64;
  config.initializer_range = 0.08;
  config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0;
  config.skim_gate = gate;
  config.skim_width = 16;
  return config;
}

// A trained model, and sentences short enough.
struct Subject {
  explicit Subject(const EnumerateStudyOptions& options);

  std::unique_ptr<BertClassifier> model;
  std::int64_t gates;  // of a row
  std::vector<TokenizedExample> sentences;
};

Subject::Subject(const EnumerateStudyOptions& options) : gates(traits(options.gate).gates) {
  const ToyCorpus corpus = make_toy_corpus({.seed = 1, .train = 2048, .dev = 512});
  const Tokenizer tokenizer((Vocabulary(corpus.vocabulary)));
  const std::vector<TokenizedExample> train = tokenize_examples(tokenizer, corpus.train.examples, 64);
  model =
      std::make_unique<BertClassifier>(model_config(options.gate, static_cast<std::int64_t>(corpus.vocabulary.size())));
  model->initialize(1);
  TrainerOptions training{.max_steps = options.steps, .seed = 1, .learning_rate = 1e-3};
  training.skim_learning_rate = 5e-3;
  training.skim_target = 0.6;
  Trainer trainer(*model, find_glue_task("sst2").task, train, training);
  info("training the model, {} steps", options.steps);
  while (!trainer.finished()) {
    throw_if_stopped();
    trainer.step();
  }
  // [CLS] is no node. Sentences are cut to what can be enumerated, from the end on, so that the words that decide stay
  // in as many as may be.
  const auto most = static_cast<std::size_t>(1 + options.nodes / gates);
  for (TokenizedExample& example : tokenize_examples(tokenizer, corpus.dev.examples, 64)) {
    if (example.ids.size() > most) {
      const std::size_t cut = example.ids.size() - most;
      example.ids.erase(example.ids.begin() + 1, example.ids.begin() + 1 + static_cast<std::ptrdiff_t>(cut));
      example.token_types.resize(most);
    }
    sentences.push_back(std::move(example));
  }
}

// One sentence of the subject and one predictor.
class Problem {
 public:
  Problem(const Subject& subject, std::uint64_t seed, std::size_t layer);

  const Tensor& scores() const { return scores_; }  // z [1, nodes]
  const Tensor& exact() const { return exact_; }    // the gradient of the expected loss in them, float64 [1, nodes]
  Variable loss(const Variable& choices) const;     // [rows] of choices [rows, nodes]

 private:
  PackedTokens copies(std::int64_t rows) const;
  Tensor enumerated() const;

  const Subject& subject_;
  const TokenizedExample& sentence_;
  std::size_t layer_;
  std::int64_t predictors_;
  Tensor scores_, exact_;
};

Problem::Problem(const Subject& subject, std::uint64_t seed, std::size_t layer)
    : subject_(subject),
      sentence_(subject.sentences[seed % subject.sentences.size()]),
      layer_(layer),
      predictors_(subject.model->config().num_predictors()) {
  const NoGrad no_grad;
  const auto asked = static_cast<std::int64_t>(sentence_.ids.size()) - 1;
  const std::vector<Tensor> noise(static_cast<std::size_t>(predictors_), full({asked, subject.gates}, kOpen));
  std::vector<Tensor> scores;
  const Context context{.training = true, .state = make_step_state({})};
  (*subject.model)(copies(1), context, {.noise = &noise, .scores = &scores});
  scores_ = scores[layer].reshape({1, asked * subject.gates});
  exact_ = enumerated();
}

PackedTokens Problem::copies(std::int64_t rows) const {
  const auto length = static_cast<std::int64_t>(sentence_.ids.size());
  std::vector<std::int32_t> examples, ids, types;
  for (std::int64_t i = 0; i < rows; ++i) {
    examples.push_back(static_cast<std::int32_t>(i));
    ids.insert(ids.end(), sentence_.ids.begin(), sentence_.ids.end());
    types.insert(types.end(), sentence_.token_types.begin(), sentence_.token_types.end());
  }
  return {make_packed(std::vector<std::int64_t>(static_cast<std::size_t>(rows), length), examples), from_values(ids),
          from_values(types)};
}

Variable Problem::loss(const Variable& choices) const {
  const std::int64_t rows = choices.size(0), asked = choices.size(1) / subject_.gates;
  const Shape shape{rows * asked, subject_.gates};
  Variables gates(static_cast<std::size_t>(predictors_), Variable(full(shape, 1)));
  gates[layer_] = reshape(choices, shape);
  const Context context{.training = true, .state = make_step_state({})};
  const Variable logits = (*subject_.model)(copies(rows), context, {.gates = &gates}).logits;
  return cross_entropy(logits, full({rows}, sentence_.label, DType::kInt32));
}

Tensor Problem::enumerated() const {
  const Tensor states = all_choices(scores_);
  const Tensor z = scores_.to(DType::kFloat64);
  Tensor gradient = zeros(z.shape(), DType::kFloat64);
  for (std::int64_t begin = 0; begin < states.shape()[0]; begin += kRows) {
    throw_if_stopped();
    const std::int64_t rows = std::min(kRows, states.shape()[0] - begin);
    const Tensor some = states.narrow(0, begin, rows).contiguous();
    const Tensor of_rows = z.expand({rows, z.shape()[1]}).contiguous(), choices = some.to(DType::kFloat64);
    const Tensor f = loss(Variable(some)).value().to(DType::kFloat64);
    const Tensor weight = mul(exp(log_probability(of_rows, choices)), f);
    add_to(gradient, sum(scale_rows(score(of_rows, choices), weight), 0).reshape(z.shape()));
  }
  return gradient;
}

struct Spread {
  double bias, deviation, cosine;
};

// Of `samples` gradients: the distance of their mean from the exact gradient without what the samples' own noise adds
// to it, and the deviation of one, both in lengths of the exact one; and the cosine between mean and exact.
Spread measure_gradients(const Problem& problem, const std::string& estimator, std::uint64_t seed,
                         const EnumerateStudyOptions& options) {
  const ChosenEstimator chosen = choose_estimator(estimator, {.temperature = options.temperature});
  const Surrogate surrogate = make_surrogate(chosen);
  const std::int64_t nodes = problem.scores().numel();
  const auto gradients = [&](std::int64_t step, std::int64_t rows) {
    throw_if_stopped();
    const Variable z(problem.scores().expand({rows, nodes}).contiguous(), true);
    const Tensor state = make_step_state({.seed = seed, .step = step, .temperature = options.temperature});
    sum(surrogate([&](const Variable& choices) { return problem.loss(choices); }, z, draws_of_rows(state, rows)))
        .backward();
    return z.grad().to_vector<float>();
  };
  constexpr std::int64_t kRowsOfWarmUp = 32;
  warm_up(chosen, [&](std::int64_t step) { gradients(step, kRowsOfWarmUp); });
  std::vector<double> sums(static_cast<std::size_t>(nodes), 0.0), squares = sums;
  std::int64_t done = 0;
  for (std::int64_t call = 0; done < options.samples; ++call) {
    const std::int64_t rows = std::min(kRows, options.samples - done);
    const std::vector<float> g = gradients(call, rows);
    for (std::size_t i = 0; i < g.size(); ++i) {
      sums[i % sums.size()] += double{g[i]};
      squares[i % sums.size()] += double{g[i]} * double{g[i]};
    }
    done += rows;
  }
  const auto n = static_cast<double>(done);
  double distance = 0, variance = 0, product = 0, mean_square = 0, exact_square = 0;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const double mean = sums[i] / n, exact = problem.exact().data<double>()[i];
    distance += (mean - exact) * (mean - exact);
    variance += (squares[i] / n - mean * mean) * n / (n - 1);
    product += mean * exact;
    mean_square += mean * mean;
    exact_square += exact * exact;
  }
  return {.bias = std::sqrt(std::max(0.0, distance - variance / n) / exact_square),
          .deviation = std::sqrt(variance / exact_square),
          .cosine = product / std::sqrt(mean_square * exact_square)};
}

}  // namespace

Study enumerate_study(const EnumerateStudyOptions& options) {
  Study study;
  study.name = "enumerate";
  study.summary = {
      fmt::format("A small {} skimming model, trained on the toy corpus for {} steps at a budget of 60 %. With the {} "
                  "gates of one predictor as nodes and all other gates open, the exact gradient of the expected task "
                  "loss in the predictor's scores is a sum over all {} masks.",
                  name(options.gate), options.steps, options.nodes, std::int64_t{1} << options.nodes),
      "Bias and standard deviation are those of a single sample's gradient, in lengths of the exact one; a total of "
      "both, "
      "the root mean square error, orders the estimators. A sentence a seed; bands are two standard errors of the "
      "mean."};
  study.charts = {{"bias", "Bias", "lengths of the exact gradient", "predictor"},
                  {"deviation", "Standard deviation", "lengths of the exact gradient", "predictor"},
                  {"error", "Root mean square error of one sample", "lengths of the exact gradient", "predictor"},
                  {"cosine", "Cosine between mean and exact gradient", "", "predictor"}};
  struct Cache {
    std::optional<Subject> subject;
    std::map<std::pair<std::uint64_t, std::size_t>, Problem> problems;
  };
  study.measure = [options, cache = std::make_shared<Cache>()](const std::string& estimator, std::uint64_t seed) {
    if (!cache->subject) cache->subject.emplace(options);
    StudyValues values;
    const auto predictors = static_cast<std::size_t>(cache->subject->model->config().num_predictors());
    for (std::size_t layer = 0; layer < predictors; ++layer) {
      const Problem& problem = cache->problems.try_emplace({seed, layer}, *cache->subject, seed, layer).first->second;
      const Spread spread = measure_gradients(problem, estimator, seed, options);
      const auto x = static_cast<double>(layer + 1);
      values.push_back({"bias", x, spread.bias});
      values.push_back({"deviation", x, spread.deviation});
      values.push_back({"error", x, std::hypot(spread.bias, spread.deviation)});
      values.push_back({"cosine", x, spread.cosine});
    }
    return values;
  };
  return study;
}

}  // namespace tk
