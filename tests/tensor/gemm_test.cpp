#include "tensor/cpu/gemm.h"

#include <cmath>
#include <limits>
#include <optional>
#include <vector>

#include "tensor/bfloat16.h"
#include "tensor/cpu/parallel.h"
#include "tensor/cpu_isa.h"
#include "tensor/dtype.h"
#include "tensor/ops/bias_activation.h"
#include "tensor/ops/matmul.h"
#include "tensor/precision.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::cpu;
using namespace tk::test;

namespace {

struct Size {
  std::int64_t m, n, k;
};

// None, one, whole tiles (14 x 32), a row and a column more and less, more than a strip (192) and a depth (384).
constexpr Size kSizes[] = {{0, 3, 2},   {3, 0, 2},     {3, 2, 0},     {1, 1, 1},     {14, 32, 4},
                           {15, 33, 5}, {13, 31, 3},   {28, 64, 16},  {29, 17, 769}, {57, 193, 385},
                           {56, 96, 7}, {113, 200, 1}, {300, 100, 31}};

constexpr float kGap = -7;  // what lies between the rows of y

// Operands whose rows lie `gap` further apart than they are long, with NaN in the gaps of a and b.
template <class T>
struct Operands {
  Operands(const Size& size, bool transpose_a, bool transpose_b, std::int64_t gap)
      : a(matrix(transpose_a ? size.k : size.m, transpose_a ? size.m : size.k, gap, 1)),
        b(matrix(transpose_b ? size.n : size.k, transpose_b ? size.k : size.n, gap, 2)),
        bias(random_normal({size.n}, 3, dtype_of<T>)),
        y(full({size.m, size.n + gap}, kGap, dtype_of<T>)),
        product{.m = size.m,
                .n = size.n,
                .k = size.k,
                .a = a.template data<T>(),
                .lda = a.shape()[1],
                .transpose_a = transpose_a,
                .b = b.template data<T>(),
                .ldb = b.shape()[1],
                .transpose_b = transpose_b,
                .y = y.template data<T>(),
                .ldy = y.shape()[1]} {}

  static Tensor matrix(std::int64_t rows, std::int64_t cols, std::int64_t gap, std::uint64_t seed) {
    const Tensor x = full({rows, cols + gap}, std::numeric_limits<double>::quiet_NaN(), dtype_of<T>);
    x.narrow(1, 0, cols).copy_from(random_normal({rows, cols}, seed, dtype_of<T>));
    return x;
  }

  Tensor a, b, bias, y;
  Product<T> product;
};

// alpha a b + bias + the y of before, in float64; the largest error, or infinity where a gap of y was written to.
template <class T>
double error_of(const Product<T>& p, double before) {
  const bool rounds = std::is_same_v<T, float> && product_precision() == ProductPrecision::kBFloat16;
  const auto factor = [rounds](T x) {
    return static_cast<double>(rounds ? static_cast<float>(BFloat16(static_cast<float>(x))) : x);
  };
  double largest = 0;
  for (std::int64_t i = 0; i < p.m; ++i) {
    for (std::int64_t j = 0; j < p.n; ++j) {
      double sum = 0;
      for (std::int64_t k = 0; k < p.k; ++k) {
        sum += factor(p.transpose_a ? p.a[k * p.lda + i] : p.a[i * p.lda + k]) *
               factor(p.transpose_b ? p.b[j * p.ldb + k] : p.b[k * p.ldb + j]);
      }
      const double expected = p.alpha * sum + (p.bias != nullptr ? p.bias[j] : 0) + (p.add ? before : 0);
      const double error = std::abs(p.y[i * p.ldy + j] - expected) / (1 + std::abs(expected));
      largest = error <= largest ? largest : error;  // NaN is larger than anything
    }
    for (std::int64_t j = p.n; j < p.ldy; ++j) {
      if (p.y[i * p.ldy + j] != kGap) return std::numeric_limits<double>::infinity();
    }
  }
  return largest;
}

// Those with products of floats of their own.
std::vector<CpuIsa> isas_here() {
  std::vector<CpuIsa> here;
  for (const CpuIsa isa : kAllCpuIsas) {
    const bool for_int8 = isa == CpuIsa::kAvxVnni || isa == CpuIsa::kAvx512Vnni;
    if (has_cpu_isa(isa) && !for_int8) here.push_back(isa);
  }
  return here;
}

std::vector<CpuIsa> isas_of_bfloat16() {
  std::vector<CpuIsa> here;
  for (const CpuIsa isa : isas_here()) {
    if (isa >= CpuIsa::kAvx512Bf16) here.push_back(isa);
  }
  return here;
}

template <class T>
void run_alone(const Product<T>& p) {
  Gemm<T> gemm;
  parallel_for(2, gemm.threads(), [&](std::int64_t i) {
    if (i == 0) gemm(p);
  });
}

template <class T>
void check_all(double tolerance) {
  for (const Size& size : kSizes) {
    for (const int variant : {0, 1, 2, 3, 4, 5, 6, 7}) {
      for (const std::int64_t gap : {0, 5}) {
        INFO(size.m << " x " << size.n << " x " << size.k << ", variant " << variant << ", gap " << gap);
        Operands<T> o(size, (variant & 1) != 0, (variant & 2) != 0, gap);
        Product<T>& p = o.product;
        const auto run = [&] { (variant & 4) != 0 ? run_alone(p) : parallel_gemm(p); };
        run();
        CHECK(error_of(p, 0) < tolerance);
        p.alpha = T(-0.75);
        run();
        CHECK(error_of(p, 0) < tolerance);
        p.alpha = 1;
        p.bias = o.bias.template data<T>();
        run();
        CHECK(error_of(p, 0) < tolerance);
        p.bias = nullptr;
        p.add = true;
        o.y.fill(kGap);
        run();
        CHECK(error_of(p, kGap) < tolerance);
      }
    }
  }
}

}  // namespace

