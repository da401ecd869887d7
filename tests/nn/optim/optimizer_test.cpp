#include "nn/optim/optimizer.h"

#include <algorithm>
#include <functional>
#include <memory>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "nn/embedding.h"
#include "nn/linear.h"
#include "nn/optim/adamw.h"
#include "nn/optim/sgd.h"
#include "tensor/ops/optim.h"
#include "tests/nn/optim/states.h"
#include "tests/support/catch.h"
#include "tests/support/golden.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

using MakeOptimizer = std::function<std::unique_ptr<Optimizer>(const ParameterList&)>;

const std::vector<MakeOptimizer>& optimizers() {
  static const std::vector<MakeOptimizer> all = {
      [](const ParameterList& list) { return std::make_unique<AdamW>(list); },
      [](const ParameterList& list) { return std::make_unique<Sgd>(list, 0.9); }};
  return all;
}

// Words by a table, three projections in one matrix, a bias, and rows that no batch names.
struct Model {
  Embedding words;
  Linear projection{3, 6, true, Init::kZeros};
  ParameterList list;

  explicit Model(bool sparse) : words(8, 3, sparse) {
    init_normal(words.weight.value(), 0, 1, 1, 0);
    init_normal(projection.weight.value(), 0, 1, 1, 1);
    words.collect(list, "words");
    list.push_back({{"query.weight", "key.weight", "value.weight"}, &projection.weight});
    list.push_back({{"bias"}, &projection.bias});
  }

  void backward(std::int64_t step) {
    const auto id = static_cast<std::int32_t>(step);
    sum(square(projection(words(from_values<std::int32_t>({id % 5, (id + 2) % 5, id % 5}))))).backward();
  }
};

void train(Model& model, Optimizer& optimizer, std::int64_t first, std::int64_t last) {
  for (std::int64_t step = first; step <= last; ++step) {
    model.backward(step);
    optimizer.step(state_at(step, 1e-2, 0.01, 1));
  }
}

// The same tensors elsewhere, as if read from a file.
std::vector<NamedTensor> saved(std::vector<NamedTensor> tensors) {
  for (NamedTensor& named : tensors) named.tensor = named.tensor.clone();
  return tensors;
}

std::vector<std::string> names_of(const std::vector<NamedTensor>& tensors) {
  std::vector<std::string> names;
  for (const NamedTensor& named : tensors) names.push_back(named.name);
  return names;
}

void check_same(const std::vector<NamedTensor>& a, const std::vector<NamedTensor>& b) {
  REQUIRE(names_of(a) == names_of(b));
  for (std::size_t i = 0; i < a.size(); ++i) {
    INFO(a[i].name);
    CHECK(same_bits(a[i].tensor, b[i].tensor));
  }
}

}  // namespace

TEST_CASE("optimizers: a parameter's bfloat16 copy follows each step without another conversion") {
  const auto check = [](auto make) {
    Linear linear(3, 2, true, Init::kZeros);
    init_normal(linear.weight.value(), 0, 1, 3, 0);
    ParameterList list;
    linear.collect(list, "linear");
    auto optimizer = make(list);
    const Tensor copy = linear.weight.as(DType::kBFloat16).value();
    sum(linear(Variable(full({1, 3}, 1.0)))).backward();
    optimizer.step(state_at(1, 0.5));
    CHECK(largest_difference(copy, linear.weight.value().to(DType::kBFloat16)) == 0);
    const std::uint64_t version = copy.version();
    CHECK(linear.weight.as(DType::kBFloat16).value().shares_storage(copy));
    CHECK(copy.version() == version);
  };
  check([](const ParameterList& list) { return Sgd(list, 0.5, DType::kBFloat16); });
  check([](const ParameterList& list) { return AdamW(list, {}, DType::kBFloat16); });
}

TEST_CASE("optimizers: state lies under the published names") {
  Model model(true);
  CHECK(names_of(AdamW(model.list).state()) ==
        std::vector<std::string>{"query.weight.exp_avg", "key.weight.exp_avg", "value.weight.exp_avg",
                                 "query.weight.exp_avg_sq", "key.weight.exp_avg_sq", "value.weight.exp_avg_sq",
                                 "bias.exp_avg", "bias.exp_avg_sq", "words.weight.exp_avg", "words.weight.exp_avg_sq",
                                 "words.weight.touched"});
  const std::vector<NamedTensor> state = Sgd(model.list).state();
  CHECK(names_of(state) == std::vector<std::string>{"query.weight.momentum_buffer", "key.weight.momentum_buffer",
                                                    "value.weight.momentum_buffer", "bias.momentum_buffer"});
  CHECK(state[0].tensor.shape() == Shape{2, 3});
}

