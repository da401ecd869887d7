#include "tensor/ops/matmul.h"

#include "tensor/ops/elementwise.h"
#include "tensor/threads.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

// y[i, j] = sum over p of a[i, p] b[p, j], in float64.
Tensor naive(const Tensor& a, const Tensor& b) {
  const Tensor x = a.to(DType::kFloat64).contiguous();
  const Tensor w = b.to(DType::kFloat64).contiguous();
  const std::int64_t m = a.shape()[0], k = a.shape()[1], n = b.shape()[1];
  const Tensor y = zeros({m, n}, DType::kFloat64);
  for (std::int64_t i = 0; i < m; ++i) {
    for (std::int64_t p = 0; p < k; ++p) {
      for (std::int64_t j = 0; j < n; ++j) {
        y.data<double>()[i * n + j] += x.data<double>()[i * k + p] * w.data<double>()[p * n + j];
      }
    }
  }
  return y;
}

Tensor transposed(const Tensor& x) { return x.transpose(0, 1).contiguous(); }

struct Size {
  std::int64_t m, k, n;
};

}  // namespace

TEST_CASE("matmul: equals the triple loop for odd sizes, sizes that cross panels, and transposed operands") {
  for (const Size s :
       {Size{1, 1, 1}, {3, 5, 7}, {17, 1, 9}, {1, 64, 33}, {257, 31, 193}, {513, 17, 385}, {2, 700, 3}}) {
    INFO(s.m << " x " << s.k << " x " << s.n);
    const Tensor a = random_normal({s.m, s.k}, 1);
    const Tensor b = random_normal({s.k, s.n}, 2);
    const Tensor expected = naive(a, b);
    CHECK(difference(matmul(a, b), expected, kFloat32LongSums) == "");
    CHECK(difference(matmul(transposed(a), b, true, false), expected, kFloat32LongSums) == "");
    CHECK(difference(matmul(a, transposed(b), false, true), expected, kFloat32LongSums) == "");
    CHECK(difference(matmul(transposed(a), transposed(b), true, true), expected, kFloat32LongSums) == "");
    CHECK(difference(linear(a, transposed(b), Tensor()), expected, kFloat32LongSums) == "");
    CHECK(difference(matmul(a.to(DType::kFloat64), b.to(DType::kFloat64)), expected, {1e-11, 1e-12}) == "");
  }
}

TEST_CASE("matmul: strided operands, columns of a wider matrix, and expanded rows") {
  const Tensor a = random_normal({19, 23}, 1);
  const Tensor b = random_normal({23, 29}, 2);
  const Tensor expected = matmul(a, b);
  for (const Tensor& x : strided_copies(a)) {
    for (const Tensor& w : strided_copies(b)) CHECK(same_bits(matmul(x, w), expected));
  }
  const Tensor row = random_normal({23}, 3).unsqueeze(0);
  CHECK(difference(matmul(row, b), naive(row, b), kFloat32Sums) == "");
  const Tensor rows = row.expand({4, 23});
  CHECK(difference(matmul(rows, b), naive(rows, b), kFloat32Sums) == "");
}

TEST_CASE("matmul: adds to its output where asked, into columns of a wider matrix too") {
  const Tensor a = random_normal({300, 40}, 1);
  const Tensor b = random_normal({40, 210}, 2);
  const Tensor wide = full({300, 220}, 5);
  const Tensor y = wide.narrow(1, 4, 210);
  matmul_into(y, false, a, b, false, false);
  CHECK(difference(y, naive(a, b), kFloat32Sums) == "");
  y.fill(1);
  matmul_into(y, true, a, b, false, false);
  CHECK(difference(affine(y, 1, -1), naive(a, b), kFloat32Sums) == "");
  for (const float x : wide.narrow(1, 0, 4).to_vector<float>()) CHECK(x == 5);
  for (const float x : wide.narrow(1, 214, 6).to_vector<float>()) CHECK(x == 5);
}

