#include "tensor/cpu/blas.h"

#include <omp.h>
#include <unistd.h>

#include <thread>

#include "tensor/cpu/gemm.h"
#include "tensor/ops/matmul.h"
#include "tensor/threads.h"
#include "tests/support/address_space.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

// What is not done by then hangs, which ends the program.
class Deadline {
 public:
  Deadline() { ::alarm(60); }
  ~Deadline() { ::alarm(0); }
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;
};

class ActiveLevels {
 public:
  explicit ActiveLevels(int n) : before_(omp_get_max_active_levels()) { omp_set_max_active_levels(n); }
  ~ActiveLevels() { omp_set_max_active_levels(before_); }
  ActiveLevels(const ActiveLevels&) = delete;
  ActiveLevels& operator=(const ActiveLevels&) = delete;

 private:
  int before_;
};

// Large enough for BLAS to share it out among threads, if it did.
const Tensor& left() {
  static const Tensor x = random_normal({300, 200}, 1, DType::kFloat64);
  return x;
}

const Tensor& right() {
  static const Tensor x = random_normal({200, 400}, 2, DType::kFloat64);
  return x;
}

}  // namespace

TEST_CASE("blas: a product where OpenMP grants one thread ends, with the same bits") {
  const ThreadCount threads(4);
  const Tensor expected = matmul(left(), right());
  const Deadline deadline;
  const ActiveLevels none(0);
  CHECK(num_threads() == 1);
  CHECK(same_bits(matmul(left(), right()), expected));
}

TEST_CASE("blas: a product in a caller's parallel region, of one thread or several, has the same bits") {
  const ThreadCount threads(4);
  const Tensor expected = matmul(left(), right());
  const Deadline deadline;
  for (const int team : {1, 3}) {
    std::vector<Tensor> products(static_cast<std::size_t>(team));
#pragma omp parallel num_threads(team)
    products[static_cast<std::size_t>(omp_get_thread_num())] = matmul(left(), right());
    for (const Tensor& product : products) {
      if (product.defined()) CHECK(same_bits(product, expected));  // a caller's region may get less, too
    }
  }
}

TEST_CASE("blas: outside of any parallel region it does not thread, and leaves OpenMP's number as it was") {
  const ThreadCount threads(4);
  const auto product = [] {
    Tensor y = empty({300, 400}, DType::kFloat64);
    const cpu::BlasBuffers buffers(1);
    cpu::blas({.m = 300,
               .n = 400,
               .k = 200,
               .a = left().data<double>(),
               .lda = 200,
               .b = right().data<double>(),
               .ldb = 400,
               .y = y.data<double>(),
               .ldy = 400});
    return y;
  };
  const Tensor alone = product();
  CHECK(omp_get_max_threads() == 4);
  const ActiveLevels none(0);
  const Deadline deadline;
  CHECK(same_bits(product(), alone));
}

#ifndef __SANITIZE_ADDRESS__  // which ends the program when it gets no memory
TEST_CASE("blas: where its buffers do not fit, the error says what they take, and others go on") {
  const Tensor expected = matmul(left(), right());
  const auto threads_of_products = [] {
    const ThreadCount threads(200);  // more than any other test has had buffers for, and more than it was built for
    return cpu::Gemm<double>().threads();
  };
  {
    const AddressSpace limit(200 << 20);
    const std::string problem = message_of(threads_of_products);
    CHECK_THAT(problem, ContainsSubstring("out of memory: a matrix product by BLAS takes 128 MiB of address space"));
    CHECK_THAT(problem, ContainsSubstring("MiB more"));
  }
  CHECK(same_bits(matmul(left(), right()), expected));
  CHECK(threads_of_products() == std::min(200, cpu::most_blas_threads()));
}
#endif

TEST_CASE("blas: one product by all threads is the sum, and checks what it gets") {
  const Tensor a = random_normal({70, 30}, 1), b = random_normal({30, 50}, 2);
  Tensor y = empty({70, 50});
  for (const int n : {1, 3}) {
    const ThreadCount threads(n);
    multiply_by_blas(y, a, b);
    CHECK(difference(y, matmul(a, b), kFloat32LongSums).empty());
  }
  CHECK_THAT(message_of([&] { multiply_by_blas(y, b, a); }), ContainsSubstring("sizes differ"));
  CHECK_THAT(message_of([&] { multiply_by_blas(y, a.transpose(0, 1), b); }), ContainsSubstring("expected contiguous"));
}
