#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "autograd/estimators/gumbel_softmax.h"
#include "autograd/ops/attention.h"
#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/layer_norm.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"
#include "autograd/ops/softmax.h"
#include "nn/optim/adamw.h"
#include "tensor/bfloat16.h"
#include "tensor/cpu_isa.h"
#include "tensor/ops/gate.h"
#include "tensor/ops/matmul.h"
#include "tensor/ops/reduce.h"
#include "tensor/packed.h"
#include "tensor/precision.h"
#include "tensor/threads.h"
#include "transkimmer/classifier.h"
#include "transkimmer/cli/commands/selftest.h"

namespace tk {
namespace {

// A few roundings of float32, 6e-8 each.
constexpr double kFloat32 = 2e-6;
// Some tens of layers' worth of them.
constexpr double kFloat32Model = 2e-5;
// AdamW's 1 - beta2 = 0.001 is a difference of float32 numbers near 1.
constexpr double kMoment = 1e-5;
// A mean of n samples is 5 deviations off once in two million times; the seeds are fixed.
constexpr double kDeviations = 5;

using Values = std::vector<double>;

Variable constant(const std::vector<float>& values, const Shape& shape) { return Variable(from_values(values, shape)); }

double largest_difference(const Tensor& x, const Values& expected) {
  const Values values = x.to(DType::kFloat64).to_vector<double>();
  if (values.size() != expected.size()) return std::numeric_limits<double>::infinity();
  double largest = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double difference = std::fabs(values[i] - expected[i]);
    if (std::isnan(difference)) return difference;
    largest = std::max(largest, difference);
  }
  return largest;
}

// The known answers of Random123 (Salmon et al.), its file kat_vectors: words that differ.
double philox_error() {
  struct Vector {
    std::uint32_t counter[4];
    std::uint64_t key;
    std::uint32_t word[4];
  };
  constexpr Vector kVectors[] = {
      {{0, 0, 0, 0}, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
       0xffffffffffffffff,
       {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       0x299f31d0a4093822,
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  int wrong = 0;
  for (const Vector& v : kVectors) {
    const Philox got = philox(v.key, v.counter[0], v.counter[1], v.counter[2], v.counter[3]);
    for (int i = 0; i < 4; ++i) wrong += got.word[i] != v.word[i];
  }
  return wrong;
}

double bfloat16_error() {
  // Halfway between 1 and the next value, 1 + 2^-7, and between that and the one after: ties go to the even one.
  const Tensor x = from_values<float>({1.00390625f, 1.01171875f, -3.0e38f, 0x1p-130f});
  return largest_difference(x.to(DType::kBFloat16), {1, 1.015625, -0x1.c4p127, 0x1p-130});
}

// Small integers, whose products and sums float32 holds exactly, in sizes that fill no block of a BLAS.
double matmul_error(std::int64_t m, std::int64_t k, std::int64_t n) {
  const auto element = [](std::int64_t i, std::int64_t j) { return static_cast<float>((7 * i + 3 * j) % 11 - 5); };
  const auto matrix = [&](std::int64_t rows, std::int64_t cols) {
    const Tensor x = empty({rows, cols});
    for (std::int64_t i = 0; i < rows * cols; ++i) x.data<float>()[i] = element(i / cols, i % cols);
    return Variable(x);
  };
  Values expected;
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      double sum = 0;
      for (std::int64_t l = 0; l < k; ++l) sum += double{element(i, l)} * element(l, j);
      expected.push_back(sum);
    }
  }
  return largest_difference(matmul(matrix(m, k), matrix(k, n)).value(), expected);
}

// Rows with a largest element of 127, so that they are integers already, and a weight with -127 and 127 in it.
double int8_error(std::int64_t m, std::int64_t k, std::int64_t n) {
  const auto integers = [](std::int64_t rows, std::int64_t cols, std::int64_t step) {
    const Tensor x = empty({rows, cols});
    for (std::int64_t i = 0; i < rows * cols; ++i) {
      x.data<float>()[i] = i % cols == 0 ? 127.0F : static_cast<float>(i * step % 255 - 127);
    }
    return x;
  };
  const Tensor x = integers(m, k, 7), w = integers(n, k, 31);
  Values expected;
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      std::int64_t sum = 0;
      for (std::int64_t l = 0; l < k; ++l) {
        sum += static_cast<std::int64_t>(x.data<float>()[i * k + l]) *
               static_cast<std::int64_t>(w.data<float>()[j * k + l]);
      }
      expected.push_back(static_cast<double>(sum));
    }
  }
  return largest_difference(linear(x, PackedInt8Weight(quantize_rows(w)), Tensor()), expected);
}

