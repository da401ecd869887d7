#include "tensor/cpu/column_sums.h"
#include "tensor/cpu/predictor_row.h"
#include "tensor/kernels.h"

namespace tk::cpu {
namespace {

// GELU(x) in place of x, and its slope's product with d in place of d.
template <class T>
TK_SIMD void gelu_backward_row(T* d, T* x, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) {
    d[i] *= math::gelu_derivative(x[i]);
    x[i] = math::gelu(x[i]);
  }
}

template <class T>
TK_SIMD void add_scaled_row(T* y, T scale, const T* x, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] += scale * x[i];
}

// Gradients of a row's outputs, of which two have one in dz, that of their difference.
template <class T>
std::array<T, kMostOutputs> output_gradients(const T* dz, std::int64_t outputs) {
  return outputs == 2 ? std::array<T, kMostOutputs>{-dz[0], dz[0]} : std::array<T, kMostOutputs>{dz[0], dz[1], dz[2]};
}

SumTarget row_of(const SumTarget& sum, std::int64_t row) {
  return sum && row < sum.out.shape()[0] ? SumTarget{sum.out.select(0, row), sum.add} : SumTarget();
}

}  // namespace

void predictor_head(Tensor& z, Tensor& mean, Tensor& rstd, const Tensor& u, const Tensor& gamma, const Tensor& beta,
                    const Tensor& output_w, const Tensor& output_b, double epsilon) {
  dispatch_floating(u.dtype(), "predictor_head", [&]<class T>() {
    const std::int64_t cols = gamma.numel(), scores = z.shape()[1];
    const HeadParameters<T> parameters(gamma, beta, output_w, output_b, epsilon);
    ThreadScratch<T> scratch(cols);
    parallel_rows(z.shape()[0], cols, [&](std::int64_t row) {
      const Moments<T> moments =
          score_row(z.data<T>() + row * scores, u.data<T>() + row * cols, parameters, scratch.mine());
      if (!mean.defined()) return;
      mean.data<T>()[row] = moments.mean;
      rstd.data<T>()[row] = moments.rstd;
    });
  });
}

void predictor_head_backward(Tensor& du, const SumTarget& dgamma, const SumTarget& dbeta, const SumTarget& doutput_w,
                             const SumTarget& doutput_b, const Tensor& dz, const Tensor& u, const Tensor& mean,
                             const Tensor& rstd, const Tensor& gamma, const Tensor& beta, const Tensor& output_w) {
  dispatch_floating(du.dtype(), "predictor_head", [&]<class T>() {
    const std::int64_t rows = mean.numel(), cols = gamma.numel(), outputs = output_w.shape()[0];
    const auto gradients = [&](std::int64_t row) {
      return output_gradients(dz.data<T>() + row * dz.shape()[1], outputs);
    };
    ThreadScratch<T> scratch(2 * cols);
    const std::array<SumTarget, 2 + kMostOutputs> sums_out = {dgamma, dbeta, row_of(doutput_w, 0), row_of(doutput_w, 1),
                                                              row_of(doutput_w, 2)};
    column_sums<T>(rows, cols, sums_out, [&](std::int64_t row, const std::array<T*, 2 + kMostOutputs>& sums) {
      const Moments<T> moments{mean.data<T>()[row], rstd.data<T>()[row]};
      const T* from = u.data<T>() + row * cols;
      const std::array<T, kMostOutputs> ds = gradients(row);
      T *g = scratch.mine(), *d = g + cols;
      std::fill(d, d + cols, T(0));
      for (std::int64_t k = 0; k < outputs; ++k) add_scaled_row(d, ds[k], output_w.data<T>() + k * cols, cols);
      normalize_row(g, from, moments, gamma.data<T>(), beta.data<T>(), cols);
      gelu_backward_row(d, g, cols);
      for (std::int64_t k = 0; k < outputs; ++k) add_scaled_row(sums[2 + k], ds[k], g, cols);
      layer_norm_backward_row(du.data<T>() + row * cols, d, from, moments, gamma.data<T>(), cols);
      add_affine_gradients_row(sums[0], sums[1], d, from, moments, cols);
    });
    column_sums<T, 1>(rows, outputs, {doutput_b}, [&](std::int64_t row, std::array<T*, 1> sums) {
      add_to_row(sums[0], gradients(row).data(), outputs);
    });
  });
}

}  // namespace tk::cpu
