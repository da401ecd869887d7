#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/cumsum.h"
#include "autograd/ops/dropout.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/im2col.h"
#include "autograd/ops/index.h"
#include "autograd/ops/join.h"
#include "autograd/ops/mask.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"
#include "autograd/ops/sort.h"
#include "tests/support/op_case_table.h"

namespace tk::test {
namespace {

// true, false, false, true, ... in no simple order.
Tensor mask_of(const Shape& shape) { return greater(random_normal(shape, 5, DType::kFloat64), 0.2); }

void add_choices(Table& table) {
  const auto chosen = [](const Shape& mask) -> Function {
    return [mask = mask_of(mask)](const Variables& x) { return where(on(x, mask), x[0], x[1]); };
  };
  table.add("where", chosen({3, 5}), {{{3, 5}}, {{3, 5}}});
  table.add("where", chosen({3, 1}), {{{5}}, {{1, 5}}});
  table.add("where", chosen({}), {{{2, 1}}, {{3}}});
  table.add("where", chosen({0}), {{{1}}, {{0}}});
  table.add_large("where", chosen({257}), {{{130, 257}}, {{130, 257}}});
  const Function filled = [mask = mask_of({5})](const Variables& x) { return masked_fill(x[0], on(x, mask), -7); };
  table.add("masked_fill", filled, {{{3, 5}}});
  const Function clamped = [](const Variables& x) { return clamp(x[0], -0.5, 0.75); };
  table.add("clamp", clamped, {{{3, 5}, Domain::kOddEighths}});
  table.add("pow 3", [](const Variables& x) { return pow(x[0], 3); }, {{{3, 5}}});
  table.add("operators", [](const Variables& x) { return 1 - x[0] / 2.0 + 1 / (x[0] * x[0] + 2) - 0.5; }, {{{3, 5}}});
  for (const std::int64_t k : {-2, 0, 1}) {
    table.add(concat("triu ", k), [k](const Variables& x) { return triu(x[0], k); }, {{{2, 3, 5}}});
    table.add(concat("tril ", k), [k](const Variables& x) { return tril(x[0], k); }, {{{4, 3}}});
  }
}

void add_reductions(Table& table) {
  struct Reduction {
    const char* name;
    Variable (*f)(const Variable&, const Dims&, bool);
    bool of_none;  // whether there is one of no elements
  };
  const auto plain_var = [](const Variable& x, const Dims& dims, bool keepdim) { return var(x, dims, keepdim); };
  const Reduction reductions[] = {{"sum", sum, true},       {"mean", mean, false},           {"max", max, false},
                                  {"min", min, false},      {"logsumexp", logsumexp, false}, {"norm", norm, false},
                                  {"var", plain_var, false}};
  for (const Reduction& reduction : reductions) {
    const auto over = [f = reduction.f](const Dims& dims, bool keepdim) -> Function {
      return [=](const Variables& x) { return f(x[0], dims, keepdim); };
    };
    const auto name = [&](const char* dims) { return concat(reduction.name, " over ", dims); };
    table.add(name("all"), over({}, false), {{{3, 5}}});
    table.add(name("all, kept"), over({}, true), {{{3, 5}}});
    for (const std::int64_t dim : {0, 1, -1}) {
      for (const bool keepdim : {false, true}) {
        table.add(concat(reduction.name, " over ", dim, keepdim ? ", kept" : ""), over(dim, keepdim), {{{2, 3, 4}}});
      }
    }
    table.add(name("0, 1"), over({0, 1}, false), {{{2, 3, 4}}});
    table.add(name("0, -1, kept"), over({0, -1}, true), {{{2, 3, 4}}});
    table.add(name("-1, 1"), over({-1, 1}, false), {{{2, 3, 1, 4}}});
    table.add(name("-1"), over(-1, false), {{{0, 4}}});
    if (reduction.of_none) table.add(name("0, 1"), over({0, 1}, true), {{{3, 0, 2}}});
    table.add_large(name("0, 2"), over({0, 2}, false), {{{20, 70, 30}}});
  }
  for (const std::int64_t dim : {0, 1, -1}) {
    const Function summed = [dim](const Variables& x) { return cumsum(x[0], dim); };
    table.add(concat("cumsum ", dim), summed, {{{2, 3, 4}}});
    table.add(concat("cumsum ", dim), summed, {{{3, 0}}});
    table.add_large(concat("cumsum ", dim), summed, {{{300, 70}}});
  }
}

void add_views(Table& table) {
  table.add("permute", [](const Variables& x) { return permute(x[0], {2, 0, 1}); }, {{{2, 3, 4}}});
  table.add("permute", [](const Variables& x) { return permute(x[0], {-1, 1, 0, 2}); }, {{{2, 3, 1, 4}}});
  for (const std::int64_t dim : {0, 1, -1}) {
    table.add(concat("select ", dim), [dim](const Variables& x) { return select(x[0], dim, 1); }, {{{2, 3, 4}}});
    table.add(concat("unsqueeze ", dim), [dim](const Variables& x) { return unsqueeze(x[0], dim); }, {{{2, 3}}});
    table.add(concat("squeeze ", dim), [dim](const Variables& x) { return squeeze(unsqueeze(x[0], dim), dim); },
              {{{2, 3}}});
    table.add(concat("stack ", dim), [dim](const Variables& x) { return stack(x, dim); }, {{{2, 3}}, {{2, 3}}});
  }
  table.add("rows", [](const Variables& x) { return x[0][0] + x[0][2] * x[0][1]; }, {{{3, 4}}});
  const Function parts = [](const Variables& x) {
    const Variables of = split(x[0], 2, 1);
    return join({of[2], of[0] * of[1]}, 1);
  };
  table.add("split", parts, {{{3, 5}}});
  table.add("on_gradient", [](const Variables& x) { return on_gradient(x[0], [](const Tensor&) { return Tensor(); }); },
            {{{3, 4}}});
  // Named by the draw alone, so a second call drops the same ones.
  const Function dropped = [](const Variables& x) { return dropout(x[0], 0.4, Draw{.seed = 3}); };
  for (const Shape& shape : std::vector<Shape>{{}, {5}, {2, 3, 4}, {3, 0}}) table.add("dropout", dropped, {{shape}});
}

void add_products(Table& table) {
  const Function product = [](const Variables& x) { return matmul(x[0], x[1]); };
  table.add("matmul", product, {{{2, 3, 4}}, {{4, 5}}});
  table.add("matmul", product, {{{2, 1, 3, 4}}, {{4, 2}}});
  table.add("matmul", product, {{{3, 4}}, {{2, 4, 5}}});
  table.add("matmul", product, {{{2, 1, 3, 4}}, {{3, 4, 2}}});
  table.add("matmul", product, {{{0, 3, 4}}, {{4, 5}}});
  const Function mapped = [](const Variables& x) { return linear(x[0], x[1], x[2]); };
  table.add("linear", mapped, {{{2, 3, 4}}, {{5, 4}}, {{5}}});
  table.add("linear", mapped, {{{2, 1, 3, 4}}, {{5, 4}}, {{5}}});
  const auto cross = [](const Tensor& labels, std::optional<std::int64_t> ignore) -> Function {
    return [=](const Variables& x) { return cross_entropy(x[0], on(x, labels), ignore); };
  };
  const Tensor labels = from_values<std::int64_t>({2, -100, 1, 0, 2, -100}, {2, 3});
  table.add("cross_entropy, some rows ignored", cross(labels, -100), {{{2, 3, 3}}});
  table.add("cross_entropy, a class ignored", cross(from_values<std::int32_t>({2, 0, 1}), 0), {{{3, 4}}});
  table.add("cross_entropy of one row", cross(full({}, 1, DType::kInt64), {}), {{{4}}});
}

void add_indexing(Table& table) {
  const auto gathered = [](std::int64_t dim, const Tensor& index) -> Function {
    return [=](const Variables& x) { return gather(x[0], dim, on(x, index)); };
  };
  table.add("gather 0", gathered(0, from_values<std::int64_t>({2, 0, 0, 1, 2, 2, 1, 1}, {4, 2})), {{{3, 2}}});
  table.add("gather 1", gathered(1, from_values<std::int32_t>({4, 0, 0, 1, 2, 2}, {3, 2})), {{{3, 5}}});
  table.add("gather 1", gathered(1, from_values<std::int32_t>({1, 0, 0, 1}, {2, 1, 2})), {{{2, 2, 2}}});
  table.add("gather of none", gathered(-1, empty({3, 0}, DType::kInt64)), {{{3, 5}}});
  const Tensor many = empty({130, 90}, DType::kInt64);
  for (std::int64_t i = 0; i < many.numel(); ++i) many.data<std::int64_t>()[i] = 7 * i % 33;
  table.add_large("gather 1", gathered(1, many), {{{130, 33}}});
  const Function added = [index = from_values<std::int32_t>({2, 0, 2, -1})](const Variables& x) {
    return index_add(x[0], on(x, index), x[1]);
  };
  for (const Shape& shape : std::vector<Shape>{{3}, {3, 4}, {3, 0}}) {
    Shape rows = shape;
    rows[0] = 4;
    table.add("index_add", added, {{shape}, {rows}});
  }
  for (const bool descending : {false, true}) {
    for (const std::int64_t dim : {0, -1}) {
      const Function sorted = [=](const Variables& x) { return sort(x[0], dim, descending).values; };
      table.add(concat("sort ", dim, descending ? " down" : ""), sorted, {{{4, 5}}});
      table.add(concat("sort ", dim, descending ? " down" : ""), sorted, {{{0, 5}}});
      table.add_large(concat("sort ", dim, descending ? " down" : ""), sorted, {{{300, 70}}});
    }
  }
  table.add("topk", [](const Variables& x) { return topk(x[0], 2, 1).values; }, {{{2, 5, 3}}});
}

void add_images(Table& table) {
  const auto columns = [](const Window& window, double border) -> Function {
    return [=](const Variables& x) { return im2col(x[0], window, border); };
  };
  table.add("im2col", columns({.height = 2, .width = 3}, 0), {{{2, 2, 4, 5}}});
  table.add("im2col, strided", columns({.height = 2, .width = 2, .stride = 2, .padding = 1}, -1), {{{1, 3, 5, 4}}});
  table.add("im2col, dilated", columns({.height = 3, .width = 2, .stride = 1, .padding = 1, .dilation = 2}, 0),
            {{{2, 1, 5, 4}}});
  table.add("im2col of none", columns({.height = 2, .width = 2}, 0), {{{0, 2, 3, 3}}});
  table.add_large("im2col", columns({.height = 3, .width = 3, .stride = 1, .padding = 1}, 0), {{{8, 5, 17, 19}}});
  const auto convolved = [](const ConvOptions& options) -> Function {
    return [=](const Variables& x) { return conv2d(x[0], x[1], x.size() > 2 ? x[2] : Variable(), options); };
  };
  table.add("conv2d", convolved({}), {{{2, 3, 4, 5}}, {{2, 3, 3, 2}}, {{2}}});
  table.add("conv2d, strided", convolved({.stride = 2, .padding = 1}), {{{1, 2, 5, 5}}, {{3, 2, 3, 3}}});
  table.add("conv2d, dilated", convolved({.stride = 1, .padding = 0, .dilation = 2}), {{{1, 2, 5, 6}}, {{1, 2, 2, 3}}});
  table.add_large("conv2d", convolved({.padding = 1}), {{{8, 4, 17, 19}}, {{6, 4, 3, 3}}, {{6}}});
  table.add("max_pool2d", [](const Variables& x) { return max_pool2d(x[0], 2); }, {{{2, 2, 4, 5}}});
  table.add("max_pool2d, padded", [](const Variables& x) { return max_pool2d(x[0], 3, 2, 1); }, {{{1, 2, 5, 5}}});
  table.add_large("max_pool2d", [](const Variables& x) { return max_pool2d(x[0], 3, 2, 1); }, {{{8, 5, 17, 19}}});
  table.add("avg_pool2d", [](const Variables& x) { return avg_pool2d(x[0], 3, 2, 1); }, {{{1, 2, 5, 5}}});
}

}  // namespace

void add_general(Table& table) {
  add_choices(table);
  add_reductions(table);
  add_views(table);
  add_products(table);
  add_indexing(table);
  add_images(table);
}

}  // namespace tk::test