// With equal queries every key counts the same, so each row gets the mean of the values that its sentence keeps.
double attention_error() {
  const Packed rows = make_packed({3, 1}, {0, 1});
  const Variable qkv = constant({1, 2, 5, 1, 2, 1, 1, 2, 9, 1, 2, -4}, {4, 3});
  const Variable weight = constant({1, 0, 1, 1}, {4});
  const AttentionKey key{1, rows.offsets, rows.offsets, rows.position, KeyWeighting::kExact, {}};
  return std::max(largest_difference(packed_attention(qkv, Variable(), key).value(), {5, 5, 5, -4}),
                  largest_difference(packed_attention(qkv, weight, key).value(), {7, 7, 7, -4}));
}

// The first step of AdamW moves each weight by the learning rate, against the sign of its gradient.
double adamw_error() {
  Parameter w({3});
  AdamW adam({{{"w"}, &w}});
  sum(w * constant({2, -0.5, 100}, {3})).backward();
  adam.step(make_step_state({.step = 1, .learning_rate = {0.25}}));
  return largest_difference(w.value(), {-0.25, 0.25, -0.25});
}

DropoutKey random_rows(std::int64_t rows) {
  return {.p = 0,
          .state = make_step_state({.seed = 5, .step = 1}),
          .example = arange(rows),
          .position = zeros({rows}, DType::kInt32),
          .stream = {}};
}

// How often each class is drawn, beside the softmax, in deviations of a mean of `rows` samples.
double gumbel_error() {
  constexpr std::int64_t rows = 50000;
  const Values p = {0.09003057317, 0.24472847105, 0.66524095577};  // softmax of 1, 2, 3
  const Variable logits(from_values<float>({1, 2, 3}).expand({rows, 3}).contiguous());
  const Variable drawn = gumbel_softmax(logits, gumbel_noise(random_rows(rows), 3), 0.5, /*hard=*/true);
  const Values counts = sum(drawn, 0).value().to(DType::kFloat64).to_vector<double>();
  double largest = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    const double deviation = std::sqrt(p[i] * (1 - p[i]) * rows);
    largest = std::max(largest, std::fabs(counts[i] - p[i] * rows) / deviation);
  }
  return largest;
}

// The bytes of a result on one thread that differ from those on all of them.
double thread_error(const std::function<Tensor()>& result) {
  const int threads = num_threads();
  set_num_threads(1);
  const Tensor one = result();
  set_num_threads(std::max(threads, 2));
  const Tensor many = result();
  set_num_threads(threads);
  const auto* a = static_cast<const std::byte*>(one.raw_data());
  const auto* b = static_cast<const std::byte*>(many.raw_data());
  std::int64_t differing = 0;
  for (std::int64_t i = 0; i < one.bytes(); ++i) differing += a[i] != b[i];
  return static_cast<double>(differing);
}

Variable large(std::uint32_t sequence) {
  const Tensor x = empty({513, 385});
  init_normal(x, 0, 1, 3, sequence);
  return Variable(x);
}

