// Fused ops beside the same from single ops.
#include "autograd/estimators/gumbel_softmax.h"
#include "autograd/ops/attention.h"
#include "autograd/ops/bias_gelu.h"
#include "autograd/ops/cross_entropy.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/index.h"
#include "autograd/ops/join.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/residual_dropout_layer_norm.h"
#include "autograd/ops/shape.h"
#include "autograd/ops/softmax.h"
#include "tensor/ops/attention.h"
#include "tensor/ops/gate.h"
#include "tests/support/catch.h"
#include "tests/support/passes.h"

using namespace tk;
using namespace tk::test;

namespace {

Tensor normal(const Shape& shape, std::uint64_t seed) { return random_normal(shape, seed, DType::kFloat64); }

// Sentences of 5, 1 and 9 rows, and some of their rows as queries.
const Packed& keys() {
  static const Packed packed = make_packed({5, 1, 9}, {3, 14, 15});
  return packed;
}

Packed queries() {
  const Tensor mask = full({15}, 1, DType::kBool);
  for (const std::int64_t row : {1, 4, 7, 8, 12}) mask.data<bool>()[row] = false;
  return keep(keys(), mask).packed;
}

Tensor weights() {
  const Tensor w = empty({15}, DType::kFloat64);
  for (std::int64_t i = 0; i < 15; ++i) w.data<double>()[i] = i % 5 == 3 ? 0 : 1 + i % 3;  // counts, and absent keys
  return w;
}

}  // namespace

TEST_CASE("packed_attention: equals its composed twin, forward and backward") {
  const ThreadCount one(1);
  const std::int64_t d = 12;
  for (const KeyWeighting weighting : {KeyWeighting::kExact, KeyWeighting::kPaper}) {
    for (const bool weighted : {false, true}) {
      for (const Packed& q : {keys(), queries(), first_rows(keys()).packed}) {
        const AttentionKey key = attention_key(3, q, keys(), 0, weighting);
        Tensors inputs = {normal({q.tokens, d}, 1), normal({15, 2 * d}, 2)};
        if (weighted) inputs.push_back(weights());
        const auto weight = [](const Variables& x) { return x.size() > 2 ? x[2] : Variable(); };
        const Pass fused =
            run([&](const Variables& x) { return packed_attention(x[0], x[1], weight(x), key); }, inputs);
        const Pass composed = run(
            [&](const Variables& x) {
              return packed_attention_composed(x[0], narrow(x[1], 1, 0, d), narrow(x[1], 1, d, d), weight(x), key);
            },
            inputs);
        INFO("paper " << (weighting == KeyWeighting::kPaper) << ", weighted " << weighted << ", queries " << q.tokens);
        CHECK(difference(fused, composed, kSameInFloat64) == "");
      }
    }
  }
}

TEST_CASE("packed_attention: query, key and value side by side give what apart they give") {
  const AttentionKey key = attention_key(3, keys(), keys(), 0.2);
  const Tensors inputs = {normal({15, 36}, 1), weights()};
  const Pass joined = run([&](const Variables& x) { return packed_attention(x[0], x[1], key); }, inputs);
  const Pass apart = run(
      [&](const Variables& x) { return packed_attention(narrow(x[0], 1, 0, 12), narrow(x[0], 1, 12, 24), x[1], key); },
      inputs);
  CHECK(difference(joined, apart, kSameInFloat64) == "");
}

TEST_CASE("packed_attention: dropout takes the word of head and original key position in the query's stream") {
  const Packed q = queries();
  const std::int64_t heads = 2;
  const std::int64_t size = 3;
  const AttentionKey key = attention_key(heads, q, q, 0.5);
  const Tensor x = normal({q.tokens, 3 * heads * size}, 4);
  const Tensor y = packed_attention(Variable(x), Variable(), key).value();

  const StepState& state = step_state(key.dropout.state);
  const auto* position = q.position.data<std::int32_t>();
  const auto* offsets = q.offsets.data<std::int32_t>();
  const auto at = [&](std::int64_t row, std::int64_t part, std::int64_t head, std::int64_t i) {
    return x.data<double>()[row * 3 * heads * size + (part * heads + head) * size + i];
  };
  const auto kept = [&](std::int64_t row, std::int64_t head, std::int64_t key_row) {
    const auto index = static_cast<std::uint32_t>(head * 65536 + position[key_row]);
    const Philox words = philox(state.seed, static_cast<std::uint32_t>(state.step),
                                static_cast<std::uint32_t>(q.example.data<std::int32_t>()[row]),
                                key.dropout.stream.word() | static_cast<std::uint32_t>(position[row]), index / 4);
    return words.word[index % 4] >= 0x80000000u;
  };
  const Tensor expected = zeros_like(y);
  int dropped = 0;
  for (std::int64_t s = 0; s < q.sentences; ++s) {
    for (std::int64_t row = offsets[s]; row < offsets[s + 1]; ++row) {
      for (std::int64_t head = 0; head < heads; ++head) {
        double sum = 0;
        std::vector<double> out(size);
        for (std::int64_t k = offsets[s]; k < offsets[s + 1]; ++k) {
          double score = 0;
          for (std::int64_t i = 0; i < size; ++i) score += at(row, 0, head, i) * at(k, 1, head, i);
          const double e = std::exp(score / std::sqrt(static_cast<double>(size)));
          sum += e;
          dropped += !kept(row, head, k);
          for (std::size_t i = 0; kept(row, head, k) && i < out.size(); ++i) {
            out[i] += 2 * e * at(k, 2, head, static_cast<std::int64_t>(i));
          }
        }
        for (std::size_t i = 0; i < out.size(); ++i) {
          expected.data<double>()[(row * heads + head) * size + static_cast<std::int64_t>(i)] = out[i] / sum;
        }
      }
    }
  }
  CHECK(dropped > 10);
  CHECK(difference(y, expected, kSameInFloat64) == "");
}

