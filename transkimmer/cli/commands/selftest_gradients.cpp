#include <cmath>
#include <limits>

#include "autograd/estimators/gumbel_softmax.h"
#include "autograd/estimators/sloped_gate.h"
#include "autograd/estimators/straight_through.h"
#include "autograd/gradcheck.h"
#include "autograd/ops/attention.h"
#include "autograd/ops/bias_activation.h"
#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/dropout.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/gate_masks.h"
#include "autograd/ops/index.h"
#include "autograd/ops/join.h"
#include "autograd/ops/layer_norm.h"
#include "autograd/ops/lerp.h"
#include "autograd/ops/mac_share.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/optim.h"
#include "autograd/ops/predictor_head.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/residual_dropout_layer_norm.h"
#include "autograd/ops/shape.h"
#include "autograd/ops/softmax.h"
#include "autograd/ops/to.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/gate.h"
#include "tensor/packed.h"
#include "transkimmer/cli/commands/selftest.h"

namespace tk {
namespace {

using Function = std::function<Variable(const Variables&)>;

// Central differences with a step of 1e-6 carry the roundings of sums of some tens of numbers, divided by that step.
constexpr double kNumeric = 1e-6;
// The same sums in another order.
constexpr double kSame = 1e-12;

Tensor normal(const Shape& shape, std::uint64_t seed) {
  Generator generator(seed, Purpose::kUser);
  const Tensor x = empty(shape, DType::kFloat64);
  for (std::int64_t i = 0; i < x.numel(); ++i) x.data<double>()[i] = generator.normal();
  return x;
}

// Away from the kinks and poles at zero.
Tensor apart_from_zero(const Shape& shape, std::uint64_t seed) {
  const Tensor x = normal(shape, seed);
  for (double& value : std::span(x.data<double>(), static_cast<std::size_t>(x.numel()))) {
    value += std::copysign(0.5, value);
  }
  return x;
}

Tensor positive(const Shape& shape, std::uint64_t seed) { return abs(apart_from_zero(shape, seed)); }

Tensors normals(const std::vector<Shape>& shapes) {
  Tensors inputs;
  for (const Shape& shape : shapes) inputs.push_back(normal(shape, inputs.size() + 1));
  return inputs;
}

double numeric_error(const Function& f, const Tensors& inputs) {
  const GradcheckResult result = gradcheck(f, inputs, {.relative_tolerance = 0, .absolute_tolerance = kNumeric});
  const bool is_number = result.passed || result.largest_error > kNumeric;
  return is_number ? result.largest_error : std::numeric_limits<double>::quiet_NaN();
}

Tensors gradients(const Function& f, const Tensors& inputs) {
  Variables variables;
  for (const Tensor& input : inputs) variables.emplace_back(input, true);
  const Variable y = f(variables);
  y.backward(normal(y.shape(), 99));
  Tensors result;
  for (const Variable& variable : variables) result.push_back(variable.grad());
  return result;
}

double largest_difference(const Tensors& a, const Tensors& b) {
  double largest = 0;
  for (std::size_t k = 0; k < a.size(); ++k) {
    const std::vector<double> x = a[k].to_vector<double>();
    const std::vector<double> y = b[k].to_vector<double>();
    for (std::size_t i = 0; i < x.size(); ++i) largest = std::max(largest, std::fabs(x[i] - y[i]));
  }
  return largest;
}

class Table {
 public:
  void add_on(std::string what, const Function& f, const Tensors& inputs) {
    for (const Tensor& input : inputs) what += concat(' ', input.shape());
    checks_.push_back({std::move(what), kNumeric, [f, inputs] { return numeric_error(f, inputs); }});
  }
  void add(const std::string& what, const Function& f, const std::vector<Shape>& shapes) {
    add_on(what, f, normals(shapes));
  }
  // A discrete choice and the function whose gradient it takes.
  void add_straight_through(const std::string& what, const Function& hard, const Function& soft,
                            const Tensors& inputs) {
    add_on(what + ", relaxed", soft, inputs);
    add_beside(what + " beside its relaxation", hard, soft, inputs, kSame);
  }
  // A function and another one with the same gradient.
  void add_beside(const std::string& what, const Function& f, const Function& twin, const Tensors& inputs,
                  double allowed) {
    checks_.push_back(
        {what, allowed, [=] { return largest_difference(gradients(f, inputs), gradients(twin, inputs)); }});
  }
  std::vector<SelfCheck> take() { return std::move(checks_); }

