#include "autograd/ops/attention.h"

#include "autograd/ops/join.h"
#include "autograd/ops/shape.h"
#include "tensor/ops/attention.h"
#include "tests/autograd/packed_rows.h"
#include "tests/support/catch.h"
#include "tests/support/passes.h"

using namespace tk;
using namespace tk::test;

namespace {

const Packed& keys() { return packed_rows(); }

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
  CHECK(d.dweight.out.data<float>()[1] == Approx(8 * std::exp(30.0)).epsilon(1e-5));
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