TEST_CASE("packed_attention: a sentence whose keys all have weight 0 gives zeros and no gradient") {
  const AttentionKey key = attention_key(2, keys(), keys());
  const Tensor w = weights();
  for (std::int64_t i = 6; i < 15; ++i) w.data<double>()[i] = 0;
  const Tensor x = normal({15, 18}, 1);
  const Pass pass = run([&](const Variables& v) { return packed_attention(v[0], v[1], key); }, {x, w});
  const auto rest = [](const Tensor& t) { return t.narrow(0, 6, 9); };
  CHECK(difference(rest(pass.value), zeros({9, 6}), {0, 0}) == "");
  CHECK(difference(rest(pass.grads[0]), zeros({9, 18}), {0, 0}) == "");
  CHECK(difference(rest(pass.grads[1]), zeros({9}), {0, 0}) == "");
  CHECK(difference(pass.value.narrow(0, 0, 6), zeros({6, 6}), {0, 0}) != "");
}

TEST_CASE("packed_attention: a key of weight 0 changes nothing, even with the largest score") {
  Packed two = make_packed({2}, {0});
  const AttentionKey key = attention_key(1, two, two);
  const Tensor q = full({2, 1}, 1.0f);
  const Tensor k = from_values<float>({1, 5000}, {2, 1});  // exp(5000) would be infinite
  const Tensor v = from_values<float>({3, 7}, {2, 1});
  const AttentionOutput out = packed_attention(q, k, v, from_values<float>({1, 0}), key);
  CHECK(out.y.to_vector<float>() == std::vector<float>{3, 3});
  const AttentionGradients d =
      packed_attention_backward(full({2, 1}, 1.0f), out, q, k, v, from_values<float>({1, 0}), key);
  CHECK(d.dq.to_vector<float>() == std::vector<float>{0, 0});
  CHECK(d.dv.to_vector<float>() == std::vector<float>{2, 0});
  // p (g - D) = exp(30) (7 - 3) for both queries: the exponent is capped in the weight's derivative alone.
  CHECK(d.dweight.data<float>()[1] == Approx(8 * std::exp(30.0)).epsilon(1e-5));
}

TEST_CASE("packed_attention: rows behind the last sentence get zeros, forward and backward") {
  const auto with_two_rows_more = [](const Tensor& x) {
    Shape shape = x.shape();
    shape[0] = 2;
    const Tensor more = full(shape, std::numeric_limits<double>::quiet_NaN(), x.dtype());
    return join(std::vector<Variable>{Variable(x), Variable(more)}, 0).value();
  };
  const AttentionKey key = attention_key(2, keys(), keys());
  const Tensor x = normal({15, 18}, 1);
  const auto f = [&](const Variables& v) { return packed_attention(v[0], v[1], key); };
  const Pass exact = run(f, {x, weights()});
  // Memory that held NaN before.
  for (int i = 0; i < 4; ++i) full({17, 18}, std::numeric_limits<double>::quiet_NaN(), DType::kFloat64);
  const Pass rounded = run(f, {with_two_rows_more(x), with_two_rows_more(weights())});
  CHECK(difference(rounded.value.narrow(0, 0, 15), exact.value, kSameInFloat64) == "");
  CHECK(difference(rounded.value.narrow(0, 15, 2), zeros({2, 6}), {0, 0}) == "");
  CHECK(difference(rounded.grads[0].narrow(0, 15, 2), zeros({2, 18}), {0, 0}) == "");
  CHECK(difference(rounded.grads[1].narrow(0, 15, 2), zeros({2}), {0, 0}) == "");
}