TEST_CASE("matmul: products of nothing are zero, and keep or clear what was there") {
  const Tensor y = full({3, 4}, 7);
  matmul_into(y, true, zeros({3, 0}), zeros({0, 4}), false, false);
  CHECK(difference(y, full({3, 4}, 7), {0, 0}) == "");
  matmul_into(y, false, zeros({3, 0}), zeros({0, 4}), false, false);
  CHECK(difference(y, zeros({3, 4}), {0, 0}) == "");
  CHECK(matmul(zeros({0, 3}), zeros({3, 4})).shape() == Shape{0, 4});
  CHECK(difference(linear(zeros({2, 0}), zeros({3, 0}), full({3}, 2)), full({2, 3}, 2), {0, 0}) == "");
}

TEST_CASE("matmul: batches, each alone") {
  const Tensor a = random_normal({3, 5, 7}, 1);
  const Tensor b = random_normal({3, 7, 4}, 2);
  const Tensor y = matmul(a, b);
  for (std::int64_t i = 0; i < 3; ++i) {
    CHECK(difference(y.select(0, i), naive(a.select(0, i), b.select(0, i)), kFloat32Sums) == "");
  }
  CHECK(same_bits(matmul(a.transpose(1, 2).contiguous(), b, true, false), y));
  CHECK(same_bits(matmul(a, b.transpose(1, 2), false, true), y));
}

TEST_CASE("matmul: the bits do not depend on the number of threads, nor on other rows far away") {
  const Tensor a = random_normal({513, 384}, 1);
  const Tensor w = random_normal({385, 384}, 2);
  const Tensor bias = random_normal({385}, 3);
  const auto with_threads = [&](int n) {
    const ThreadCount threads(n);
    return linear(a, w, bias);
  };
  const Tensor one = with_threads(1);
  CHECK(same_bits(with_threads(2), one));
  CHECK(same_bits(with_threads(3), one));
  CHECK(same_bits(with_threads(2), one));  // and again, whatever BLAS has seen before
}

TEST_CASE("matmul: what does not fit says what came") {
  const Tensor a = zeros({8, 64});
  CHECK(message_of([&] { matmul(a, zeros({32, 16})); }) == "matmul: inner dimensions differ: [8, 64] @ [32, 16]");
  CHECK(message_of([&] { matmul(a, zeros({32, 16}), true, false); }) ==
        "matmul: inner dimensions differ: [8, 64]^T @ [32, 16]");
  CHECK(message_of([&] { matmul(a, zeros({64})); }) ==
        "matmul: expected two matrices or two batches, got [8, 64] @ [64]");
  CHECK(message_of([&] { matmul(a, zeros({64, 2}, DType::kFloat64)); }) ==
        "matmul: dtypes differ: float32 and float64");
  CHECK(message_of([&] { matmul(a.to(DType::kInt32), zeros({64, 2}, DType::kInt32)); }) ==
        "matmul: expected float32 or float64, got int32");
  CHECK(message_of([&] { matmul_into(zeros({3, 8}), false, a, zeros({64, 3}), false, false); }) ==
        "matmul: expected a row-major float32 output of [8, 3], got float32 [3, 8] with strides [8, 1]");
  CHECK(message_of([&] { matmul_into(zeros({3, 8}).transpose(0, 1), false, a, zeros({64, 3}), false, false); }) ==
        "matmul: expected a row-major float32 output of [8, 3], got float32 [8, 3] with strides [1, 8]");
  CHECK(message_of([&] { linear(a, zeros({5, 63}), Tensor()); }) ==
        "linear: expected x [n, in] and w [out, in], got [8, 64] and [5, 63]");
  CHECK(message_of([&] { linear(a, zeros({5, 64}), zeros({4})); }) ==
        "linear: expected a float32 bias of [5], got float32 [4]");
  CHECK(message_of([&] { linear(a, zeros({5, 64}), zeros({5}, DType::kFloat64)); }) ==
        "linear: expected a float32 bias of [5], got float64 [5]");
}

TEST_CASE("blas: the OpenMP variant, so that a parallel region stays one") {
  CHECK(blas_uses_openmp());
  CHECK_FALSE(blas_core().empty());
}