TEST_CASE("gemm: equals the sum in float64 for every transposition, size, stride, scale, bias and start value") {
  for (const CpuIsa isa : isas_here()) {
    INFO(name(isa));
    const WithCpuIsa used(isa);
    check_all<float>(kFloat32LongSums.absolute);
  }
  check_all<double>(1e-13);
}

TEST_CASE("gemm: with factors of bfloat16 it equals the sum of the rounded ones, as with float32 in all else") {
  for (const CpuIsa isa : isas_of_bfloat16()) {
    INFO(name(isa));
    const WithCpuIsa used(isa);
    const WithProductPrecision precision(ProductPrecision::kBFloat16);
    check_all<float>(kFloat32LongSums.absolute);
  }
}

TEST_CASE("gemm: products of bfloat16 are refused where the instruction set has none") {
  const WithCpuIsa used(CpuIsa::kBlas);
  const WithProductPrecision precision(ProductPrecision::kBFloat16);
  CHECK_THROWS_WITH(matmul(full({2, 2}, 1.0), full({2, 2}, 1.0)),
                    ContainsSubstring("products of bfloat16 need AVX512_BF16 or AMX, and these run on blas"));
  CHECK_NOTHROW(matmul(full({2, 2}, 1.0, DType::kFloat64), full({2, 2}, 1.0, DType::kFloat64)));
}

// Every kind of product that there is here.
template <class F>
void for_each_kind(F&& f) {
  for (const CpuIsa isa : isas_here()) {
    INFO(name(isa));
    const WithCpuIsa used(isa);
    f(isa, ProductPrecision::kFloat32);
  }
  for (const CpuIsa isa : isas_of_bfloat16()) {
    INFO(name(isa) << ", bfloat16");
    const WithCpuIsa used(isa);
    const WithProductPrecision precision(ProductPrecision::kBFloat16);
    f(isa, ProductPrecision::kBFloat16);
  }
}

TEST_CASE("gemm: the bits are the same for any number of threads") {
  for_each_kind([](CpuIsa, ProductPrecision) {
    for (const bool transpose_a : {false, true}) {
      Operands<float> o({805, 384, 800}, transpose_a, true, 0);
      const auto with_threads = [&](int n) {
        const ThreadCount threads(n);
        parallel_gemm(o.product);
        return o.y.clone();
      };
      const Tensor one = with_threads(1);
      for (const int n : {2, 3, 5}) CHECK(same_bits(with_threads(n), one));
    }
  });
}

TEST_CASE("gemm: in tiles an element's bits depend on its own row and column alone, not on float32's instructions") {
  std::optional<Tensor> in_float32;
  for_each_kind([&](CpuIsa isa, ProductPrecision precision) {
    if (isa == CpuIsa::kBlas) return;
    Operands<float> o({130, 200, 1900}, false, true, 0);
    parallel_gemm(o.product);
    if (!in_float32) in_float32 = o.y;
    if (precision == ProductPrecision::kFloat32) CHECK(same_bits(o.y, *in_float32));
    for (const std::int64_t rows : {1, 2, 15, 100}) {
      Product<float> p = o.product;
      const Tensor y = zeros({rows, 77});
      p.m = rows;
      p.n = 77;
      p.a += 30 * p.lda;
      p.b += 100 * p.ldb;
      p.y = y.data<float>();
      p.ldy = 77;
      run_alone(p);
      CHECK(same_bits(y, o.y.narrow(0, 30, rows).narrow(1, 100, 77).contiguous()));
    }
  });
  if (!in_float32) WARN("this processor has neither AVX2 nor AVX-512: nothing to check");
}

