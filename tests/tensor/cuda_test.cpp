#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "tensor/backend.h"
#include "tensor/ops/bias_activation.h"
#include "tensor/ops/cross_entropy.h"
#include "tensor/ops/dropout.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/gate.h"
#include "tensor/ops/layer_norm.h"
#include "tensor/ops/reduce.h"
#include "tensor/ops/residual_dropout_layer_norm.h"
#include "tensor/ops/softmax.h"
#include "tests/support/activations.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

namespace tk::test {
namespace {

// The same numbers on either device. Where CUDA has bfloat16, the CPU computes in float32 with the rounded numbers.
struct Place {
  Device device;
  DType dtype;
  std::int64_t rows;
  std::int64_t cols;

  DType own_dtype() const { return device == Device::kCpu ? row_dtype(dtype) : dtype; }
  Tensor activation(std::uint64_t seed) const {
    return random_normal({rows, cols}, seed, dtype).to(own_dtype()).to(device);
  }
  Tensor beside(const Shape& shape, std::uint64_t seed) const {
    return random_normal(shape, seed, row_dtype(dtype)).to(device);
  }
  Tensor columns(std::uint64_t seed) const { return beside({cols}, seed); }
  Tensor indices(std::int64_t n, std::int64_t bound) const {
    std::vector<std::int32_t> values;
    for (std::int64_t i = 0; i < n; ++i) values.push_back(static_cast<std::int32_t>(i * 7 % bound));
    return from_values(values).to(device);
  }
  DropoutKey key(double p) const {
    DropoutKey key = dropout_key(p, make_packed({rows}, {11}), {Purpose::kHiddenDropout, 2, 1});
    return {p, key.state.to(device), key.example.to(device), key.position.to(device), key.stream};
  }
};

constexpr double kEpsilon = 1e-3;  // rows of one column, whose variance is 0, stay well-conditioned

struct Case {
  std::string name;
  std::function<Tensors(const Place&)> run;
  bool in_float32 = false;  // whatever the dtype
};

Tensors elementwise(const Place& p) {
  const Tensor x = p.activation(1), dy = p.activation(2), column = p.activation(3).narrow(0, 0, p.rows > 0 ? 1 : 0);
  const Tensor sum = x.clone();
  add_to(sum, dy);
  Tensors results = {gelu(x),
                     gelu_tanh(x),
                     silu(x),
                     exp(x.transpose(0, 1)),
                     affine(x, 2, -1),
                     sum,
                     greater(x, 0.5).to(DType::kFloat32),
                     unary_backward(UnaryOp::kSigmoid, dy, x, sigmoid(x)),
                     mul(x.narrow(1, p.cols - 1, 1), dy),
                     binary_backward(BinaryOp::kMul, true, dy, x, x)};
  if (p.rows > 0) results.push_back(sub(x, column));
  return results;
}

Tensors reductions(const Place& p) {
  const Tensor x = p.activation(1), total = p.columns(2);
  sum_columns(total, x, true);
  const auto rows = static_cast<std::int32_t>(p.rows);
  const Tensor offsets = from_values<std::int32_t>({0, rows / 3, rows / 3, rows}).to(p.device);
  const Tensor parts = segment_sum(x.select(1, 0), offsets);
  return {affine(sum(x), 1e-2), sum(x, 0), sum(x, 1), max(x, 1), total, parts, segment_broadcast(parts, offsets, rows)};
}

Tensors softmaxes(const Place& p) {
  const Tensor x = p.activation(1), dy = p.activation(2), y = neg(abs(x));
  return {softmax(x), log_softmax(x), softmax_backward(dy, y), log_softmax_backward(dy, y)};
}

Tensors normalisation(const Place& p) {
  const Tensor x = p.activation(1), gamma = p.columns(2);
  const LayerNormOutput out = layer_norm(x, gamma, p.columns(3), kEpsilon);
  const Tensor dgamma = p.columns(5), dbeta = p.columns(6);  // one is written, the other added to
  const Tensor dx = layer_norm_backward(p.activation(4), x, out.mean, out.rstd, gamma, {dgamma}, {dbeta, true});
  return {out.y, out.mean, out.rstd, dx, dgamma, dbeta};
}

Tensors residual(const Place& p, bool bias, bool scale, double rate) {
  const Tensor x = p.activation(1), gamma = p.columns(2), b = bias ? p.columns(3) : Tensor();
  const Tensor s = scale ? p.beside({p.rows}, 4) : Tensor();
  const DropoutKey key = p.key(rate);
  const ResidualOutput out = residual_dropout_layer_norm(x, b, p.activation(5), s, gamma, p.columns(6), kEpsilon, key);
  // z as both devices have it, so that its rounding does not count twice.
  const Tensor z = p.activation(7), mean = p.beside({p.rows}, 8), rstd = exp(affine(p.beside({p.rows}, 9), 0.1));
  const Tensor dbias = p.columns(11), dgamma = p.columns(12), dbeta = p.columns(13);
  const Tensor dresidual = p.activation(14), dscale = p.beside({p.rows}, 15);
  const Tensor dx = residual_dropout_layer_norm_backward(p.activation(10), z, mean, rstd, x, b, s, gamma, key,
                                                         {.dresidual = {dresidual, scale},
                                                          .dscale = scale ? SumTarget{dscale, bias} : SumTarget(),
                                                          .dgamma = {dgamma},
                                                          .dbeta = {dbeta, scale},
                                                          .dbias = bias ? SumTarget{dbias, true} : SumTarget()});
  const Tensor y_alone =
      residual_dropout_layer_norm(x, b, p.activation(5), s, gamma, p.columns(6), kEpsilon, key, false).y;
  Tensors results = {out.y, out.z, out.mean, out.rstd, y_alone, dx, dresidual, dbias, dgamma, dbeta};
  if (scale) results.push_back(dscale);
  return results;
}

Tensors bias_activations(const Place& p) {
  const Tensor x = p.activation(1), bias = p.columns(2), dbias = p.columns(4), sum = p.columns(5);
  Tensors results;
  for (const ActivationCase& each : kEveryActivation) {
    const Activation f = each.activation;
    results.insert(results.end(),
                   {bias_activation(x, bias, f), bias_activation_backward(p.activation(3), x, bias, f),
                    bias_activation_backward(p.activation(3), x, bias, f, {dbias}),
                    bias_activation_backward(p.activation(3), x, bias, f, {sum, true}), dbias.clone(), sum.clone()});
  }
  return results;
}

Tensors losses(const Place& p) {
  const Tensor labels = p.indices(p.rows, p.cols), logits = p.activation(1);
  const CrossEntropyOutput out = cross_entropy(logits, labels);
  return {out.loss, out.probabilities, cross_entropy_backward(p.beside({p.rows}, 2), p.activation(3), labels)};
}

Tensors gates(const Place& p) {
  const Tensor x = p.activation(1), state = p.key(0).state;
  const GateOutput out = hard_gate(x, p.activation(2), state);
  return {one_hot_of_largest(x), out.hard, out.soft, hard_gate_backward(p.activation(3), x, state)};
}

Tensors noise(const Place& p) {
  return {logistic_noise(p.key(0), p.cols, p.own_dtype()), gumbel_noise(p.key(0), p.cols, p.own_dtype())};
}

bool has_cuda() {
  const std::string reason = unavailable(Device::kCuda);
  if (!reason.empty()) WARN("skipped: " << reason);
  return reason.empty();
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = {
      {"elementwise", elementwise},
      {"reductions", reductions},
      {"softmax", softmaxes},
      {"layer_norm", normalisation},
      {"residual, bias, scale, dropout", [](const Place& p) { return residual(p, true, true, 0.1); }},
      {"residual, bias, dropout", [](const Place& p) { return residual(p, true, false, 0.1); }},
      {"residual, scale", [](const Place& p) { return residual(p, false, true, 0); }},
      {"bias_activation", bias_activations},
      {"dropout", [](const Place& p) { return Tensors{dropout(p.activation(1), p.key(0.3))}; }},
      {"cross_entropy", losses},
      {"gates", gates},
      {"noise", noise, true}};
  return all;
}

// bfloat16 results of float32 arithmetic have two or three digits; a normalised sum is rounded twice.
Tolerance tolerance(DType dtype) {
  if (dtype == DType::kFloat64) return {1e-11, 1e-11};
  return dtype == DType::kFloat32 ? Tolerance{5e-4, 5e-5} : Tolerance{2e-2, 2e-2};
}

}  // namespace

// Sizes: none, one, odd, whole units of 16 bytes, sums of one and of two stages, a unit of columns and several a
// thread.
TEST_CASE("cuda: rowwise and elementwise kernels agree with the CPU's in every dtype and size") {
  if (!has_cuda()) return;
  const std::vector<Shape> sizes = {{0, 8},      {1, 1},     {5, 7},     {4, 1},   {3, 384},
                                    {130, 2500}, {600, 768}, {33, 1000}, {2, 5001}};
  for (const Case& op : cases()) {
    for (const Shape& size : sizes) {
      for (const DType dtype : {DType::kFloat64, DType::kFloat32, DType::kBFloat16}) {
        INFO(op.name << ' ' << dtype << ' ' << size);
        const Tensors expected = op.run({Device::kCpu, dtype, size[0], size[1]});
        const Tensors got = op.run({Device::kCuda, dtype, size[0], size[1]});
        for (std::size_t i = 0; i < got.size(); ++i) {
          INFO("result " << i);
          const bool rough = op.in_float32 && dtype == DType::kFloat64;
          CHECK(difference(got[i].to(Device::kCpu), expected[i], tolerance(rough ? DType::kFloat32 : dtype)) == "");
        }
      }
    }
  }
}

TEST_CASE("cuda: relu, maximum and max let NaN pass, as on the CPU") {
  if (!has_cuda()) return;
  for (const std::int64_t cols : {1, 33, 3000}) {
    for (const std::int64_t at : {std::int64_t{0}, cols / 2, cols - 1}) {
      for (const DType dtype : {DType::kFloat64, DType::kFloat32, DType::kBFloat16}) {
        INFO(dtype << ' ' << cols << " columns, NaN in number " << at);
        const Tensor x = full({2, cols}, 0.5), y = full({2, cols}, 1), dy = full({2, cols}, 2);
        x.data<float>()[at] = std::nanf("");
        const auto there = [&](const Tensor& t) { return t.to(dtype).to(Device::kCuda); };
        const auto same = [](const Tensor& got, const Tensor& expected) {
          return difference(got, expected, {0, 0}) == "";
        };
        CHECK(same(relu(there(x)), relu(x)));
        CHECK(same(unary_backward(UnaryOp::kRelu, there(dy), there(x), there(x)), dy));
        CHECK(same(maximum(there(x), there(y)), maximum(x, y)));
        CHECK(same(maximum(there(y), there(x)), maximum(y, x)));
        CHECK(same(binary_backward(BinaryOp::kMaximum, false, there(dy), there(x), there(y)),
                   binary_backward(BinaryOp::kMaximum, false, dy, x, y)));
        CHECK(same(max(there(x), 1), max(x, 1)));
      }
    }
  }
}

TEST_CASE("cuda: a label out of range is an error when the host next waits") {
  if (!has_cuda()) return;
  const Tensor logits = zeros({2, 3}, DType::kFloat32, Device::kCuda);
  const CrossEntropyOutput out = cross_entropy(logits, from_values<std::int32_t>({0, 3}).to(Device::kCuda));
  CHECK(message_of([&] { out.loss.to(Device::kCpu); }) ==
        "cuda: a label was out of range in a kernel that ran before this point");
}

}  // namespace tk::test