TEST_CASE("optimizers: three steps, and three more elsewhere from what was saved, are six to the bit") {
  for (const MakeOptimizer& make : optimizers()) {
    for (const bool sparse : {false, true}) {
      INFO("optimizer " << &make - optimizers().data() << ", sparse " << sparse);
      Model whole(sparse), first(sparse), second(sparse);
      const auto optimizer = make(whole.list);
      train(whole, *optimizer, 1, 6);

      const auto before = make(first.list);
      train(first, *before, 1, 3);
      const std::vector<NamedTensor> values = saved(named_values(first.list)), state = saved(before->state());
      const auto after = make(second.list);
      copy_by_name("test", named_values(second.list), values);
      after->restore(state);
      train(second, *after, 4, 6);

      check_same(named_values(second.list), named_values(whole.list));
      check_same(after->state(), optimizer->state());
    }
  }
}

TEST_CASE("optimizers: averages are kept of all values, are shown, and give way to what is trained") {
  for (const MakeOptimizer& make : optimizers()) {
    Model plain(true), averaged(true);
    const auto without = make(plain.list), with = make(averaged.list);
    without->show_average(true);  // there is none
    std::vector<NamedTensor> mean = saved(named_values(averaged.list));
    with->keep_average(0.5);
    for (std::int64_t step = 1; step <= 4; ++step) {
      train(plain, *without, step, step);
      train(averaged, *with, step, step);
      for (std::size_t i = 0; i < mean.size(); ++i) {
        moving_average(mean[i].tensor, named_values(plain.list)[i].tensor.contiguous(), state_at(step, 1e-2), 0.5);
      }
      check_same(named_values(averaged.list), named_values(plain.list));
      for (int again = 0; again < 2; ++again) {
        with->show_average(true);
        check_same(named_values(averaged.list), mean);
      }
      CHECK_THAT(message_of([&] { train(averaged, *with, step + 1, step + 1); }), ContainsSubstring("are shown"));
      for (const NamedParameter& named : averaged.list) named.parameter->grad().clear();
      with->show_average(false);
    }
    check_same(named_values(averaged.list), named_values(plain.list));
  }
}

TEST_CASE("optimizers: what was saved goes on to the same bits, averages shown or not") {
  for (const MakeOptimizer& make : optimizers()) {
    for (const bool shown : {false, true}) {
      Model whole(true), second(true);
      const auto optimizer = make(whole.list), after = make(second.list);
      optimizer->keep_average(0.9);
      after->keep_average(0.9);
      train(whole, *optimizer, 1, 3);
      optimizer->show_average(shown);
      const std::string kind = shown ? "trained" : "average";
      const std::vector<std::string> names = names_of(optimizer->state());
      CHECK(std::ranges::count(names, "words.weight." + kind) == 1);
      CHECK(std::ranges::count(names, "key.weight." + kind) == 1);
      copy_by_name("test", named_values(second.list), saved(named_values(whole.list)));
      after->restore(saved(optimizer->state()));
      optimizer->show_average(false);
      after->show_average(false);
      train(whole, *optimizer, 4, 5);
      train(second, *after, 4, 5);
      check_same(named_values(second.list), named_values(whole.list));
      check_same(after->state(), optimizer->state());
    }
  }
}

TEST_CASE("optimizers: a bfloat16 copy is that of what is shown") {
  Linear linear(3, 2, true, Init::kZeros);
  ParameterList list;
  linear.collect(list, "linear");
  AdamW optimizer(list, {}, DType::kBFloat16);
  optimizer.keep_average(0.9);
  sum(linear(Variable(full({1, 3}, 1.0)))).backward();
  optimizer.step(state_at(1, 0.5));
  const Tensor copy = linear.weight.as(DType::kBFloat16).value();
  for (const bool shown : {true, false}) {
    optimizer.show_average(shown);
    CHECK(same_bits(copy, linear.weight.value().to(DType::kBFloat16)));  // which nobody has asked for anew
  }
}

TEST_CASE("optimizers: state of other names or shapes is refused, all of it named, and nothing is written") {
  Model model(true);
  AdamW optimizer(model.list);
  train(model, optimizer, 1, 1);
  const std::vector<NamedTensor> before = saved(optimizer.state());
  std::vector<NamedTensor> state = saved(optimizer.state());
  for (NamedTensor& named : state) named.tensor.fill(1);
  state[0].tensor = zeros({2, 2});
  state[1].name = "other.exp_avg";
  state.back().tensor = zeros({8});
  CHECK(message_of([&] { optimizer.restore(state); }) ==
        "adamw: the tensors given do not fit; query.weight.exp_avg is float32 [2, 2], expected float32 [2, 3]; missing "
        "key.weight.exp_avg; words.weight.touched is float32 [8], expected bool [8]; unexpected other.exp_avg");
  check_same(optimizer.state(), before);
}

TEST_CASE("optimizers: what is gathered may become another's before it is applied") {
  for (const MakeOptimizer& make : optimizers()) {
    Model one(true), other(true);
    const auto a = make(one.list), b = make(other.list);
    one.backward(1);
    other.backward(2);
    const Gradients of_one = a->gather();
    Gradients gradients = b->gather();
    gradients.dense.copy_from(of_one.dense);
    gradients.sparse = of_one.sparse;
    a->apply(of_one, state_at(1, 1e-2));
    b->apply(gradients, state_at(1, 1e-2));
    check_same(named_values(other.list), named_values(one.list));
  }
}

