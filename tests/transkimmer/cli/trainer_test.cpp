#include "transkimmer/cli/trainer.h"

#include <memory>

#include "data/tokenizer.h"
#include "data/toy_corpus.h"
#include "tensor/allocator.h"
#include "tensor/threads.h"
#include "tests/support/catch.h"
#include "transkimmer/cli/evaluation.h"
#include "transkimmer/cli/scoring.h"

using namespace tk;

namespace {

struct ToyTask {
  ToyTask() : corpus(make_toy_corpus({.seed = 3, .train = 256, .dev = 64})) {
    const Tokenizer tokenizer(Vocabulary(corpus.vocabulary));
    train = tokenize_examples(tokenizer, corpus.train.examples, 64);
    dev = tokenize_examples(tokenizer, corpus.dev.examples, 64);
  }

  Config config(SkimGate gate) const {
    Config config;
    config.vocab_size = static_cast<std::int64_t>(corpus.vocabulary.size());
    config.hidden_size = 32;
    config.num_hidden_layers = 2;
    config.num_attention_heads = 2;
    config.intermediate_size = 64;
    config.max_position_embeddings = 64;
    config.initializer_range = 0.08;
    config.skim_gate = gate;
    config.skim_width = gate == SkimGate::kNone ? 0 : 8;
    return config;
  }

  const GlueTask& task = find_task("sst2");
  ToyCorpus corpus;
  std::vector<TokenizedExample> train;
  std::vector<TokenizedExample> dev;
};

TrainerOptions few_steps(std::int64_t steps, double learning_rate) {
  TrainerOptions options;
  options.max_steps = steps;
  options.learning_rate = learning_rate;
  return options;
}

std::vector<float> weights(const BertClassifier& model) {
  std::vector<float> all;
  for (const NamedTensor& named : named_values(model.parameters())) {
    const std::vector<float> some = named.tensor.to_vector<float>();
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

std::vector<float> trained(const ToyTask& toy, int threads) {
  const int before = num_threads();
  set_num_threads(threads);
  BertClassifier model(toy.config(SkimGate::kStaged));
  model.initialize(1);
  TrainerOptions options = few_steps(12, 1e-3);
  options.warmup = 0.06;
  options.skim_target = 0.5;
  Trainer trainer(model, toy.task, toy.train, options);
  while (!trainer.finished()) trainer.step();
  set_num_threads(before);
  return weights(model);
}

}  // namespace

TEST_CASE("trainer: the same seed gives the same bits on every run and with every thread count") {
  const ToyTask toy;
  const std::vector<float> first = trained(toy, 2);
  CHECK(trained(toy, 2) == first);
  CHECK(trained(toy, 1) == first);
}

TEST_CASE("trainer: the loss falls, and the budget pulls the cost down to it") {
  const ToyTask toy;
  BertClassifier model(toy.config(SkimGate::kStaged));
  model.initialize(1);
  TrainerOptions options = few_steps(240, 2e-3);
  options.skim_learning_rate = 1e-2;
  options.skim_target = 0.6;
  Trainer trainer(model, toy.task, toy.train, options);
  const StepReport first = trainer.step();
  StepReport last = first;
  while (!trainer.finished()) last = trainer.step();
  CHECK(last.task_loss < 0.8 * first.task_loss);
  CHECK(last.budget == Approx(0.6));
  CHECK(last.mac_share < 0.7);
  const Evaluation evaluation = evaluate(model, toy.task, toy.dev);
  CHECK(evaluation.mac_share() < 0.75);
  CHECK(evaluation.executed_macs == Approx(evaluation.counted_macs));
}

TEST_CASE("trainer: a step allocates nothing from the system once its shape was seen") {
  const int threads = num_threads();
  set_num_threads(2);
  ToyTask toy;
  toy.train.resize(32);  // one batch, the same every epoch but for its order
  BertClassifier model(toy.config(SkimGate::kStaged));
  model.initialize(1);
  TrainerOptions options = few_steps(8, 5e-5);
  options.order = BatchOrder::kSequential;
  options.skim_target = 0.5;
  Trainer trainer(model, toy.task, toy.train, options);
  trainer.step();
  trainer.step();
  const std::int64_t before = allocator_stats(Device::kCpu).system_allocations;
  while (!trainer.finished()) trainer.step();
  CHECK(allocator_stats(Device::kCpu).system_allocations == before);
  set_num_threads(threads);
}

TEST_CASE("trainer: a teacher's logits pull the student to them, and options that contradict the model are refused") {
  const ToyTask toy;
  BertClassifier model(toy.config(SkimGate::kNone));
  model.initialize(1);
  const Tensor teacher = zeros({256, 2});
  for (std::int64_t i = 0; i < 256; ++i) teacher.data<float>()[2 * i] = 3;  // says class 0, whatever the label
  TrainerOptions options = few_steps(40, 2e-3);
  options.distill_weight = 1;
  Trainer trainer(model, toy.task, toy.train, options, teacher);
  while (!trainer.finished()) trainer.step();
  const Evaluation evaluation = evaluate(model, toy.task, toy.dev);
  for (const double prediction : predictions_from_logits(toy.task, evaluation.logits)) CHECK(prediction == 0);

  options.skim_target = 0.5;
  CHECK_THROWS_WITH((Trainer(model, toy.task, toy.train, options)), ContainsSubstring("no skim predictors"));
  CHECK_THROWS_WITH((Trainer(model, toy.task, {}, TrainerOptions())), ContainsSubstring("no examples"));
}

TEST_CASE("evaluation: logits come in the order of the examples, whatever the batches") {
  const ToyTask toy;
  BertClassifier model(toy.config(SkimGate::kLayer));
  model.initialize(2);
  EvaluationOptions one_by_one;
  one_by_one.batch_size = 1;
  const Evaluation by_one = evaluate(model, toy.task, toy.dev, one_by_one);
  const Evaluation by_many = evaluate(model, toy.task, toy.dev);
  const std::vector<float> a = by_one.logits.to_vector<float>();
  const std::vector<float> b = by_many.logits.to_vector<float>();
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == Approx(b[i]).margin(1e-5));
  CHECK(by_one.tokens == by_many.tokens);
}

TEST_CASE("evaluation: a threshold is fitted so that a split costs at most what was asked, and little less") {
  const ToyTask toy;
  BertClassifier model(toy.config(SkimGate::kStaged));
  model.initialize(1);
  TaskSplit split;
  split.examples = toy.corpus.dev.examples;
  split.tokenized = toy.dev;
  const auto cost = [&] { return evaluate(model, toy.task, toy.dev).mac_share(); };
  const double before = cost();  // untrained gates keep all; of two layers the last updates first rows alone
  for (const double asked : {0.9 * before, 0.8 * before}) {
    fit_skim_threshold(model, toy.task, split, asked, {.progress = ProgressMode::kOff});
    CHECK(cost() <= asked);
    CHECK(cost() > asked - 0.1);
  }
  CHECK(model.config().skim_threshold > 0);  // z is about 5 before any training
}
