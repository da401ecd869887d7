#include "tests/support/op_cases.h"

#include <cmath>
#include <utility>

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
#include "autograd/ops/predictor_head.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/residual_dropout_layer_norm.h"
#include "autograd/ops/shape.h"
#include "autograd/ops/softmax.h"
#include "autograd/ops/to.h"
#include "tensor/ops/softmax.h"
#include "tests/support/activations.h"
#include "tests/support/mac_coefficients.h"
#include "tests/support/op_case_table.h"
#include "tests/support/tensors.h"

namespace tk::test {
namespace {

Domain domain_of(UnaryOp op) {
  if (op == UnaryOp::kLog || op == UnaryOp::kLog1p || op == UnaryOp::kSqrt || op == UnaryOp::kRsqrt) {
    return Domain::kPositive;
  }
  return op == UnaryOp::kAbs || op == UnaryOp::kRelu ? Domain::kAwayFromZero : Domain::kNormal;
}

void add_elementwise(Table& table) {
  const auto add_unary = [&](const char* name, UnaryOp op) {
    const Function f = [op](const Variables& x) { return unary(op, x[0]); };
    for (const Shape& shape : std::vector<Shape>{{}, {0}, {1}, {3, 0}, {3, 5}, {2, 1, 7}}) {
      table.add(name, f, {{shape, domain_of(op)}});
    }
    table.add_large(name, f, {{{130, 257}, domain_of(op)}});
  };
#define TK_ADD(name, functor) add_unary(#name, UnaryOp::k##functor);
  TK_UNARY_OPS(TK_ADD)
#undef TK_ADD

  const auto add_binary = [&](const char* name, BinaryOp op) {
    const Function f = [op](const Variables& x) { return binary(op, x[0], x[1]); };
    const auto add = [&](const Shape& a, const Shape& b, bool large = false) {
      const Domain first = op == BinaryOp::kPow ? Domain::kPositive : Domain::kQuarters;
      const std::vector<Input> inputs = {{a, first}, {b, Domain::kOddEighths}};
      large ? table.add_large(name, f, inputs) : table.add(name, f, inputs);
    };
    add({}, {});
    add({0}, {1});
    add({3, 0}, {1});
    add({3, 5}, {3, 5});
    add({3, 5}, {5});
    add({5}, {3, 5});
    add({3, 5}, {});
    add({1}, {3, 5});
    add({3, 5}, {3, 1});
    add({3, 1}, {1, 5});
    add({2, 1, 4}, {3, 1});
    add({130, 257}, {130, 257}, true);
    add({130, 257}, {257}, true);
    add({130, 1}, {130, 257}, true);
  };
#define TK_ADD(name, functor) add_binary(#name, BinaryOp::k##functor);
  TK_BINARY_OPS(TK_ADD)
#undef TK_ADD

  const Function scaled = [](const Variables& x) { return affine(x[0], -1.5, 0.25); };
  for (const Shape& shape : std::vector<Shape>{{}, {0}, {3, 5}}) table.add("affine", scaled, {{shape}});
  table.add_large("affine", scaled, {{{130, 257}}});
}

void add_reductions(Table& table) {
  const Function all = [](const Variables& x) { return sum(x[0]); };
  for (const Shape& shape : std::vector<Shape>{{}, {0}, {1}, {3, 0}, {3, 5}}) table.add("sum", all, {{shape}});
  table.add_large("sum", all, {{{130, 257}}});
  table.add("mean", [](const Variables& x) { return mean(x[0]); }, {{{3, 5}}});
  for (const std::int64_t dim : {0, 1, -1}) {
    const Function one = [dim](const Variables& x) { return sum(x[0], dim); };
    const std::string name = concat("sum over ", dim);
    table.add(name, one, {{{2, 3, 4}}});
    table.add(name, one, {{{3, 0}}});
    table.add(name, one, {{{0, 3}}});
    table.add_large(name, one, {{{513, 385}}});
  }
  table.add("sum over 0", [](const Variables& x) { return sum(x[0], 0); }, {{{5}}});
  const auto segments = [&](const std::vector<std::int32_t>& offsets) -> Function {
    return [offsets = from_values(offsets)](const Variables& x) { return segment_sum(x[0], on(x, offsets)); };
  };
  table.add("segment_sum", segments({0, 3, 3, 9}), {{{9}}});
  table.add("segment_sum of one", segments({0, 1}), {{{1}}});
  table.add("segment_sum of an empty segment", segments({0, 0}), {{{0}}});
  table.add("segment_sum of none", segments({0}), {{{0}}});
  table.add_large("segment_sum", segments({0, 10, 20000, 50001}), {{{50001}}});
}

void add_shapes(Table& table) {
  table.add("reshape", [](const Variables& x) { return reshape(x[0], {4, -1}); }, {{{2, 6}}});
  table.add("reshape to one element", [](const Variables& x) { return reshape(x[0], {}); }, {{{1, 1}}});
  table.add("reshape", [](const Variables& x) { return reshape(x[0], {0, 7}); }, {{{3, 0}}});
  table.add("transpose", [](const Variables& x) { return transpose(x[0], 0, 2); }, {{{2, 3, 4}}});
  table.add("transpose", [](const Variables& x) { return transpose(x[0], -1, -2); }, {{{0, 4}}});
  for (const std::int64_t dim : {0, 1, -1}) {
    table.add(concat("narrow ", dim), [dim](const Variables& x) { return narrow(x[0], dim, 1, 2); }, {{{3, 4, 5}}});
    table.add(concat("narrow to nothing ", dim), [dim](const Variables& x) { return narrow(x[0], dim, 2, 0); },
              {{{3, 4}}});
  }
  const auto expanded = [](const Shape& shape) -> Function {
    return [shape](const Variables& x) { return expand(x[0], shape); };
  };
  table.add("expand", expanded({3}), {{{1}}});
  table.add("expand", expanded({2, 3, 4}), {{{3, 1}}});
  table.add("expand", expanded({2}), {{Shape{}}});
  table.add("expand", expanded({0}), {{{1}}});
  table.add("expand", expanded({3, 4}), {{{3, 4}}});
  // There and back: float32 by way of float64, float64 by way of float32, whose rounding has no gradient to check.
  const Function converted = [](const Variables& x) {
    return to(to(x[0], x[0].dtype() == DType::kFloat64 ? DType::kFloat32 : DType::kFloat64), x[0].dtype());
  };
  for (const Shape& shape : std::vector<Shape>{{}, {0}, {3, 5}}) table.add_large("to", converted, {{shape}});
  const auto joined = [](std::int64_t dim) -> Function { return [dim](const Variables& x) { return join(x, dim); }; };
  table.add("join 0", joined(0), {{{2, 3}}, {{0, 3}}, {{4, 3}}});
  table.add("join 1", joined(1), {{{2, 3}}, {{2, 1}}});
  table.add("join -1", joined(-1), {{{2, 3}}, {{2, 1}}});
  table.add("join 0", joined(0), {{{5}}});
  table.add("join 0", joined(0), {{{0}}, {{0}}});
}

void add_products(Table& table) {
  const Function product = [](const Variables& x) { return matmul(x[0], x[1]); };
  const Function plain = [](const Variables& x) { return linear(x[0], x[1], Variable()); };
  const Function biased = [](const Variables& x) { return linear(x[0], x[1], x[2]); };
  // m, k, n
  const std::vector<Shape> sizes = {{3, 5, 7}, {1, 1, 1}, {1, 5, 7}, {3, 5, 1}, {0, 5, 7}, {3, 0, 7}, {3, 5, 0}};
  for (const Shape& s : sizes) {
    table.add("matmul", product, {{{s[0], s[1]}}, {{s[1], s[2]}}});
    table.add("linear", plain, {{{s[0], s[1]}}, {{s[2], s[1]}}});
    table.add("linear", biased, {{{s[0], s[1]}}, {{s[2], s[1]}}, {{s[2]}}});
    table.add("matmul", product, {{{2, s[0], s[1]}}, {{2, s[1], s[2]}}});
    table.add("matmul", product, {{{1, s[0], s[1]}}, {{1, s[1], s[2]}}});
  }
  table.add("matmul", product, {{{0, 3, 4}}, {{0, 4, 5}}});
  table.add_large("matmul", product, {{{257, 193}}, {{193, 130}}});
  table.add_large("matmul", product, {{{20, 33, 17}}, {{20, 17, 29}}});
  table.add_large("linear", plain, {{{513, 130}}, {{385, 130}}});
  table.add_large("linear", biased, {{{513, 130}}, {{385, 130}}, {{385}}});
}

// Rows 0, 1, 3 | 0 | 0, 2, 3, 5, 6 of three sentences: positions with gaps, as after a skimmed layer.
void add_rows(Table& table) {
  const Function soft = [](const Variables& x) { return softmax(x[0]); };
  const Function log_soft = [](const Variables& x) { return log_softmax(x[0]); };
  for (const Shape& shape : std::vector<Shape>{{5}, {1}, {0, 3}, {3, 0}, {3, 1}, {3, 5}, {2, 3, 4}}) {
    table.add("softmax", soft, {{shape}});
    table.add("log_softmax", log_soft, {{shape}});
  }
  table.add_large("softmax", soft, {{{700, 65}}});
  table.add_large("log_softmax", log_soft, {{{700, 65}}});

  const Function normalised = [](const Variables& x) { return layer_norm(x[0], x[1], x[2], 1e-5); };
  for (const Shape& shape : std::vector<Shape>{{5}, {0, 4}, {3, 1}, {3, 33}, {2, 3, 4}}) {
    OpCase& row = table.add("layer_norm", normalised, {{shape}, {{shape.back()}}, {{shape.back()}}});
    row.float32 = kFloat32Sums;
    row.columns = 2;
  }
  table.add_large("layer_norm", normalised, {{{700, 65}}, {{65}}, {{65}}}).columns = 2;
  const Function gamma_is_beta = [](const Variables& x) { return layer_norm(x[0], x[1], x[1], 1e-5); };
  table.add("layer_norm, gamma is beta", gamma_is_beta, {{{3, 33}}, {{33}}}).columns = 1;

  for (const ActivationCase& each : kEveryActivation) {
    const Function activated = [&each](const Variables& x) { return bias_activation(x[0], x[1], each.activation); };
    const std::string name = concat("bias_activation ", tk::name(each.op));
    for (const Shape& shape : std::vector<Shape>{{5}, {0, 4}, {3, 0}, {3, 1}, {3, 33}, {2, 3, 4}}) {
      table.add(name, activated, {{shape}, {{shape.back()}}}).columns = 1;
    }
    table.add_large(name, activated, {{{700, 65}}, {{65}}}).columns = 1;
  }

  const auto cross = [](const std::vector<std::int32_t>& labels) -> Function {
    return [labels = from_values(labels)](const Variables& x) { return cross_entropy(x[0], on(x, labels)); };
  };
  table.add("cross_entropy", cross({2, 0, 1, 2}), {{{4, 3}}});
  table.add("cross_entropy", cross({0}), {{{1, 1}}});
  table.add("cross_entropy", cross({}), {{{0, 3}}});
  table.add_large("cross_entropy", cross(std::vector<std::int32_t>(700, 1)), {{{700, 3}}});
}

void add_dropout(Table& table) {
  const Packed rows = compacted_rows();
  const Packed many = many_rows();
  const auto dropped = [](double p, const Packed& packed) -> Function {
    return [key = dropout_key(p, packed)](const Variables& x) { return dropout(x[0], on(x, key)); };
  };
  table.add("dropout p 0", dropped(0, rows), {{{rows.tokens, 7}}});
  for (const std::int64_t cols : {0, 1, 7}) table.add("dropout", dropped(0.4, rows), {{{rows.tokens, cols}}});
  table.add("dropout", dropped(0.4, make_packed({}, {})), {{{0, 7}}});
  table.add_large("dropout", dropped(0.4, many), {{{many.tokens, 65}}});

  const Function one_for_all = [key = dropout_key(0.3, rows)](const Variables& x) {
    return residual_dropout_layer_norm(x[0], x[2], x[1], Variable(), x[2], x[2], 1e-5, on(x, key));
  };
  const Shape shape{rows.tokens, 7};
  table.add("residual_dropout_layer_norm, bias is gamma is beta", one_for_all, {{shape}, {shape}, {{7}}}).columns = 1;
  for (const bool bias : {false, true}) {
    for (const bool scale : {false, true}) {
      for (const double p : {0.0, 0.3}) {
        const auto add = [&](const Packed& packed, std::int64_t cols, bool large) {
          const Function f = [=, key = dropout_key(p, packed)](const Variables& x) {
            std::size_t next = 4;
            const Variable b = bias ? x[next++] : Variable();
            const Variable s = scale ? x[next++] : Variable();
            return residual_dropout_layer_norm(x[0], b, x[1], s, x[2], x[3], 1e-5, on(x, key));
          };
          std::vector<Input> inputs = {{{packed.tokens, cols}}, {{packed.tokens, cols}}, {{cols}}, {{cols}}};
          if (bias) inputs.push_back({{cols}});
          if (scale) inputs.push_back({{packed.tokens}});
          const std::string name =
              concat("residual_dropout_layer_norm", bias ? " bias" : "", scale ? " scale" : "", " p ", p);
          OpCase& row = large ? table.add_large(name, f, inputs) : table.add(name, f, inputs);
          if (!large) row.float32 = kFloat32Sums;
          row.columns = inputs.size() - 2;
        };
        add(rows, 7, false);
        add(make_packed({}, {}), 7, false);
        add(many, 65, true);
      }
    }
  }
}

void add_predictor_heads(Table& table) {
  const Function head = [](const Variables& x) { return predictor_head(x[0], x[1], x[2], x[3], x[4], 1e-5); };
  for (const std::int64_t outputs : {2, 3}) {
    const auto inputs = [&](std::int64_t rows, std::int64_t width) -> std::vector<Input> {
      return {{{rows, width}}, {{width}}, {{width}}, {{outputs, width}}, {{outputs}}};
    };
    for (const Shape& shape : std::vector<Shape>{{0, 4}, {1, 5}, {3, 1}, {7, 33}}) {
      OpCase& row = table.add("predictor_head", head, inputs(shape[0], shape[1]));
      row.float32 = kFloat32Sums;
      row.columns = 4;
    }
    table.add_large("predictor_head", head, inputs(700, 65)).columns = 4;
  }
  const Function one_for_all = [](const Variables& x) { return predictor_head(x[0], x[1], x[1], x[2], x[1], 1e-5); };
  OpCase& row = table.add("predictor_head, gamma is beta is output_b", one_for_all, {{{5, 3}}, {{3}}, {{3, 3}}});
  row.float32 = kFloat32Sums;
  row.columns = 2;
}

// 1, 0, 2, 0.5, 1, 0, ...: keys that are there, that are not, and that stand for several.
Tensor key_weights(std::int64_t n) {
  constexpr double kWeights[] = {1, 0, 2, 0.5};
  const Tensor w = empty({n}, DType::kFloat64);
  for (std::int64_t i = 0; i < n; ++i) w.data<double>()[i] = kWeights[i % 4];
  return w;
}

// The same batch with n rows behind the last sentence.
Packed with_dummies(const Packed& packed, std::int64_t n) {
  const auto extended = [n](const Tensor& ids) {
    std::vector<std::int32_t> values = ids.to_vector<std::int32_t>();
    values.resize(values.size() + static_cast<std::size_t>(n), 0);
    return from_values(values);
  };
  Packed rounded = packed;
  rounded.tokens += n;
  rounded.example = extended(packed.example);
  rounded.position = extended(packed.position);
  return rounded;
}

void add_attention(Table& table) {
  const std::int64_t heads = 2;
  const auto add = [&](const std::string& what, const Packed& q, const Packed& kv, bool weighted, double p,
                       KeyWeighting weighting, bool large = false, std::int64_t head_size = 3) {
    const std::int64_t d = heads * head_size;
    const AttentionKey key = attention_key(heads, q, kv, p, weighting);
    const bool same_rows = q.tokens == kv.tokens;
    const Function f = [key, same_rows](const Variables& x) {
      const std::size_t matrices = same_rows ? 1 : 2;
      const Variable weight = x.size() > matrices ? x[matrices] : Variable();
      const AttentionKey here = on(x, key);
      return same_rows ? packed_attention(x[0], weight, here) : packed_attention(x[0], x[1], weight, here);
    };
    const std::string name = "packed_attention " + what;
    Tensors inputs;
    if (!same_rows) inputs.push_back(random_normal({q.tokens, d}, seed_of(name), DType::kFloat64));
    inputs.push_back(random_normal({kv.tokens, (same_rows ? 3 : 2) * d}, seed_of(name) + 1, DType::kFloat64));
    if (weighted) inputs.push_back(key_weights(kv.tokens));
    OpCase& row = table.add(name, f, inputs);
    row.float32 = kFloat32Sums;
    row.large = large;
    row.columns = weighted ? 1 : 0;
  };
  const auto exact = KeyWeighting::kExact;
  const auto paper = KeyWeighting::kPaper;
  const Packed rows = compacted_rows();
  const Packed first = first_rows(rows).packed;
  const Packed some = keep(rows, from_values(std::span<const bool>(std::initializer_list<bool>{
                                                 true, false, true, true, false, true, true, false, true}),
                                             {9}))
                          .packed;
  add("dense", rows, rows, false, 0, exact);
  add("weighted", rows, rows, true, 0, exact);
  add("paper", rows, rows, true, 0, paper);
  add("dropout", rows, rows, false, 0.3, exact);
  add("weighted dropout", rows, rows, true, 0.3, exact);
  add("paper dropout", rows, rows, true, 0.3, paper);
  add("first rows", first, rows, false, 0, exact);
  add("first rows weighted", first, rows, true, 0, exact);
  add("some rows", some, rows, false, 0, exact);
  add("some rows weighted dropout", some, rows, true, 0.3, exact);
  add("some rows paper", some, rows, true, 0, paper);
  add("one row", make_packed({1}, {0}), make_packed({1}, {0}), true, 0, exact);
  add("empty sentences", make_packed({0, 3, 0}, {0, 1, 2}), make_packed({0, 3, 0}, {0, 1, 2}), true, 0, exact);
  add("sentences without queries", make_packed({0, 1}, {0, 1}), make_packed({2, 3}, {0, 1}), true, 0, exact);
  add("no sentences", make_packed({}, {}), make_packed({}, {}), true, 0.3, exact);
  const Packed many = many_rows();
  add("large", many, many, true, 0.1, exact, true);
  add("large first rows", first_rows(many).packed, many, false, 0, exact, true);

  // Heads for the matrix units of a device, which take rows by 16, and by 64 or 128 as sentences are short or long;
  // some keys' positions have gaps.
  const Packed long_rows = make_packed({70, 5, 0, 130, 16}, {3, 1, 4, 15, 9});
  const Tensor mask = empty({long_rows.tokens}, DType::kBool);
  for (std::int64_t i = 0; i < long_rows.tokens; ++i) mask.data<bool>()[i] = i % 5 != 2 || i % 3 == 0;
  const Packed fewer = keep(long_rows, mask).packed;
  const Packed mixed =
      with_dummies(make_packed({7, 100, 3, 0, 12, 9, 1, 20, 3, 11}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}), 70);
  for (const std::int64_t head_size : {32, 64}) {
    const std::string heads_of = concat("heads of ", head_size);
    add(heads_of, long_rows, long_rows, false, 0, exact, true, head_size);
    add(heads_of + " weighted dropout", long_rows, long_rows, true, 0.2, exact, true, head_size);
    add(heads_of + " paper dropout", fewer, fewer, true, 0.2, paper, true, head_size);
    add(heads_of + " some rows", fewer, long_rows, true, 0.2, exact, true, head_size);
    add(heads_of + " first rows", first_rows(many).packed, many, false, 0.2, exact, true, head_size);
    add(heads_of + " dummy rows", mixed, mixed, true, 0.2, exact, true, head_size);
  }
}

void add_indexing(Table& table) {
  const auto selected = [](const Tensor& index) -> Function {
    return [index](const Variables& x) { return index_select(x[0], on(x, index)); };
  };
  const Tensor index = from_values<std::int32_t>({2, 0, 2, 1});
  for (const Shape& shape : std::vector<Shape>{{3}, {3, 4}, {3, 2, 2}, {3, 0}}) {
    table.add("index_select", selected(index), {{shape}});
  }
  table.add("index_select by int64", selected(index.to(DType::kInt64)), {{{3, 4}}});
  table.add("index_select, -1 names no row", selected(from_values<std::int32_t>({2, -1, 2, 0, -1})), {{{3, 4}}});
  table.add("index_select of none", selected(from_values<std::int32_t>({})), {{{3, 4}}});
  table.add("index_select of none", selected(from_values<std::int32_t>({})), {{{0, 4}}});
  const Tensor many = empty({900}, DType::kInt32);
  for (std::int32_t i = 0; i < 900; ++i) many.data<std::int32_t>()[i] = 7 * i % 500;
  table.add_large("index_select", selected(many), {{{500, 65}}});

  const auto replaced = [](const Tensor& rows) -> Function {
    return [rows](const Variables& x) { return index_copy(x[0], on(x, rows), x[1]); };
  };
  const Tensor distinct = from_values<std::int32_t>({2, 0});
  for (const Shape& shape : std::vector<Shape>{{3}, {3, 4}, {3, 0}}) {
    Shape rows = shape;
    rows[0] = 2;
    table.add("index_copy", replaced(distinct), {{shape}, {rows}});
  }
  table.add("index_copy of none", replaced(from_values<std::int32_t>({})), {{{0, 4}}, {{0, 4}}});
}

void add_masks(Table& table) {
  const Packed rows = compacted_rows(), many = many_rows();
  const Function lerp = [](const Variables& x) { return lerp_rows(x[0], x[1], x[2]); };
  for (const std::int64_t n : {0, 5}) table.add("lerp_rows", lerp, {{{n, 7}}, {{n, 7}}, {{n}}}).columns = 1;
  table.add("lerp_rows", lerp, {{{3, 32}}, {{3, 32}}, {{3}}}).columns = 1;
  table.add_large("lerp_rows", lerp, {{{900, 65}}, {{900, 65}}, {{900}}}).columns = 1;
  table.add("lerp_rows to itself", [](const Variables& x) { return lerp_rows(x[0], x[0], x[1]); }, {{{5, 8}}, {{5}}})
      .columns = 1;

  const auto taken = [](const Tensor& index) -> Function {
    return [index](const Variables& x) { return take_rows(x[0], on(x, index)); };
  };
  for (const std::int64_t cols : {0, 1, 4, 8}) {
    table.add("take_rows", taken(from_values<std::int32_t>({4, 0, -1, 3, -1})), {{{5, cols}}});
  }
  table.add("take_rows of none", taken(from_values<std::int32_t>({})), {{{5, 4}}});
  table.add_large("take_rows", taken(first_rows(many).rows), {{{many.tokens, 65}}});
  const Tensor some = from_values<std::int32_t>({2, 0});
  table.add("take_rows, added to what is there",
            [some](const Variables& x) { return index_add(x[0], on(x, some), take_rows(x[0], on(x, some))); },
            {{{4, 3}}});

  // Dummy rows behind the last sentence, too.
  for (const bool asked : {true, false}) {
    for (const unsigned passing : {0u, 1u, 7u}) {
      for (const bool large : {false, true}) {
        const Packed& of = large ? many : rows;
        const FirstRowRule rule{.asked = asked, .passing = asked ? passing : 7u};
        const std::int64_t n = of.tokens + 2, answers = n - (asked ? 0 : of.sentences);
        const auto add = [&](const char* name, const Function& f, const std::vector<Input>& inputs) {
          const std::string title = concat(name, asked ? ", passing " : ", not asked, passing ", passing);
          (large ? table.add_large(title, f, inputs) : table.add(title, f, inputs)).columns = inputs.size();
        };
        add("gate_masks, staged",
            [=, offsets = of.offsets](const Variables& x) {
              const MaskVariables masks = gate_masks(x[0], {x[1], x[2], {}}, on(x, offsets), rule);
              return join(Variables{masks.keys, masks.updated, masks.fed});
            },
            {{{answers, 3}}, {{n}}, {{n}}});
        add("gate_masks, staged, fed alone",
            [=, offsets = of.offsets](const Variables& x) { return gate_masks(x[0], {}, on(x, offsets), rule).fed; },
            {{{answers, 3}}});
        add("gate_masks, layer",
            [=, offsets = of.offsets](const Variables& x) {
              return gate_masks(x[0], {x[1], {}, {}}, on(x, offsets), rule).keys;
            },
            {{{answers, 1}}, {{n}}});
      }
    }
  }

  using Predicted = MaskedLayer::Predicted;
  for (const bool large : {false, true}) {
    const Packed& of = large ? many : rows;
    const Input mask{{of.tokens + 2}, Domain::kPositive};
    const auto add = [&](const char* name, const Function& f, std::size_t masks) {
      const std::vector<Input> inputs(masks, mask);
      (large ? table.add_large(name, f, inputs) : table.add(name, f, inputs)).columns = masks;
    };
    add(
        "mac_share, staged",
        [=, offsets = of.offsets](const Variables& x) {
          return mac_share({{{{}, {}, x[0]}, Predicted::kKeys},
                            {{x[1], x[2], x[3]}, Predicted::kKeys},
                            {{x[4], {}, {}}, Predicted::kNone, true}},
                           on(x, offsets), kMacCoefficients)
              .share;
        },
        5);
    add(
        "mac_share, staged, all rows read",
        [=, offsets = of.offsets](const Variables& x) {
          return mac_share({{{{}, {}, x[0]}, Predicted::kKeys}, {{x[1], x[1], {}}}}, on(x, offsets), kMacCoefficients)
              .share;
        },
        2);
    add(
        "mac_share, layer",
        [=, offsets = of.offsets](const Variables& x) {
          return mac_share({{{x[0], {}, {}}, Predicted::kKeysBefore}, {{x[1], {}, {}}, Predicted::kKeysBefore}},
                           on(x, offsets), kMacCoefficients)
              .share;
        },
        2);
  }
}

std::vector<OpCase> make_cases() {
  Table table;
  add_elementwise(table);
  add_reductions(table);
  add_shapes(table);
  add_products(table);
  add_rows(table);
  add_dropout(table);
  add_predictor_heads(table);
  add_attention(table);
  add_indexing(table);
  add_masks(table);
  add_general(table);
  add_estimators(table);
  return table.take();
}

}  // namespace

const std::vector<OpCase>& op_cases() {
  static const std::vector<OpCase> cases = make_cases();
  return cases;
}

}  // namespace tk::test