TEST_CASE("optimizers: gradients that lie elsewhere are applied, and those gathered are forgotten") {
  for (const MakeOptimizer& make : optimizers()) {
    Model model(true), elsewhere(true);
    const auto a = make(model.list), b = make(elsewhere.list);
    model.backward(1);
    elsewhere.backward(1);
    a->step(state_at(1, 1e-2));
    Gradients gradients = b->gather();
    gradients.dense = gradients.dense.clone();
    b->apply(gradients, state_at(1, 1e-2));
    check_same(named_values(elsewhere.list), named_values(model.list));
    for (const DenseParameter& entry : b->parameters().dense) CHECK_FALSE(entry.parameter->grad().filled());
    CHECK_FALSE(elsewhere.words.weight.grad().filled());
    const Tensor unreached = b->gather().dense;
    CHECK(largest_difference(unreached, zeros_like(unreached)) == 0);
    gradients.sparse.clear();
    CHECK_THAT(message_of([&] { b->apply(gradients, state_at(2, 1e-2)); }),
               ContainsSubstring("expected the sparse gradients of 1 parameters, got 0"));
  }
}

TEST_CASE("optimizers: one learning rate moves weights and biases, and decay only what decays") {
  Linear linear(1, 1, true, Init::kZeros);
  linear.weight.value().fill(1);
  linear.bias.value().fill(1);
  ParameterList list;
  linear.collect(list, "linear");
  Sgd optimizer(list);
  sum(linear(Variable(full({1, 1}, 1.0)))).backward();
  optimizer.step(make_step_state({.step = 1, .learning_rate = {0.25}, .weight_decay = {1}}));
  CHECK(linear.weight.value().item() == 1 - 0.25 * (1 + 1));
  CHECK(linear.bias.value().item() == 1 - 0.25);
}

TEST_CASE("optimizers: each group has its own learning rate and decay") {
  Parameter base({1}), predictor({1});
  base.value().fill(1);
  predictor.value().fill(1);
  predictor.set_group(ParameterGroup::kPredictor);
  Sgd optimizer({{{"base"}, &base}, {{"predictor"}, &predictor}});
  (sum(base) + sum(predictor)).backward();
  optimizer.step(make_step_state({.step = 1, .learning_rate = {0.25, 0.5}, .weight_decay = {0, 1}}));
  CHECK(base.value().item() == 0.75);
  CHECK(predictor.value().item() == 0);
}

TEST_CASE("optimizers: a group without a learning rate is named, and none moves, zero is one") {
  Parameter base({1}), predictor({1});
  predictor.set_group(ParameterGroup::kPredictor);
  AdamW optimizer({{{"w"}, &base}, {{"gate.w"}, &predictor}});
  const auto step = [&](const StepState& state) {
    (sum(base) + sum(predictor)).backward();
    return message_of([&] { optimizer.step(make_step_state(state)); });
  };
  CHECK(step({.step = 1}) == "adamw: no learning rate for group base, to which w belongs");
  CHECK(step({.step = 1, .learning_rate = {0.1}}) ==
        "adamw: no learning rate for group predictor, to which gate.w belongs");
  CHECK(base.value().item() == 0);
  CHECK(step({.step = 1, .learning_rate = {0, 0}}) == "no error");
  CHECK(base.value().item() == 0);
}

TEST_CASE("optimizers: tied weights are updated once, by the sum of their gradients, under the first name") {
  for (const MakeOptimizer& make : optimizers()) {
    Parameter tied({3, 3}), alone({3, 3});
    for (const Parameter* p : {&tied, &alone}) init_normal(p->value(), 0, 1, 1, 0);
    const auto a = make({{{"decoder"}, &tied}, {{"words"}, &tied}}), b = make({{{"decoder"}, &alone}});
    CHECK(a->parameters().value.numel() == b->parameters().value.numel());
    for (std::int64_t step = 1; step <= 2; ++step) {
      for (const Parameter* p : {&tied, &alone}) sum(matmul(*p, matmul(*p, *p))).backward();
      a->step(state_at(step, 1e-2));
      b->step(state_at(step, 1e-2));
    }
    CHECK(same_bits(tied.value(), alone.value()));
    check_same(a->state(), b->state());
  }
}

TEST_CASE("optimizers: a dense gradient of a parameter that takes rows is not lost without a word") {
  Embedding words(4, 2, true, Init::kZeros);
  Sgd optimizer({{{"words"}, &words.weight}});
  sum(square(words.weight)).backward();
  CHECK(message_of([&] { optimizer.step(state_at(1, 0.1)); }) ==
        "optimizer: a dense gradient arrived for words, which takes rows alone; do not make it sparse");
}