 private:
  std::vector<SelfCheck> checks_;
};

void add_elementwise(Table& table) {
  const Shape shape = {3, 5};
  const auto add_unary = [&](const char* name, UnaryOp op) {
    const bool needs_positive =
        op == UnaryOp::kLog || op == UnaryOp::kLog1p || op == UnaryOp::kSqrt || op == UnaryOp::kRsqrt;
    const Tensor x = needs_positive ? positive(shape, 1) : apart_from_zero(shape, 1);
    table.add_on(name, [op](const Variables& v) { return unary(op, v[0]); }, {x});
  };
#define TK_ADD(name, functor) add_unary(#name, UnaryOp::k##functor);
  TK_UNARY_OPS(TK_ADD)
#undef TK_ADD
  const auto add_binary = [&](const char* name, BinaryOp op) {
    const Function f = [op](const Variables& v) { return binary(op, v[0], v[1]); };
    for (const Shape& other : std::vector<Shape>{{3, 5}, {5}, {3, 1}}) {
      const Tensor first = op == BinaryOp::kPow ? positive(shape, 1) : normal(shape, 1);
      table.add_on(name, f, {first, apart_from_zero(other, 2)});
    }
  };
#define TK_ADD(name, functor) add_binary(#name, BinaryOp::k##functor);
  TK_BINARY_OPS(TK_ADD)
#undef TK_ADD
  table.add("affine", [](const Variables& v) { return affine(v[0], -1.5, 0.25); }, {shape});
}

void add_shapes_and_sums(Table& table) {
  table.add("sum", [](const Variables& v) { return sum(v[0]); }, {{3, 5}});
  table.add("sum over 0", [](const Variables& v) { return sum(v[0], 0); }, {{2, 3, 4}});
  table.add("mean", [](const Variables& v) { return mean(v[0]); }, {{3, 5}});
  const Tensor offsets = from_values<std::int32_t>({0, 3, 3, 9});
  table.add("segment_sum", [=](const Variables& v) { return segment_sum(v[0], offsets); }, {{9}});
  table.add("reshape", [](const Variables& v) { return reshape(v[0], {4, -1}); }, {{2, 6}});
  table.add("transpose", [](const Variables& v) { return transpose(v[0], 0, 2); }, {{2, 3, 4}});
  table.add("narrow", [](const Variables& v) { return narrow(v[0], 1, 1, 2); }, {{3, 4}});
  table.add("expand", [](const Variables& v) { return expand(v[0], {2, 3, 4}); }, {{3, 1}});
  // A difference quotient would magnify the rounding.
  table.add_beside(
      "to float32 and back, beside the identity",
      [](const Variables& v) { return to(to(v[0], DType::kFloat32), DType::kFloat64); },
      [](const Variables& v) { return reshape(v[0], v[0].shape()); }, normals({{3, 4}}), 1e-6);
  table.add("join", [](const Variables& v) { return join(v, 1); }, {{2, 3}, {2, 1}});
  const Tensor index = from_values<std::int32_t>({2, 0, 2, 1});
  table.add("index_select", [=](const Variables& v) { return index_select(v[0], index); }, {{3, 4}});
  const Tensor rows = from_values<std::int32_t>({2, 0});
  table.add("index_copy", [=](const Variables& v) { return index_copy(v[0], rows, v[1]); }, {{3, 4}, {2, 4}});
  table.add("take_rows", [=](const Variables& v) { return take_rows(v[0], rows); }, {{3, 4}});
}

Packed sentences() { return make_packed({3, 1, 5}, {4, 7, 9}); }

void add_masks(Table& table) {
  const Packed rows = sentences();
  table.add("lerp_rows", [](const Variables& v) { return lerp_rows(v[0], v[1], v[2]); }, {{3, 5}, {3, 5}, {3}});
  table.add("gate_masks",
            [=](const Variables& v) {
              const MaskVariables masks = gate_masks(v[0], {v[1], v[2], {}}, rows.offsets, {});
              return join({masks.keys, masks.updated, masks.fed});
            },
            {{rows.tokens, 3}, {rows.tokens}, {rows.tokens}});
  const MacCoefficients c{.row = 0.3,
                          .pair = 0.02,
                          .heads_pair = 0,
                          .feed = 0.5,
                          .predict = 0.1,
                          .unasked = 1,
                          .head_sentence = 0.7,
                          .head_row = 0.05};
  table.add("mac_share",
            [=](const Variables& v) {
              return mac_share({{{v[0], v[1], v[2]}, MaskedLayer::Predicted::kKeys}}, rows.offsets, c).share;
            },
            {{rows.tokens}, {rows.tokens}, {rows.tokens}});
}

void add_products_and_rows(Table& table) {
  table.add("matmul", [](const Variables& v) { return matmul(v[0], v[1]); }, {{3, 5}, {5, 7}});
  table.add("matmul", [](const Variables& v) { return matmul(v[0], v[1]); }, {{2, 3, 5}, {2, 5, 4}});
  table.add("linear", [](const Variables& v) { return linear(v[0], v[1], v[2]); }, {{3, 5}, {7, 5}, {7}});
  table.add("softmax", [](const Variables& v) { return softmax(v[0]); }, {{3, 5}});
  table.add("log_softmax", [](const Variables& v) { return log_softmax(v[0]); }, {{3, 5}});
  table.add("layer_norm", [](const Variables& v) { return layer_norm(v[0], v[1], v[2], 1e-5); }, {{3, 9}, {9}, {9}});
  for (const auto& [name, f] : {std::pair("gelu", Activation::kGelu), std::pair("gelu_tanh", Activation::kGeluTanh),
                                std::pair("relu", Activation::kRelu), std::pair("silu", Activation::kSilu)}) {
    table.add(concat("bias_activation, ", name), [f = f](const Variables& v) { return bias_activation(v[0], v[1], f); },
              {{3, 9}, {9}});
  }
  for (const std::int64_t outputs : {2, 3}) {
    table.add("predictor_head", [](const Variables& v) { return predictor_head(v[0], v[1], v[2], v[3], v[4], 1e-5); },
              {{3, 9}, {9}, {9}, {outputs, 9}, {outputs}});
  }
  const Tensor labels = from_values<std::int32_t>({2, 0, 1, 2});
  table.add("cross_entropy", [=](const Variables& v) { return cross_entropy(v[0], labels); }, {{4, 3}});
}

DropoutKey dropout_key(double p, const Packed& rows) {
  return {.p = p,
          .state = make_step_state({.seed = 7, .step = 3}),
          .example = rows.example,
          .position = rows.position,
          .stream = {}};
}

void add_dropout(Table& table) {
  const Packed rows = sentences();
  const DropoutKey key = dropout_key(0.3, rows);
  table.add("dropout", [=](const Variables& v) { return dropout(v[0], key); }, {{rows.tokens, 5}});
  table.add(
      "residual_dropout_layer_norm",
      [=](const Variables& v) { return residual_dropout_layer_norm(v[0], v[1], v[2], v[3], v[4], v[5], 1e-5, key); },
      {{rows.tokens, 7}, {7}, {rows.tokens, 7}, {rows.tokens}, {7}, {7}});
}

void add_attention(Table& table) {
  const Packed all = sentences();
  const Packed first = first_rows(all).packed;
  const auto key = [&](const Packed& asking, double p, KeyWeighting weighting) {
    return AttentionKey{2, asking.offsets, all.offsets, all.position, weighting, dropout_key(p, asking)};
  };
  const Tensors dense = normals({{all.tokens, 18}});
  const Tensors weighted = {dense[0], positive({all.tokens}, 2)};
  const auto of_all = [](const AttentionKey& k) -> Function {
    return [k](const Variables& v) { return packed_attention(v[0], v.size() > 1 ? v[1] : Variable(), k); };
  };
  table.add_on("packed_attention", of_all(key(all, 0, KeyWeighting::kExact)), dense);
  table.add_on("packed_attention weighted, dropout", of_all(key(all, 0.3, KeyWeighting::kExact)), weighted);
  table.add_on("packed_attention weighted as published", of_all(key(all, 0, KeyWeighting::kPaper)), weighted);
  const AttentionKey of_first = key(first, 0, KeyWeighting::kExact);
  table.add("packed_attention of first rows",
            [=](const Variables& v) { return packed_attention(v[0], v[1], Variable(), of_first); },
            {{first.tokens, 6}, {all.tokens, 12}});
}

void add_estimators(Table& table) {
  const Packed rows = sentences();
  const DropoutKey key = dropout_key(0, rows);
  const Tensor gumbel = gumbel_noise(key, 3, DType::kFloat64);
  const auto sampled = [=](bool hard) -> Function {
    return [=](const Variables& v) { return gumbel_softmax(v[0], gumbel, 0.7, hard); };
  };
  table.add_straight_through("gumbel_softmax", sampled(true), sampled(false), normals({{rows.tokens, 3}}));

  const Tensor logistic = logistic_noise(key, 1, DType::kFloat64).squeeze(1);
  const Tensor state = make_step_state({.temperature = 0.7, .budget = 0.5, .skim_threshold = 0.4, .multiplier = 0.3});
  table.add_on(
      "gate_margin", [=](const Variables& v) { return gate_margin(v[0], state); }, normals({{rows.tokens}}));
  table.add_straight_through(
      "gumbel_gate", [=](const Variables& v) { return gumbel_gate(v[0], logistic, state); },
      [=](const Variables& v) { return sigmoid((v[0] + Variable(logistic)) * (1 / 0.7)); }, normals({{rows.tokens}}));
  table.add_on(
      "soft_gate", [=](const Variables& v) { return soft_gate(v[0], logistic, state); }, normals({{rows.tokens}}));
  table.add_beside(
      "sloped_gate, half of what the other side has",
      [=](const Variables& v) { return sloped_gate(v[0], logistic, state, {.slope = GateSlope::kLeastNorm}); },
      [=](const Variables& v) {
        const Tensor kept = hard_gate(v[0].value(), logistic, state).hard, p = sigmoid(v[0].value());
        const Tensor other = add(mul(kept, affine(p, -1, 1)), mul(affine(kept, -1, 1), p));
        return v[0] * Variable(affine(other, 0.5));
      },
      normals({{rows.tokens}}), kSame);
  const Function soft = [](const Variables& v) { return softmax(v[0]); };
  table.add_straight_through(
      "straight_through", [=](const Variables& v) { return straight_through(zeros_like(v[0].value()), softmax(v[0])); },
      soft, normals({{4, 3}}));
  table.add_on("budget_loss", [=](const Variables& v) { return budget_loss(v[0], state); },
               {full({}, 0.8, DType::kFloat64)});
}

}  // namespace

SelfCheckGroup gradient_checks() {
  Table table;
  add_elementwise(table);
  add_shapes_and_sums(table);
  add_products_and_rows(table);
  add_masks(table);
  add_dropout(table);
  add_attention(table);
  add_estimators(table);
  return {"gradients", table.take()};
}

}  // namespace tk
