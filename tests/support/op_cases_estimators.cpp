#include <utility>

#include "autograd/estimators/choices.h"
#include "autograd/estimators/double_control_variates.h"
#include "autograd/estimators/gapped_straight_through.h"
#include "autograd/estimators/gumbel_rao.h"
#include "autograd/estimators/gumbel_softmax.h"
#include "autograd/estimators/least_norm.h"
#include "autograd/estimators/reinmax.h"
#include "autograd/estimators/reinmax_cv.h"
#include "autograd/estimators/reinmax_rao.h"
#include "autograd/estimators/sloped_gate.h"
#include "autograd/estimators/straight_through.h"
#include "autograd/estimators/zgr.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/optim.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"
#include "autograd/ops/softmax.h"
#include "tensor/ops/gate.h"
#include "tensor/ops/gate_slope.h"
#include "tensor/ops/softmax.h"
#include "tests/support/op_case_table.h"

namespace tk::test {
namespace {

void add_relaxations(Table& table) {
  const Packed rows = compacted_rows();
  const DropoutKey key = dropout_key(0, rows, {Purpose::kGate, 2, 1});
  const Tensor noise = gumbel_noise(key, 3, DType::kFloat64);
  const auto sampled = [noise](double temperature, bool hard) -> Function {
    return [=](const Variables& x) { return gumbel_softmax(x[0], on(x, noise.to(x[0].dtype())), temperature, hard); };
  };
  table.add("gumbel_softmax", sampled(0.7, false), {{{rows.tokens, 3}}});
  table.add("gumbel_softmax hard", sampled(0.7, true), {{{rows.tokens, 3}}}).relaxed = sampled(0.7, false);

  const Tensor logistic = logistic_noise(key, 1, DType::kFloat64).squeeze(1);
  StepState state;
  state.temperature = 0.7;
  table
      .add("gumbel_gate",
           [logistic, tensor = make_step_state(state)](const Variables& x) {
             return gumbel_gate(x[0], on(x, logistic.to(x[0].dtype())), on(x, tensor));
           },
           {{{rows.tokens}}})
      .relaxed = [logistic](const Variables& x) {
    return sigmoid((x[0] + Variable(on(x, logistic.to(x[0].dtype())))) * (1 / 0.7));
  };
  state.skim_threshold = 0.4;
  table.add("gate_margin",
            [tensor = make_step_state(state)](const Variables& x) { return gate_margin(x[0], on(x, tensor)); },
            {{{rows.tokens, 3}}});
  const Function soft = [](const Variables& x) { return softmax(x[0]); };
  table
      .add("straight_through",
           [soft](const Variables& x) { return straight_through(greater(x[0].value(), 0).to(x[0].dtype()), soft(x)); },
           {{{4, 3}, Domain::kAwayFromZero}})
      .relaxed = soft;

  state.budget = 0.5;
  state.multiplier = 0.3;
  const Function budget = [tensor = make_step_state(state)](const Variables& x) {
    return budget_loss(x[0], on(x, tensor));
  };
  table.add("budget_loss above", budget, Tensors{full({}, 0.8, DType::kFloat64)});
  table.add("budget_loss below", budget, Tensors{full({1}, 0.2, DType::kFloat64)});
}

// What is linear in the inputs with these slopes.
Function with_slopes(const Tensor& slopes) {
  return [slopes](const Variables& x) { return x[0] * Variable(on(x, slopes.to(x[0].dtype()))); };
}

void add_gate_estimators(Table& table) {
  const Packed rows = compacted_rows(), many = many_rows();
  const Tensor state = make_step_state({.temperature = 0.7, .gate_noise = 0.9});
  const auto add = [&](const char* name, const GateRule& rule, const Packed& packed, std::int64_t gates, bool large) {
    const Tensor noise = logistic_noise(dropout_key(0, packed, {Purpose::kGate, 2, 0}), gates, DType::kFloat64);
    GateRule with_key = rule;
    with_key.key = dropout_key(0, packed, {Purpose::kGate, 2, 1});
    const Function f = [=](const Variables& x) {
      GateRule here = with_key;
      here.key = on(x, with_key.key);
      return sloped_gate(x[0], on(x, noise.to(x[0].dtype())), on(x, state), here);
    };
    OpCase& row = large ? table.add_large(concat("sloped_gate ", name), f, {{{packed.tokens, gates}}})
                        : table.add(concat("sloped_gate ", name), f, {{{packed.tokens, gates}}});
    row.relaxed = with_slopes(gate_slope(row.inputs[0], noise, state, with_key).slope);
  };
  constexpr std::pair<GateSlope, const char*> kSlopes[] = {{GateSlope::kStraightThrough, "straight-through"},
                                                           {GateSlope::kGumbelRao, "Gumbel-Rao"},
                                                           {GateSlope::kLeastNorm, "least norm"},
                                                           {GateSlope::kGap, "gap"},
                                                           {GateSlope::kExpectedGap, "expected gap"},
                                                           {GateSlope::kReinMax, "ReinMax"},
                                                           {GateSlope::kReinMaxRao, "ReinMax-Rao"},
                                                           {GateSlope::kReinMaxCv, "ReinMax-CV"}};
  for (const auto& [slope, name] : kSlopes) {
    const GateRule rule{.slope = slope, .samples = 6, .key = {}};
    add(name, rule, rows, 1, false);
    add(name, rule, rows, 3, false);
    add(name, rule, make_packed({}, {}), 3, false);
    add(name, rule, many, 3, true);
  }
  const Tensor noise = logistic_noise(dropout_key(0, rows), 2, DType::kFloat64);
  table.add("soft_gate",
            [=](const Variables& x) { return soft_gate(x[0], on(x, noise.to(x[0].dtype())), on(x, state)); },
            {{{rows.tokens, 2}}});
}

void add_class_estimators(Table& table) {
  constexpr std::int64_t kRows = 7, kClasses = 3, kDrawn = 4;
  constexpr double kTemperature = 0.8;
  const Packed rows = make_packed({kRows}, {3});
  const Tensor noise = gumbel_noise(dropout_key(0, rows, {Purpose::kUser, 0, 0}), kClasses, DType::kFloat64);
  const Tensor more = gumbel_noise(dropout_key(0, rows, {Purpose::kUser, 0, 1}), kDrawn * kClasses, DType::kFloat64)
                          .reshape({kRows, kDrawn, kClasses});
  const auto add = [&](const char* name, auto estimator, auto relaxed) {
    OpCase& row = table.add(name,
                            [=](const Variables& x) {
                              const auto here = [&](const Tensor& t) { return on(x, t.to(x[0].dtype())); };
                              return estimator(x[0], here(noise), here(more));
                            },
                            {{{kRows, kClasses}}});
    const Tensor logits = row.inputs[0];
    const Tensor choices = one_hot_of_largest(tk::add(logits, noise));
    row.relaxed = relaxed(logits, choices);
  };
  // softmax((h + l - l0) / t) with h a constant, l0 the row's inputs: its slope is that of softmax(h / t).
  const auto softmax_at = [](const Tensor& h, const Tensor& logits, double temperature) -> Function {
    return [=](const Variables& x) {
      return softmax((x[0] + Variable(on(x, sub(h, logits).to(x[0].dtype())))) * (1 / temperature));
    };
  };
  const auto combined = [](double a, Function f, double b, Function g) -> Function {
    return [=](const Variables& x) { return f(x) * a + g(x) * b; };
  };
  const auto reinmax_at = [=](const Tensor& l, const Tensor& d, double temperature) {
    const Tensor q = affine(tk::add(softmax(affine(l, 1 / temperature)), d), 0.5);
    return combined(2, softmax_at(log(q), l, 1), -0.5, softmax_at(l, l, 1));
  };
  // The mean of softmax((h + G_k) / t) given d.
  const auto rao_at = [=](const Tensor& h, const Tensor& l, const Tensor& d) -> Function {
    std::vector<Function> parts;
    for (std::int64_t k = 0; k < kDrawn; ++k) {
      const auto nodes = [&](const Tensor& t) { return t.reshape({kRows, 1, kClasses}); };
      const Tensor drawn = more.select(1, k).contiguous();
      const Tensor noisy = noisy_given_choices(Variable(nodes(h)), nodes(d), nodes(drawn)).value();
      parts.push_back(softmax_at(noisy.reshape({kRows, kClasses}), l, kTemperature));
    }
    return [parts](const Variables& x) {
      Variable sum = parts[0](x);
      for (std::size_t k = 1; k < parts.size(); ++k) sum = sum + parts[k](x);
      return sum * (1.0 / static_cast<double>(parts.size()));
    };
  };
  using L = const Variable&;
  using N = const Tensor&;
  add(
      "zgr", [](L l, N n, N) { return zgr(l, n); }, [=](N l, N d) { return reinmax_at(l, d, 1); });
  add(
      "reinmax", [](L l, N n, N) { return reinmax(l, n, kTemperature); },
      [=](N l, N d) { return reinmax_at(l, d, kTemperature); });
  add(
      "gumbel_rao", [](L l, N n, N m) { return gumbel_rao(l, n, m, kTemperature); },
      [=](N l, N d) { return rao_at(l, l, d); });
  add(
      "reinmax_rao", [](L l, N n, N m) { return reinmax_rao(l, n, m, kTemperature); },
      [=](N l, N d) { return combined(2, rao_at(halfway_logits(l, d), l, d), -0.5, softmax_at(l, l, 1)); });
  add(
      "reinmax_cv", [](L l, N n, N m) { return reinmax_cv(l, n, m, 0.5, kTemperature); },
      [=](N l, N d) {
        const Tensor h = halfway_logits(l, d);
        const Function difference =
            combined(0.5, rao_at(h, l, d), -0.5, softmax_at(tk::add(h, noise), l, kTemperature));
        return combined(1, reinmax_at(l, d, kTemperature), 1, difference);
      });
  add(
      "straight_through of classes", [](L l, N n, N) { return straight_through(l, n, kTemperature); },
      [=](N l, N) { return softmax_at(l, l, kTemperature); });
}

void add_other_estimators(Table& table) {
  const auto counts = from_values<double>({0, 1, 2, 3, 4, 8, 2});
  for (const int order : {2, 3}) {
    const Function f = [=](const Variables& x) {
      return least_norm(x[0], on(x, counts.to(x[0].dtype())), binomial_moments(x[0].value(), 8), order);
    };
    OpCase& row = table.add(concat("least_norm ", order), f, {{{7}}});
    const Variable x(row.inputs[0], true);
    sum(least_norm(x, counts, binomial_moments(x.value(), 8), order)).backward();
    row.relaxed = with_slopes(x.grad());
    row.chooses = false;
  }
  const Tensor slopes = random_normal({4, 3}, 5, DType::kFloat64);
  OpCase& row_gradient =
      table.add("with_gradient",
                [=](const Variables& x) { return with_gradient(x[0], on(x, slopes.to(x[0].dtype()))); }, {{{4, 3}}});
  row_gradient.relaxed = [=](const Variables& x) { return sum(with_slopes(slopes)(x), 1); };
  table.add(
      "noisy_given_choices",
      [](const Variables& x) {
        const Tensor b = on(x, from_values<double>({1, 0, 0, 1}, {2, 2}).to(x[0].dtype()));
        return noisy_given_choices(x[0], b, on(x, from_values<double>({0.3, -1, 2, -3}, {2, 2}).to(x[0].dtype())));
      },
      {{{2, 2}}});
  const Tensor state = make_step_state({.seed = 3});
  const Function doubled = [state](const Variables& x) {
    const Draws draws = draws_of_rows(on(x, state), x[0].size(0));
    return double_control_variates([](const Variable& b) { return exp(sum(b, 1)); }, x[0], draws, 3);
  };
  OpCase& row = table.add("double_control_variates", doubled, {{{4, 3}}});
  const Variable x(row.inputs[0], true);
  sum(doubled({x})).backward();
  row.chooses = false;
  row.relaxed = [slopes = x.grad()](const Variables& in) { return sum(with_slopes(slopes)(in), 1); };
}

}  // namespace

void add_estimators(Table& table) {
  add_relaxations(table);
  add_gate_estimators(table);
  add_class_estimators(table);
  add_other_estimators(table);
}

}  // namespace tk::test