void add_values(std::vector<SelfCheck>& checks) {
  checks.push_back({"philox: the known answers of Random123, words", 0, philox_error});
  checks.push_back({"bfloat16: ties go to even", 0, bfloat16_error});
  checks.push_back({"matmul [1, 1] [1, 1]: exact integers", 0, [] { return matmul_error(1, 1, 1); }});
  checks.push_back({"matmul [67, 129] [129, 65]: exact integers", 0, [] { return matmul_error(67, 129, 65); }});
  for (const CpuIsa isa : kAllCpuIsas) {
    if (isa > cpu_isa() || !has_cpu_isa(isa)) continue;
    const bool rounds = isa >= CpuIsa::kAvx512Bf16;  // small integers as they are
    checks.push_back({concat("matmul on ", name(isa), ": exact integers"), 0, [isa, rounds] {
                        const WithCpuIsa used(isa);
                        const WithProductPrecision precision(rounds ? ProductPrecision::kBFloat16
                                                                    : ProductPrecision::kFloat32);
                        return matmul_error(257, 385, 131);
                      }});
    checks.push_back({concat("int8 linear on ", name(isa), ": exact integers"), 0, [isa] {
                        const WithCpuIsa used(isa);
                        return int8_error(257, 385, 131);
                      }});
  }
  checks.push_back({"exp, log, tanh, sigmoid, gelu at 0.5", kFloat32, [] {
                      const Variable x = constant({0.5}, {1});
                      const auto error = [](const Variable& y, double expected) {
                        return largest_difference(y.value(), {expected});
                      };
                      return std::max({error(exp(x), 1.6487212707), error(log(x), -0.6931471806),
                                       error(tanh(x), 0.4621171573), error(sigmoid(x), 0.6224593312),
                                       error(gelu(x), 0.3457312306)});
                    }});
  checks.push_back({"gelu_tanh, relu, silu at -0.5", kFloat32, [] {
                      const Variable x = constant({-0.5}, {1});
                      return std::max({largest_difference(gelu_tanh(x).value(), {-0.1542859902}),
                                       largest_difference(relu(x).value(), {0}),
                                       largest_difference(silu(x).value(), {-0.1887703344})});
                    }});
  checks.push_back({"softmax of 1, 2, 3", kFloat32, [] {
                      return largest_difference(softmax(constant({1, 2, 3}, {3})).value(),
                                                {0.09003057317, 0.24472847105, 0.66524095577});
                    }});
  checks.push_back({"log_softmax of 1e4, 0: no overflow", kFloat32, [] {
                      return largest_difference(log_softmax(constant({1e4, 0}, {2})).value(), {0, -1e4});
                    }});
  checks.push_back({"cross_entropy of 1, 2, 3 and class 2", kFloat32, [] {
                      const Variable loss = cross_entropy(constant({1, 2, 3}, {1, 3}), from_values<std::int32_t>({2}));
                      return largest_difference(loss.value(), {0.4076059644});
                    }});
  checks.push_back({"layer_norm of 1, 2, 3, 4", kFloat32, [] {
                      const Variable one(full({4}, 1));
                      const Variable y = layer_norm(constant({1, 2, 3, 4}, {1, 4}), one, Variable(zeros({4})), 1e-12);
                      return largest_difference(y.value(), {-1.3416407865, -0.4472135955, 0.4472135955, 1.3416407865});
                    }});
  checks.push_back({"packed_attention: means of what is kept", kFloat32, attention_error});
  checks.push_back({"adamw: the first step", kMoment, adamw_error});
  checks.push_back({"gumbel_softmax: frequencies of 50000 samples, deviations", kDeviations, gumbel_error});
}

void add_threads(std::vector<SelfCheck>& checks) {
  const auto add = [&](const char* what, const std::function<Tensor()>& result) {
    checks.push_back(
        {concat(what, " [513, 385]: bytes that depend on threads"), 0, [result] { return thread_error(result); }});
  };
  add("sum", [] { return sum(large(1)).value(); });
  add("sum over 0", [] { return sum(large(1), 0).value(); });
  add("softmax", [] { return softmax(large(1)).value(); });
  add("matmul", [] { return matmul(large(1), transpose(large(2), 0, 1)).value(); });
}

// The model whose weights transformers 5 was given for the values below: seed 1, deviation 0.2.
Config small_config() {
  Config config;
  config.vocab_size = 100;
  config.hidden_size = 32;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 2;
  config.intermediate_size = 64;
  config.max_position_embeddings = 16;
  config.initializer_range = 0.2;
  config.labels = {"a", "b", "c"};
  return config;
}

Variable small_logits(const BertClassifier& model) {
  const PackedTokens inputs{.rows = make_packed({5, 3}, {0, 1}),
                            .input_ids = from_values<std::int32_t>({2, 17, 34, 51, 3, 2, 9, 3}),
                            .token_types = from_values<std::int32_t>({0, 0, 0, 1, 1, 0, 0, 0})};
  return model(inputs, {}).logits;
}

double logits_error() {
  BertClassifier model(small_config());
  model.initialize(1);
  return largest_difference(small_logits(model).value(), {-0.7356356902, 0.3311412380, 0.4623383593,  //
                                                          -0.6857799027, 1.4039592735, 0.5352223373});
}

double gradient_error() {
  BertClassifier model(small_config());
  model.initialize(1);
  const Variable loss = mean(cross_entropy(small_logits(model), from_values<std::int32_t>({2, 0})));
  loss.backward();
  double squares = 0;
  for (const NamedTensor& gradient : named_gradients(model.parameters()))
    squares += sum(square(gradient.tensor)).item();
  return std::max(std::fabs(loss.item() - 1.6511974104), std::fabs(std::sqrt(squares) - 7.7359732049));
}

}  // namespace

SelfCheckGroup value_checks() {
  SelfCheckGroup group{"values", {}};
  add_values(group.checks);
  add_threads(group.checks);
  return group;
}

SelfCheckGroup model_checks() {
  return {"model",
          {{"bert: logits beside those of transformers", kFloat32Model, logits_error},
           {"bert: loss and gradient norm beside those of PyTorch", kFloat32Model, gradient_error}}};
}

}  // namespace tk