TEST_CASE("packed_attention: offsets outside of the rows are refused") {
  const AttentionKey key = attention_key(2, keys(), keys());
  const Variable x(normal({14, 18}, 1));
  CHECK(message_of([&] { packed_attention(x, Variable(), key); }) ==
        "packed_attention: expected offsets that rise from 0 to at most 14 rows, got 0 to 15");
}

TEST_CASE("residual_dropout_layer_norm: equals its composed twin, forward and backward") {
  const ThreadCount one(1);
  for (const bool bias : {false, true}) {
    for (const bool scale : {false, true}) {
      for (const double p : {0.0, 0.3}) {
        const DropoutKey key = dropout_key(p, keys());
        Tensors inputs = {normal({15, 7}, 1), normal({15, 7}, 2), normal({7}, 3), normal({7}, 4)};
        if (bias) inputs.push_back(normal({7}, 5));
        if (scale) inputs.push_back(normal({15}, 6));
        const auto with = [&](auto op) {
          return [=](const Variables& x) {
            const Variable b = bias ? x[4] : Variable();
            const Variable s = scale ? x.back() : Variable();
            return op(x[0], b, x[1], s, x[2], x[3], 1e-12, key);
          };
        };
        INFO("bias " << bias << ", scale " << scale << ", p " << p);
        CHECK(difference(run(with(residual_dropout_layer_norm), inputs),
                         run(with(residual_dropout_layer_norm_composed), inputs), kSameInFloat64) == "");
      }
    }
  }
}

TEST_CASE("bias_gelu: equals gelu of the sum") {
  const Tensors inputs = {normal({9, 17}, 1), normal({17}, 2)};
  CHECK(difference(run([](const Variables& x) { return bias_gelu(x[0], x[1]); }, inputs),
                   run([](const Variables& x) { return gelu(x[0] + x[1]); }, inputs), kSameInFloat64) == "");
}

TEST_CASE("cross_entropy: equals the label's entry of -log_softmax") {
  const Tensor labels = from_values<std::int32_t>({2, 0, 1, 1, 2});
  const Tensor one_hot = zeros({5, 3}, DType::kFloat64);
  for (std::int64_t row = 0; row < 5; ++row) one_hot.data<double>()[3 * row + labels.data<std::int32_t>()[row]] = 1;
  const Tensors inputs = {normal({5, 3}, 1)};
  CHECK(difference(run([&](const Variables& x) { return cross_entropy(x[0], labels); }, inputs),
                   run([&](const Variables& x) { return -sum(log_softmax(x[0]) * Variable(one_hot), 1); }, inputs),
                   kSameInFloat64) == "");
}

TEST_CASE("gumbel_gate: equals the kept class of gumbel_softmax under the same difference of noise") {
  const Tensor noise = gumbel_noise(dropout_key(0, keys()), 2, DType::kFloat64);
  const Tensor difference_of_noise = sub(noise.select(1, 1), noise.select(1, 0));
  for (const double temperature : {0.3, 1.0, 2.0}) {
    StepState state;
    state.temperature = temperature;
    const Tensor tensor = make_step_state(state);
    const auto gate = [&](const Variables& x) {
      const Variable z = reshape(narrow(x[0], 1, 1, 1) - narrow(x[0], 1, 0, 1), {15});
      return gumbel_gate(z, difference_of_noise, tensor);
    };
    const auto softmax_gate = [&](const Variables& x) {
      return reshape(narrow(gumbel_softmax(x[0], noise, temperature, true), 1, 1, 1), {15});
    };
    const Tensors logits = {normal({15, 2}, 1)};
    CHECK(difference(run(gate, logits), run(softmax_gate, logits), kSameInFloat64) == "");
  }
}

TEST_CASE("index_select: a sparse gradient is the dense one's rows") {
  const Tensor index = from_values<std::int32_t>({4, 1, 4, 0, 4});
  const Tensor table = random_normal({6, 3}, 1);
  const Variable dense(table, true);
  const Variable sparse(table, true);
  sparse.node()->grad.allow_sparse();
  const Tensor dy = random_normal({5, 3}, 2);
  index_select(dense, index).backward(dy);
  index_select(sparse, index).backward(dy);
  CHECK_FALSE(sparse.grad().defined());
  REQUIRE(sparse.node()->grad.sparse().size() == 1);
  const SparseRows rows = named_rows(coalesce(sparse.node()->grad.sparse()[0]));
  CHECK(rows.ids.to_vector<std::int32_t>() == std::vector<std::int32_t>{0, 1, 4});
  CHECK(same_bits(index_add(rows.rows, rows.ids, 6), dense.grad()));

  index_select(sparse, index).backward(dy);
  CHECK(sparse.node()->grad.sparse().size() == 2);
  sparse.zero_grad();
  CHECK_FALSE(sparse.node()->grad.filled());
}
