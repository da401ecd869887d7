#include "tensor/cpu/gemm_int8.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "tensor/cpu_isa.h"
#include "tensor/ops/bias_activation.h"
#include "tensor/ops/matmul.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

struct Size {
  std::int64_t m, n, k;
};

// None, one, whole tiles and panels, a row and a column more and less, inner sizes that fill no quad and no 64, more
// columns than a piece has, more rows than a tile.
constexpr Size kSizes[] = {{0, 3, 2},      {3, 0, 2},    {3, 2, 0},      {1, 1, 1},       {6, 8, 4},
                           {14, 32, 64},   {15, 33, 5},  {32, 32, 128},  {33, 17, 63},    {13, 47, 65},
                           {57, 193, 385}, {113, 96, 3}, {64, 700, 391}, {31, 100, 1536}, {5, 16, 2}};

// For each instruction set that is here.
template <class F>
void for_each_isa(F&& f) {
  for (const CpuIsa isa : kAllCpuIsas) {
    if (!has_cpu_isa(isa)) continue;
    INFO(name(isa));
    const WithCpuIsa used(isa);
    f();
  }
}

// The formula of gemm_int8.h with sums in int64.
Tensor expected(const QuantizedRows& x, const QuantizedRows& w, const Tensor& bias) {
  const std::int64_t m = x.values.shape()[0], n = w.values.shape()[0], k = x.values.shape()[1];
  const Tensor y = empty({m, n});
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t j = 0; j < n; ++j) {
      std::int64_t sum = 0;
      for (std::int64_t p = 0; p < k; ++p) {
        sum += std::int64_t{x.values.data<std::int8_t>()[i * k + p]} * w.values.data<std::int8_t>()[j * k + p];
      }
      const float scaled = static_cast<float>(sum) * x.scale.data<float>()[i], scale = w.scale.data<float>()[j];
      y.data<float>()[i * n + j] = bias.defined() ? std::fma(scaled, scale, bias.data<float>()[j]) : scaled * scale;
    }
  }
  return y;
}

}  // namespace

TEST_CASE("int8 linear: has the bits of the rounded rows' sums in int64, for every size and instruction set") {
  for (const Size& size : kSizes) {
    INFO(size.m << " x " << size.n << " x " << size.k);
    const Tensor wide = random_normal({size.m, size.k + 5}, 1);
    const Tensor x = wide.narrow(1, 3, size.k), bias = random_normal({size.n}, 3);
    const QuantizedRows w = quantize_rows(random_normal({size.n, size.k}, 2));
    const PackedInt8Weight packed(w);
    const Tensor with_bias = expected(quantize_rows(x), w, bias), bare = expected(quantize_rows(x), w, Tensor());
    for_each_isa([&] {
      CHECK(same_bits(linear(x, packed, bias), with_bias));
      CHECK(same_bits(linear(x, packed, Tensor()), bare));
    });
  }
}

TEST_CASE("int8 linear: no sum saturates or overflows, with the largest of all elements and the most columns") {
  const std::int64_t k = cpu::kMostDepth;
  const Tensor x = full({3, k}, 2.0);
  x.narrow(0, 1, 1).fill(-3.0);
  const QuantizedRows w{empty({2, k}, DType::kInt8), full({2, 1}, 0.5)};
  w.values.narrow(0, 0, 1).fill(127);
  w.values.narrow(0, 1, 1).fill(-128);
  for_each_isa([&] {
    const Tensor y = linear(x, PackedInt8Weight(w), Tensor());
    CHECK(same_bits(y, expected(quantize_rows(x), w, Tensor())));
    CHECK(std::fabs(y.data<float>()[1] / (2.0 * 0.5 * -128 * static_cast<double>(k)) - 1) < 1e-6);
  });
  CHECK_THROWS_WITH(PackedInt8Weight({empty({1, k + 1}, DType::kInt8), full({1, 1}, 1)}),
                    ContainsSubstring("of at most 65536 columns, got int8 [1, 65537]"));
}

