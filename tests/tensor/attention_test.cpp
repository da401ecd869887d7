#include "tensor/ops/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

enum class Result { kNumbers, kNan, kMixed };

Result result_of(const Tensor& x) {
  std::int64_t nans = 0;
  for (const double value : x.to(DType::kFloat64).to_vector<double>()) nans += std::isnan(value);
  return nans == 0 ? Result::kNumbers : nans == x.numel() ? Result::kNan : Result::kMixed;
}

// One head over a sentence of 40 rows and one of 3. A query of the first that holds a NaN has NaN scores, alone; a key
// that does has one with every query of its sentence.
void check_nan(Device device, DType dtype, bool weighted, KeyWeighting weighting, double p) {
  const Packed rows = make_packed({40, 3}, {0, 1});
  const AttentionKey key = to(attention_key(1, rows, rows, p, weighting), device);
  const Tensor k = random_normal({43, 32}, 2), v = random_normal({43, 32}, 3), dy = random_normal({43, 32}, 4);
  const auto there = [&](const Tensor& x) { return x.to(dtype).to(device); };
  const Tensor weight = weighted ? full({43}, 0.5, row_dtype(dtype), device) : Tensor();
  const auto with_nan = [](const Tensor& x) {
    const Tensor y = x.clone();
    y.data<float>()[17 * 32 + 5] = std::numeric_limits<float>::quiet_NaN();
    return y;
  };
  const Tensor q = random_normal({43, 32}, 1);

  const AttentionOutput asks = packed_attention(there(with_nan(q)), there(k), there(v), weight, key);
  CHECK(result_of(asks.y.narrow(0, 17, 1)) == Result::kNan);
  CHECK(result_of(asks.y.narrow(0, 0, 17)) == Result::kNumbers);
  CHECK(result_of(asks.y.narrow(0, 18, 25)) == Result::kNumbers);
  const AttentionGradients d =
      packed_attention_backward(there(dy), asks, there(with_nan(q)), there(k), there(v), weight, key);
  CHECK(result_of(d.dq.narrow(0, 17, 1)) == Result::kNan);
  CHECK(result_of(d.dq.narrow(0, 18, 25)) == Result::kNumbers);
  CHECK(result_of(d.dk.narrow(0, 0, 40)) == Result::kNan);
  CHECK(result_of(d.dk.narrow(0, 40, 3)) == Result::kNumbers);
  if (weighted) CHECK(result_of(d.dweight.out.narrow(0, 0, 40)) == Result::kNan);

  const AttentionOutput answers = packed_attention(there(q), there(with_nan(k)), there(v), weight, key);
  CHECK(result_of(answers.y.narrow(0, 0, 40)) == Result::kNan);
  CHECK(result_of(answers.y.narrow(0, 40, 3)) == Result::kNumbers);
}

void check_nan(Device device, DType dtype) {
  for (const double p : {0.0, 0.5}) {
    INFO(name(dtype) << ", dropout " << p);
    check_nan(device, dtype, false, KeyWeighting::kExact, p);
    check_nan(device, dtype, true, KeyWeighting::kExact, p);
    check_nan(device, dtype, true, KeyWeighting::kPaper, p);
  }
}

}  // namespace

TEST_CASE("packed_attention: a NaN score makes its query's row NaN, with weights and without") {
  check_nan(Device::kCpu, DType::kFloat32);
  check_nan(Device::kCpu, DType::kFloat64);
}

TEST_CASE("cuda packed_attention: a NaN score makes its query's row NaN, on the matrix units too") {
  if (!has_cuda()) return;
  for (const DType dtype : {DType::kBFloat16, DType::kFloat32, DType::kFloat64}) check_nan(Device::kCuda, dtype);
}

TEST_CASE("cuda packed_attention: rows of sentences are near those of a pass that fills dummies, which may be left") {
  if (!has_cuda()) return;
  std::vector<std::int64_t> lengths;
  for (std::int64_t s = 0; s < 40; ++s) lengths.push_back(s * 29 % 150);
  for (const std::int64_t longest : {20, 150}) {
    for (const std::int64_t head : {32, 64, 40}) {
      std::vector<std::int64_t> cut;
      for (const std::int64_t n : lengths) cut.push_back(std::min(n, longest));
      const Packed rows = make_packed(cut, std::vector<std::int32_t>(cut.size()));
      const std::int64_t n = rows.tokens, all = n + 100;
      AttentionKey key = to(attention_key(3, rows, rows), Device::kCuda);
      const auto x = [&](std::uint64_t seed) {
        return random_normal({all, 3 * head}, seed).to(DType::kBFloat16).to(Device::kCuda);
      };
      const Tensor q = x(1), k = x(2), v = x(3);
      const auto run = [&](bool fills) {
        key.fills_dummies = fills;
        return packed_attention(q, k, v, Tensor(), key).y.narrow(0, 0, n).to(Device::kCpu).to(DType::kFloat32);
      };
      INFO("heads of " << head << ", sentences of up to " << longest);
      CHECK(difference(run(false), run(true), {kBFloat16, kBFloat16}).empty());
      CHECK(same_bits(run(false), run(false)));
    }
  }
}
