#include <algorithm>

#include "tensor/cpu/residual_row.h"
#include "tensor/cpu/slab_products.h"
#include "tensor/kernels.h"
#include "tensor/precision.h"

// Either each product by all threads, one after the other; or, where they are faster than memory and rows are enough,
// slabs of rows that a thread takes from end to end: what lies between the products stays in its L2 cache.
namespace tk::cpu {
namespace {

// The work: n rows of x and y, by number or by name, and a branch of those of x or of `input`.
struct Work {
  float* y;
  const float* x;
  const float* input;        // or null
  const std::int32_t* rows;  // or null
  std::int64_t n, hidden;
  const ResidualBranch& branch;

  bool has_inner() const { return branch.inner.defined(); }
  std::int64_t macs() const {
    const PackedMatrix &inner = branch.inner, &last = branch.last;
    return n * (inner.out * inner.in + last.out * last.in);
  }
  /// What the first product reads, from row `begin` on.
  SomeRows first(std::int64_t begin, std::int64_t count) const {
    if (!has_inner()) return {input + begin * branch.last.in, nullptr, count};
    if (rows == nullptr) return {x + begin * hidden, nullptr, count};
    return {x, rows + begin, count};
  }
};

// Row i of the work, whose branch is `product`; z [hidden] is room for the sum.
void finish(const Work& work, std::int64_t i, const float* product, float* z) {
  const std::int64_t row = work.rows != nullptr ? work.rows[i] : i;
  if (row < 0) return;
  const std::int64_t at = row * work.hidden;
  residual_norm_row(work.y + at, work.x + at, product, work.branch.norm, z, work.hidden);
}

class Slabs {
 public:
  explicit Slabs(const Work& work)
      : work_(work),
        most_(most_rows(work)),
        inner_(work.branch.last.in),
        multiply_(most_, std::max(inner_, work.hidden), work.branch.last.is_int8()),
        sums_((work.has_inner() ? most_ * inner_ : 0) + (most_ + 1) * work.hidden) {}

  /// Every thread has some.
  static bool pay(const Work& work) {
    return products_outrun_memory(work.branch.last.dtype()) && work.n >= num_threads() * tile_rows(work);
  }

  void run() {
    const Cuts cuts(work_.n, most_, tile_rows(work_));
    parallel_for(cuts.count, threads_for(work_.macs() / 4, num_threads()),
                 [&](std::int64_t i) { compute(cuts.at(i), cuts.at(i + 1)); });
  }

 private:
  static std::int64_t tile_rows(const Work& work) {
    constexpr std::int64_t kOfBFloat16 = 32;
    return work.branch.last.is_int8() ? int8_kernel().tile_rows : kOfBFloat16;
  }

  // What lies between the products has room in L2, and every thread gets its share.
  static std::int64_t most_rows(const Work& work) {
    constexpr std::int64_t kBytes = 1 << 19;
    const std::int64_t unit = tile_rows(work);
    const std::int64_t fit = kBytes / (work.branch.last.in * static_cast<std::int64_t>(sizeof(float)));
    return std::max(unit, std::min(fit, work.n / (2 * num_threads())) / unit * unit);
  }

  void compute(std::int64_t begin, std::int64_t end) {
    const std::int64_t hidden = work_.hidden;
    float* const z = sums_.mine();
    float* const product = z + hidden;
    SomeRows rows = work_.first(begin, end - begin);
    if (work_.has_inner()) {
      float* const inner = product + most_ * hidden;
      multiply_(inner, rows, work_.branch.inner, {0, inner_}, work_.branch.activation);
      rows = {inner, nullptr, rows.n};
    }
    multiply_(product, rows, work_.branch.last, {0, hidden});
    for (std::int64_t i = begin; i < end; ++i) finish(work_, i, product + (i - begin) * hidden, z);
  }

  const Work& work_;
  std::int64_t most_, inner_;  // rows of a slab; inputs of the last product
  SlabProducts multiply_;
  ThreadScratch<float> sums_;
};

// y = f(x w^T + bias) by all threads.
void multiply(float* y, const SomeRows& rows, const PackedMatrix& w, std::optional<Activation> activation = {}) {
  const SomeColumns all{0, w.out};
  if (w.is_int8()) return parallel_gemm(int8_product(y, rows, w, all, activation), int8_kernel());
  Scratch<float> named(rows.named != nullptr ? rows.n * w.in : 0);
  if (rows.named != nullptr) {
    parallel_rows(rows.n, w.in, [&](std::int64_t i) { copy_row(named.data() + i * w.in, rows, i, w.in); });
  }
  parallel_gemm(tile_product(y, rows.named != nullptr ? named.data() : rows.x, rows.n, w, all, activation));
}

void one_after_the_other(const Work& work) {
  const PackedMatrix &inner = work.branch.inner, &last = work.branch.last;
  Scratch<float> between(work.has_inner() ? work.n * inner.out : 0), product(work.n * work.hidden);
  SomeRows rows = work.first(0, work.n);
  if (work.has_inner()) {
    multiply(between.data(), rows, inner, work.branch.activation);
    rows = {between.data(), nullptr, work.n};
  }
  multiply(product.data(), rows, last);
  ThreadScratch<float> z(work.hidden);
  parallel_rows(work.n, work.hidden,
                [&](std::int64_t i) { finish(work, i, product.data() + i * work.hidden, z.mine()); });
}

}  // namespace

void residual_branch(Tensor& y, const Tensor& x, const Tensor& rows, const Tensor& input,
                     const ResidualBranch& branch) {
  const Work work{.y = y.data<float>(),
                  .x = x.data<float>(),
                  .input = data_or_null<float>(input),
                  .rows = data_or_null<std::int32_t>(rows),
                  .n = rows.defined() ? rows.numel() : x.shape()[0],
                  .hidden = x.shape()[1],
                  .branch = branch};
  for (std::int64_t i = 0; rows.defined() && i < work.n; ++i) {
    TK_CHECK(work.rows[i] >= -1 && work.rows[i] < x.shape()[0], "residual_branch: row ", work.rows[i],
             " is out of range for ", x.shape()[0], " rows");
  }
  if (work.n == 0 || x.shape()[0] == 0) return;
  Slabs::pay(work) ? Slabs(work).run() : one_after_the_other(work);
}

}  // namespace tk::cpu