TEST_CASE("linear: with a packed weight, whole or in parts of a matrix, it has the bits of the weight as it lies") {
  for_each_kind([](CpuIsa isa, ProductPrecision) {
    for (const Size& size : kSizes) {
      INFO(size.m << " x " << size.n << " x " << size.k);
      const Tensor x = random_normal({size.m, size.k}, 1), w = random_normal({size.n + 3, size.k}, 2);
      const Tensor bias = random_normal({size.n}, 3);
      const Tensor part = w.narrow(0, 2, size.n);
      const PackedWeight packed(part);
      REQUIRE(packed.serves() == (isa != CpuIsa::kBlas));
      if (!packed.serves()) continue;
      CHECK(same_bits(linear(x, packed, bias), linear(x, part, bias)));
      CHECK(same_bits(linear(x, packed, Tensor()), linear(x, part, Tensor())));
      for (const Activation f : {Activation::kGelu, Activation::kRelu}) {
        CHECK(same_bits(linear(x, packed, bias, f), bias_activation(linear(x, part, Tensor()), bias, f)));
      }
    }
    const PackedWeight large(random_normal({500, 1800}, 4));
    if (!large.serves()) return;
    const Tensor x = random_normal({203, 1800}, 5);
    CHECK(same_bits(linear(x, large, Tensor()), linear(x, random_normal({500, 1800}, 4), Tensor())));
  });
}

TEST_CASE("linear: a weight that was packed for other products is refused, and so is one that fits x not") {
  if (best_cpu_isa() < CpuIsa::kAvx2) return;
  const WithCpuIsa used(CpuIsa::kAvx2);
  const PackedWeight packed(full({3, 2}, 1.0));
  CHECK(packed.bytes() > 0);
  CHECK_THROWS_WITH(linear(full({4, 5}, 1.0), packed, Tensor()), ContainsSubstring("expected float32 x [n, 2]"));
  CHECK_THROWS_WITH(linear(full({4, 2}, 1.0), packed, full({2}, 1.0)), ContainsSubstring("bias of [3]"));
  CHECK_THROWS_WITH(linear(full({4, 2}, 1.0), packed, Tensor(), Activation::kGelu), ContainsSubstring("needs a bias"));
  const WithCpuIsa other(CpuIsa::kBlas);
  CHECK_FALSE(packed.serves());
  CHECK_FALSE(PackedWeight(full({3, 2}, 1.0)).serves());
  CHECK_THROWS_WITH(linear(full({4, 2}, 1.0), packed, Tensor()), ContainsSubstring("than the weight was packed for"));
}

TEST_CASE("gemm: NaN and infinities reach the elements of their row and column, and no others") {
  for_each_kind([](CpuIsa, ProductPrecision) {
    const Tensor a = full({20, 30}, 1.0), b = full({30, 50}, 1.0);
    a.data<float>()[7 * 30 + 3] = std::numeric_limits<float>::quiet_NaN();
    b.data<float>()[4 * 50 + 41] = std::numeric_limits<float>::infinity();
    const Tensor y = matmul(a, b);
    for (std::int64_t i = 0; i < 20; ++i) {
      for (std::int64_t j = 0; j < 50; ++j) {
        const float x = y.data<float>()[i * 50 + j];
        CHECK((i == 7 ? std::isnan(x) : j == 41 ? std::isinf(x) : x == 30.0F));
      }
    }
  });
}

TEST_CASE("cpu_isa: what the processor lacks is refused, and so is a name that there is none of") {
  CHECK(has_cpu_isa(cpu_isa()));
  CHECK(has_cpu_isa(best_cpu_isa()));
  for (const CpuIsa isa : kAllCpuIsas) {
    CHECK(cpu_isa_from_name(name(isa)) == isa);
    if (!has_cpu_isa(isa)) CHECK_THROWS_WITH(set_cpu_isa(isa), ContainsSubstring("this processor does not have"));
  }
  CHECK_THROWS_WITH(cpu_isa_from_name("avx"), ContainsSubstring("expected blas, neon, avx2, "));
}