TEST_CASE("int8 linear: is near the product in float64, by half a step of each factor") {
  const Tensor x = random_normal({40, 300}, 1), w = random_normal({50, 300}, 2);
  const QuantizedRows qx = quantize_rows(x), qw = quantize_rows(w);
  const Tensor y = linear(x, PackedInt8Weight(qw), Tensor());
  for (std::int64_t i = 0; i < 40; ++i) {
    for (std::int64_t j = 0; j < 50; ++j) {
      const double sx = qx.scale.data<float>()[i], sw = qw.scale.data<float>()[j];
      double sum = 0, allowed = 1e-4;
      for (std::int64_t p = 0; p < 300; ++p) {
        const double a = x.data<float>()[i * 300 + p], b = w.data<float>()[j * 300 + p];
        sum += a * b;
        allowed += std::fabs(a) * sw / 2 + std::fabs(b) * sx / 2 + sx * sw / 4;
      }
      CHECK(std::fabs(y.data<float>()[i * 50 + j] - sum) <= allowed);
      CHECK(std::fabs(y.data<float>()[i * 50 + j] - sum) < 1.5);  // of a sum whose deviation is 17
    }
  }
}

TEST_CASE(
    "int8 linear: a row with a NaN or an infinity is NaN, one of zeros or next to none is the bias, no other is "
    "touched") {
  const Tensor x = random_normal({9, 70}, 1), clean = x.clone(), bias = random_normal({40}, 3);
  x.data<float>()[1 * 70 + 69] = std::numeric_limits<float>::quiet_NaN();
  x.data<float>()[3 * 70] = std::numeric_limits<float>::infinity();
  x.data<float>()[4 * 70 + 7] = -std::numeric_limits<float>::infinity();
  x.narrow(0, 6, 1).fill(0);
  x.narrow(0, 7, 1).fill(1e-38);
  const PackedInt8Weight w(quantize_rows(random_normal({40, 70}, 2)));
  const Tensor untouched = linear(clean, w, bias);
  for_each_isa([&] {
    const Tensor y = linear(x, w, bias);
    for (std::int64_t i = 0; i < 9; ++i) {
      const bool is_nan = i == 1 || i == 3 || i == 4, is_bias = i == 6 || i == 7;
      for (std::int64_t j = 0; j < 40; ++j) {
        const float value = y.data<float>()[i * 40 + j];
        CHECK((is_nan ? std::isnan(value)
                      : value == (is_bias ? bias.data<float>()[j] : untouched.data<float>()[i * 40 + j])));
      }
    }
  });
}

TEST_CASE("int8 linear: the bits are the same for any number of threads, whatever rows and columns lie beside") {
  const Tensor x = random_normal({205, 384}, 1);
  const QuantizedRows w = quantize_rows(random_normal({500, 384}, 2));
  for_each_isa([&] {
    const PackedInt8Weight packed(w);
    const auto with_threads = [&](int n) {
      const ThreadCount threads(n);
      return linear(x, packed, Tensor());
    };
    const Tensor one = with_threads(1);
    for (const int n : {2, 3, 5}) CHECK(same_bits(with_threads(n), one));
    for (const std::int64_t rows : {1, 2, 15, 100}) {
      const Tensor some = linear(x.narrow(0, 30, rows), PackedInt8Weight(w.narrow(100, 77)), Tensor());
      CHECK(same_bits(some, one.narrow(0, 30, rows).narrow(1, 100, 77).contiguous()));
    }
  });
}

TEST_CASE("int8 linear: through an activation it is that of its sums, with the same bits on every instruction set") {
  const Tensor x = random_normal({37, 90}, 1), bias = random_normal({203}, 3);
  const PackedInt8Weight w(quantize_rows(random_normal({203, 90}, 2)));
  for (const Activation activation : {Activation::kGelu, Activation::kGeluTanh, Activation::kRelu, Activation::kSilu}) {
    const Tensor near = bias_activation(linear(x, w, bias), zeros({203}), activation);
    const Tensor first = linear(x, w, bias, activation);
    CHECK(difference(first, near, kFloat32LongSums) == "");
    for_each_isa([&] {
      const ThreadCount threads(3);
      CHECK(same_bits(linear(x, w, bias, activation), first));
    });
  }
}

TEST_CASE("int8 linear: what fits not is refused") {
  const PackedInt8Weight w(quantize_rows(full({3, 2}, 1.0)));
  CHECK(w.bytes() > 0);
  CHECK_THROWS_WITH(linear(full({4, 5}, 1.0), w, Tensor()), ContainsSubstring("expected float32 x [n, 2]"));
  CHECK_THROWS_WITH(linear(full({4, 2}, 1.0), w, full({2}, 1.0)), ContainsSubstring("bias of [3]"));
  CHECK_THROWS_WITH(PackedInt8Weight({zeros({2, 2}), zeros({2, 1})}), ContainsSubstring("expected an int8 matrix"));
  CHECK_THROWS_WITH(PackedInt8Weight({zeros({2, 2}, DType::kInt8), zeros({2})}),
                    ContainsSubstring("expected float32 scales [2, 1], got float32 [2]"));
}
