// Ops beside PyTorch's values (tests/golden/ops.safetensors, activations.safetensors).
#include "tests/support/golden.h"
#include "autograd/ops/attention.h"
#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/join.h"
#include "autograd/ops/layer_norm.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/softmax.h"
#include "tests/support/activations.h"
#include "tests/support/catch.h"
#include "tests/support/op_cases.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

const SafetensorsFile& file() {
  static const SafetensorsFile ops = golden("ops");
  return ops;
}

// Runs f on the golden inputs of `op` in `dtype`; empty if its value and gradients are the golden ones.
std::string differs(const SafetensorsFile& file, const std::string& op, const std::vector<std::string>& inputs,
                    DType dtype, Tolerance tolerance, const OpCase::Function& f) {
  Variables variables;
  for (const std::string& input : inputs) variables.emplace_back(file.tensor(op + '.' + input).to(dtype), true);
  const Variable y = f(variables);
  y.backward(file.tensor(op + ".dy").to(dtype));
  std::string text = difference(y.value(), file.tensor(op + ".y"), tolerance);
  if (!text.empty()) return "y: " + text;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    text = difference(variables[i].grad(), file.tensor(op + ".d" + inputs[i]), tolerance);
    if (!text.empty()) return concat('d', inputs[i], ": ", text);
  }
  return "";
}

// In float64 only the stored values' own rounding is left.
void check(const std::string& op, const std::vector<std::string>& inputs, const OpCase::Function& f,
           Tolerance stored = kStoredAsFloat32, Tolerance single = kFloat32) {
  INFO(op);
  CHECK(differs(file(), op, inputs, DType::kFloat64, stored, f) == "");
  CHECK(differs(file(), op, inputs, DType::kFloat32, single, f) == "");
}

}  // namespace

TEST_CASE("golden: softmax, log_softmax, gelu") {
  check("softmax", {"x"}, [](const Variables& x) { return softmax(x[0]); });
  check("log_softmax", {"x"}, [](const Variables& x) { return log_softmax(x[0]); });
  check("gelu", {"x"}, [](const Variables& x) { return gelu(x[0]); });
}

TEST_CASE("golden: the activations beside GELU") {
  const SafetensorsFile activations = golden("activations");
  for (const ActivationCase& each : kEveryActivation) {
    if (each.activation == Activation::kGelu) continue;
    INFO(name(each.op));
    const auto f = [&](const Variables& x) { return unary(each.op, x[0]); };
    CHECK(differs(activations, name(each.op), {"x"}, DType::kFloat64, kStoredAsFloat32, f) == "");
    CHECK(differs(activations, name(each.op), {"x"}, DType::kFloat32, kFloat32, f) == "");
  }
}

TEST_CASE("golden: layer_norm") {
  check("layer_norm", {"x", "weight", "bias"}, [](const Variables& x) { return layer_norm(x[0], x[1], x[2], 1e-12); });
}

TEST_CASE("golden: the mean of cross_entropy and of squared differences") {
  const Tensor labels = file().tensor("cross_entropy.labels");
  check("cross_entropy", {"x"}, [&](const Variables& x) { return mean(cross_entropy(x[0], labels)); });
  check("mse", {"x"},
        [](const Variables& x) { return mean(square(x[0] - Variable(file().tensor("mse.target").to(x[0].dtype())))); });
}

TEST_CASE("golden: attention under a mask, under counts, and where exponents pass their limit") {
  const Packed q = make_packed({5}, {0});
  const Packed kv = make_packed({7}, {0});
  const AttentionKey key = attention_key(4, q, kv);
  const auto attend = [&](const Variables& x) {
    return packed_attention(x[0], join(std::vector<Variable>{x[1], x[2]}, 1), x[3], key);
  };
  const std::vector<std::string> inputs = {"q", "k", "v", "weight"};
  check("attention_mask", inputs, attend);
  check("attention_count", inputs, attend);
  // Scores of some 100 in float32 have errors of 1e-5, which the exponential makes relative ones of the summands of
  // dweight, and these cancel.
  check("attention_clamp", inputs, attend, {1e-5, 1e-5}, {1e-4, 5e-4});
}
