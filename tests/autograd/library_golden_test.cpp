// The general ops beside PyTorch's values on random shapes (tests/golden/make_library_golden.py).
#include <map>
#include <set>

#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/cumsum.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/im2col.h"
#include "autograd/ops/index.h"
#include "autograd/ops/mask.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/sort.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/sort.h"
#include "tests/support/catch.h"
#include "tests/support/golden.h"
#include "tests/support/op_cases.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

const SafetensorsFile& file() {
  static const SafetensorsFile library = golden("library");
  return library;
}

using Function = std::function<Variable(const Variables& x, const Tensor& index)>;

// Each reduction over all, over the first and the last dimension, which stay, and over the last.
template <class F>
void add_reduction(std::map<std::string, Function>& all, const std::string& name, F f) {
  all[name] = [f](const Variables& x, const Tensor&) { return f(x[0], {}, false); };
  all[name + "_first_and_last"] = [f](const Variables& x, const Tensor&) { return f(x[0], {0, -1}, true); };
  all[name + "_last"] = [f](const Variables& x, const Tensor&) { return f(x[0], {-1}, false); };
}

std::map<std::string, Function> functions() {
  std::map<std::string, Function> all;
#define TK_ADD(name, functor) all[#name] = [](const Variables& x, const Tensor&) { return name(x[0]); };
  TK_UNARY_OPS(TK_ADD)
#undef TK_ADD
#define TK_ADD(name, functor) all[#name] = [](const Variables& x, const Tensor&) { return name(x[0], x[1]); };
  TK_BINARY_OPS(TK_ADD)
#undef TK_ADD
#define TK_ADD(name) \
  add_reduction(all, #name, [](const Variable& x, const Dims& dims, bool keepdim) { return name(x, dims, keepdim); });
  TK_ADD(sum)
  TK_ADD(mean)
  TK_ADD(max)
  TK_ADD(min)
  TK_ADD(logsumexp)
  TK_ADD(norm)
  TK_ADD(var)
#undef TK_ADD
  const auto add = [&](const char* name, Variable (*f)(const Variables&, const Tensor&)) { all[name] = f; };
  add("where", [](const Variables& x, const Tensor& mask) { return where(mask.to(DType::kBool), x[0], x[1]); });
  add("masked_fill", [](const Variables& x, const Tensor& m) { return masked_fill(x[0], m.to(DType::kBool), -7); });
  add("clamp", [](const Variables& x, const Tensor&) { return clamp(x[0], -0.5, 0.75); });
  add("pow_3", [](const Variables& x, const Tensor&) { return pow(x[0], 3); });
  add("operators", [](const Variables& x, const Tensor&) { return 1 - x[0] / 2.0 + 1 / (x[0] * x[0] + 2) - 0.5; });
  add("triu_1", [](const Variables& x, const Tensor&) { return triu(x[0], 1); });
  add("tril_-1", [](const Variables& x, const Tensor&) { return tril(x[0], -1); });
  add("cumsum_0", [](const Variables& x, const Tensor&) { return cumsum(x[0], 0); });
  add("sort_down", [](const Variables& x, const Tensor&) { return sort(x[0], 0, true).values; });
  add("topk_2", [](const Variables& x, const Tensor&) { return topk(x[0], 2).values; });
  add("gather_1", [](const Variables& x, const Tensor& index) { return gather(x[0], 1, index); });
  add("index_add", [](const Variables& x, const Tensor& index) { return index_add(x[0], index, x[1]); });
  add("matmul", [](const Variables& x, const Tensor&) { return matmul(x[0], x[1]); });
  add("linear", [](const Variables& x, const Tensor&) { return linear(x[0], x[1], x[2]); });
  add("conv2d", [](const Variables& x, const Tensor&) { return conv2d(x[0], x[1], x[2]); });
  add("conv2d_2_1",
      [](const Variables& x, const Tensor&) { return conv2d(x[0], x[1], x[2], {.stride = 2, .padding = 1}); });
  add("conv2d_1_2_2", [](const Variables& x, const Tensor&) {
    return conv2d(x[0], x[1], x[2], {.stride = 1, .padding = 2, .dilation = 2});
  });
  add("max_pool2d", [](const Variables& x, const Tensor&) { return max_pool2d(x[0], 2); });
  add("max_pool2d_3_2_1", [](const Variables& x, const Tensor&) { return max_pool2d(x[0], 3, 2, 1); });
  add("avg_pool2d_3_2_1", [](const Variables& x, const Tensor&) { return avg_pool2d(x[0], 3, 2, 1); });
  add("cross_entropy", [](const Variables& x, const Tensor& labels) { return cross_entropy(x[0], labels, -100); });
  return all;
}

// Empty if the case's value and gradients are PyTorch's.
std::string differs(const std::string& name, const Function& f, DType dtype, Tolerance tolerance) {
  const auto stored = [&](const std::string& part) { return file().tensor(name + '.' + part); };
  Variables x;
  for (int i = 0; file().find(concat(name, ".x", i)) != nullptr; ++i)
    x.emplace_back(stored(concat('x', i)).to(dtype), true);
  const Variable y = f(x, file().find(name + ".index") != nullptr ? stored("index") : Tensor());
  y.backward(stored("dy").to(dtype));
  std::string text = difference(y.value(), stored("y"), tolerance);
  if (!text.empty()) return "y: " + text;
  for (std::size_t i = 0; i < x.size(); ++i) {
    text = difference(x[i].grad(), stored(concat("dx", i)), tolerance);
    if (!text.empty()) return concat("dx", i, ": ", text);
  }
  return "";
}

Tensor special(const std::string& name) { return file().tensor("special." + name); }

}  // namespace

