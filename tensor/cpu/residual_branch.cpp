#include <algorithm>
#include <cstring>

#include "tensor/cpu/branch_row.h"
#include "tensor/cpu/gemm_int8.h"
#include "tensor/cpu/gemm_tiles.h"
#include "tensor/cpu/layer_norm_row.h"
#include "tensor/kernels.h"

// Either each product by all threads, one after the other; or, of int8, where there are enough rows, slabs of rows that
// a thread takes from end to end: what lies between the products stays in its L2 cache, beside the weights.
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

  std::int64_t row(std::int64_t i) const { return rows != nullptr ? rows[i] : i; }
  std::int64_t macs() const {
    const PackedMatrix &inner = branch.inner, &last = branch.last;
    return n * (inner.out * inner.in + last.out * last.in);
  }
};

// y[row] = LN(x[row] + (product + bias)); z [hidden] is room for the sum.
void normalize(const Work& work, std::int64_t i, const float* product, float* z) {
  const ResidualNorm& norm = work.branch.norm;
  const std::int64_t at = work.row(i) * work.hidden;
  if (at < 0) return;
  add_branch_row<float>(z, work.x + at, product, norm.bias.data<float>(), nullptr, 1, work.hidden);
  const Moments<float> moments = moments_row(z, static_cast<float>(norm.epsilon), work.hidden);
  normalize_row(work.y + at, z, moments, norm.gamma.data<float>(), norm.beta.data<float>(), work.hidden);
}

Int8Product product(const PackedMatrix& w, std::int64_t m, const float* x, const std::int32_t* rows, float* y) {
  return {.m = m,
          .n = w.out,
          .k = w.in,
          .x = x,
          .ldx = w.in,
          .rows = rows,
          .panels = w.panels.data<std::int8_t>(),
          .start = w.start.data<std::int32_t>(),
          .scale = w.scale.data<float>(),
          .bias = data_or_null<float>(w.bias),
          .y = y};
}

// Slabs of rows.
class Slabs {
 public:
  explicit Slabs(const Work& work)
      : work_(work),
        kernel_(int8_kernel()),
        inner_(work.branch.last.in),
        rows_(std::min(work.n, most_rows(work))),
        cuts_(work.n, most_rows(work), kernel_.tile_rows),
        rounded_(Int8Rows::bytes(rows_, std::max(inner_, work.hidden), kernel_)),
        sums_((has_inner() ? rows_ * inner_ : 0) + (rows_ + 1) * work.hidden),
        scale_(rows_) {}

  /// Every thread has some.
  static bool pay(const Work& work) { return work.n >= num_threads() * int8_kernel().tile_rows; }

  void run() {
    parallel_for(cuts_.count, threads_for(work_.macs() / 4, num_threads()),
                 [&](std::int64_t i) { compute(cuts_.at(i), cuts_.at(i + 1)); });
  }

 private:
  // What lies between the products, and a share for every thread.
  static std::int64_t most_rows(const Work& work) {
    constexpr std::int64_t kBytes = 1 << 19;
    const std::int64_t unit = int8_kernel().tile_rows;
    const std::int64_t fit = kBytes / (work.branch.last.in * static_cast<std::int64_t>(sizeof(float)));
    return std::max(unit, std::min(fit, work.n / (2 * num_threads())) / unit * unit);
  }

  bool has_inner() const { return work_.branch.inner.defined(); }

  void multiply(const Int8Product& p) {
    const Int8Rows rounded{rounded_.mine(), scale_.mine()};
    for (std::int64_t i = 0; i < p.m; ++i) quantize(rounded, p, kernel_, i);
    kernel_.gemm(p, rounded.q, rounded.scale, {0, p.m, 0, p.n});
  }

  void compute(std::int64_t begin, std::int64_t end) {
    const std::int64_t m = end - begin, hidden = work_.hidden;
    float* const z = sums_.mine();
    float* const branch = z + hidden;
    const float* input = work_.input + begin * inner_;
    if (has_inner()) {
      float* const inner = branch + rows_ * hidden;
      const bool named = work_.rows != nullptr;
      Int8Product p = product(work_.branch.inner, m, named ? work_.x : work_.x + begin * hidden,
                              named ? work_.rows + begin : nullptr, inner);
      p.activation = work_.branch.activation;
      multiply(p);
      input = inner;
    }
    multiply(product(work_.branch.last, m, input, nullptr, branch));
    for (std::int64_t i = 0; i < m; ++i) normalize(work_, begin + i, branch + i * hidden, z);
  }

  const Work& work_;
  const Int8Kernel& kernel_;
  std::int64_t inner_, rows_;  // of the input of the last product; of a slab, at most
  Cuts cuts_;
  ThreadScratch<std::byte> rounded_;
  ThreadScratch<float> sums_, scale_;
};

// y [n, out] = x w^T + bias, of the rows named, by all threads.
void multiply(float* y, const PackedMatrix& w, const float* x, const Work& work, const std::int32_t* rows,
              std::optional<Activation> activation) {
  if (w.is_int8()) {
    Int8Product p = product(w, work.n, x, rows, y);
    p.activation = activation;
    return parallel_gemm(p, int8_kernel());
  }
  Scratch<float> named(rows != nullptr ? work.n * w.in : 0);
  if (rows != nullptr) {
    parallel_rows(work.n, w.in, [&](std::int64_t i) {
      const float* row = x + std::max(rows[i], 0) * w.in;
      std::memcpy(named.data() + i * w.in, row, static_cast<std::size_t>(w.in) * sizeof(float));
    });
  }
  parallel_gemm({.m = work.n,
                 .n = w.out,
                 .k = w.in,
                 .a = rows != nullptr ? named.data() : x,
                 .lda = w.in,
                 .y = y,
                 .ldy = w.out,
                 .bias = data_or_null<float>(w.bias),
                 .packed = {.data = w.panels.data<float>(), .cols = w.out},
                 .activation = activation});
}

void one_after_the_other(const Work& work) {
  const PackedMatrix &inner = work.branch.inner, &last = work.branch.last;
  Scratch<float> between(inner.defined() ? work.n * inner.out : 0), branch(work.n * work.hidden);
  if (inner.defined()) multiply(between.data(), inner, work.x, work, work.rows, work.branch.activation);
  multiply(branch.data(), last, inner.defined() ? between.data() : work.input, work, nullptr, std::nullopt);
  ThreadScratch<float> z(work.hidden);
  parallel_rows(work.n, work.hidden,
                [&](std::int64_t i) { normalize(work, i, branch.data() + i * work.hidden, z.mine()); });
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
  branch.last.is_int8() && Slabs::pay(work) ? Slabs(work).run() : one_after_the_other(work);
}

}  // namespace tk::cpu