TEST_CASE("golden library: every op has PyTorch's values and gradients on random shapes") {
  const std::map<std::string, Function> all = functions();
  std::set<std::string> seen;
  for (const auto& [op, f] : all) {
    for (int k = 0; file().find(concat(op, '.', k, ".y")) != nullptr; ++k) {
      seen.insert(op);
      const std::string name = concat(op, '.', k);
      const std::string in_float64 = differs(name, f, DType::kFloat64, kPyTorchInFloat64);
      if (!in_float64.empty()) FAIL_CHECK(name << ", float64: " << in_float64);
      const std::string in_float32 = differs(name, f, DType::kFloat32, kFloat32Sums);
      if (!in_float32.empty()) FAIL_CHECK(name << ", float32: " << in_float32);
    }
  }
  for (const auto& [op, f] : all) {
    if (!seen.contains(op)) FAIL_CHECK("no case of " << op);
  }
}

TEST_CASE("golden library: NaN, infinities and zeros become what they do in PyTorch") {
  const Tensor x = special("x");
#define TK_CHECK_SPECIAL(name, functor)                                  \
  {                                                                      \
    INFO(#name);                                                         \
    CHECK(difference(name(x), special(#name), kPyTorchInFloat64) == ""); \
  }
  TK_UNARY_OPS(TK_CHECK_SPECIAL)
#undef TK_CHECK_SPECIAL
#define TK_CHECK_SPECIAL(name, functor)                                                  \
  {                                                                                      \
    INFO(#name);                                                                         \
    CHECK(difference(name(x.unsqueeze(1), x), special(#name), kPyTorchInFloat64) == ""); \
  }
  TK_BINARY_OPS(TK_CHECK_SPECIAL)
#undef TK_CHECK_SPECIAL
  const Tensor rows = special("rows");
  CHECK(difference(max(rows, 1), special("max"), kPyTorchInFloat64) == "");
  CHECK(difference(min(rows, 1), special("min"), kPyTorchInFloat64) == "");
  CHECK(difference(logsumexp(rows, 1), special("logsumexp"), kPyTorchInFloat64) == "");
  CHECK(same_bits(argmax(rows, 1), special("argmax")));
  CHECK(same_bits(argmin(rows, 1), special("argmin")));
  for (const bool down : {false, true}) {
    CHECK(same_bits(argsort(rows, 1, down).contiguous(), special(concat("argsort.", down))));
  }
}
