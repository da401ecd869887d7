#include "tensor/cuda/column_sums.h"
#include "tensor/cuda/gelu.h"
#include "tensor/cuda/layer_norm_row.h"
#include "tensor/kernels.h"

// A block takes some rows at a time, one for each team of blockDim.x threads; threadIdx.y is the team, and a thread of
// it holds N adjacent columns of the row and of the parameters in registers (layer_norm_row.h). Rows are short and few:
// small blocks, so that every multiprocessor has some.
namespace tk::cuda {
namespace {

constexpr int kHeadThreads = 192;

template <class T, int N>
inline constexpr bool kHeadHasTeams = N == kUnit<T>;
template <class T, int N>
inline constexpr int kMostHeadThreads = kHeadHasTeams<T, N> ? kHeadThreads : kMostRowThreads;

template <class T, int N>
dim3 head_block(std::int64_t cols) {
  const unsigned threads = row_threads(cols, N, kMostHeadThreads<T, N>);
  return dim3(threads, kHeadHasTeams<T, N> ? kHeadThreads / threads : 1);
}

template <class C>
struct Head {
  const C *gamma, *beta;  // [cols]
  const C* output_w;      // [K, cols]
};

// A thread's columns of the parameters; zeros behind a row's end.
template <int N, int K, class C>
struct HeadColumns {
  Pack<C, N> gamma, beta, w[K];

  __device__ HeadColumns(const Head<C>& head, std::int64_t cols, std::int64_t col, bool wide)
      : gamma(load<N>(head.gamma + col, cols - col, wide)), beta(load<N>(head.beta + col, cols - col, wide)) {
#pragma unroll
    for (int k = 0; k < K; ++k) w[k] = load<N>(head.output_w + k * cols + col, cols - col, wide);
  }
};

template <int N, int K, class T, class C>
__global__ void __launch_bounds__(kMostHeadThreads<T, N>)
    score_rows(C* z, C* mean, C* rstd, const T* u, Head<C> head, const C* output_b, C epsilon, std::int64_t rows,
               std::int64_t cols, bool wide) {
  const std::int64_t row = std::int64_t{blockIdx.x} * blockDim.y + threadIdx.y;
  const std::int64_t col = threadIdx.x * N, count = cols - col;
  const bool there = row < rows;
  const Pack<T, N> from = there ? load<N>(u + row * cols + col, count, wide) : Pack<T, N>{};
  const HeadColumns<N, K, C> at(head, cols, col, wide);
  C n[N], s[K] = {};
  for (int i = 0; i < N; ++i) n[i] = from[i];
  const Moments<C> moments = moments_of_row(n, epsilon, cols, count);
  normalize_row(n, n, moments, at.gamma, at.beta);
  for (int i = 0; i < N; ++i) {
    const C g = gelu(n[i]);
#pragma unroll
    for (int k = 0; k < K; ++k) s[k] += at.w[k][i] * g;
  }
  block_reduce(s, Sum{});
  if (!there || threadIdx.x != 0) return;
#pragma unroll
  for (int k = 0; k < K; ++k) s[k] += output_b[k];
  if constexpr (K == 2) {
    z[row] = s[1] - s[0];
  } else {
    for (int k = 0; k < K; ++k) z[row * K + k] = s[k];
  }
  if (mean == nullptr) return;
  mean[row] = moments.mean;
  rstd[row] = moments.rstd;
}

// What a thread reads of a row in the backward: zeros if there is no such row.
template <int N, int K, class T>
struct ScoredRow {
  using C = compute_t<T>;
  Pack<T, N> u{};
  C mean = 0;
  C rstd = 0;
  C ds[K] = {};  // gradients of the outputs

  __device__ ScoredRow(const T* u, const C* mean, const C* rstd, const C* dz, std::int64_t row, std::int64_t end,
                       std::int64_t cols, std::int64_t col, bool wide) {
    if (row >= end) return;
    this->u = load<N>(u + row * cols + col, cols - col, wide);
    this->mean = mean[row];
    this->rstd = rstd[row];
    if constexpr (K == 2) {
      ds[1] = dz[row];
      ds[0] = -ds[1];
    } else {
      for (int k = 0; k < K; ++k) ds[k] = dz[row * K + k];
    }
  }
};

// A thread's columns of the sums over rows: of dgamma, dbeta and the rows of doutput_w; and doutput_b.
template <int N, int K, class T>
struct HeadSums {
  using C = compute_t<T>;
  static constexpr int kSums = 2 + K;
  C of[kSums][N] = {};
  C bias[K] = {};

  // To a block's row of the partial sums, one sum behind the other: those of its teams in order. All threads of the
  // block call it.
  __device__ void store_partial(C* partial, std::int64_t cols, std::int64_t col, bool wide) {
    __shared__ C of_team[kHeadThreads / kWarp][K];
    if (threadIdx.x == 0) {
      for (int k = 0; k < K; ++k) of_team[threadIdx.y][k] = bias[k];
    }
    if constexpr (kHeadHasTeams<T, N>) {
      __shared__ alignas(16) C shared[kSums * kHeadThreads * N];
      const auto place = [&](unsigned sum, unsigned team) {
        return shared + ((sum * blockDim.y + team) * blockDim.x + threadIdx.x) * N;
      };
#pragma unroll
      for (int sum = 0; sum < kSums; ++sum) Pack<C, N>(of[sum]).put(place(sum, threadIdx.y));
      __syncthreads();
      for (unsigned sum = threadIdx.y; sum < kSums; sum += blockDim.y) {  // a team takes some of the sums
        C total[N] = {};
        for (unsigned team = 0; team < blockDim.y; ++team) {
          const auto one = load<N>(place(sum, team), N, true);
          for (int i = 0; i < N; ++i) total[i] += one[i];
        }
        store(partial + sum * cols + col, total, cols - col, wide);
      }
    } else {
#pragma unroll
      for (int sum = 0; sum < kSums; ++sum) store(partial + sum * cols + col, of[sum], cols - col, wide);
      __syncthreads();
    }
    if (threadIdx.y != 0 || threadIdx.x >= K) return;
    C total = 0;
    for (unsigned team = 0; team < blockDim.y; ++team) total += of_team[team][threadIdx.x];
    partial[kSums * cols + threadIdx.x] = total;
  }
};

// partial [blocks, stride]: a block's sums.
template <int N, int K, class T, class C>
__global__ void __launch_bounds__(kMostHeadThreads<T, N>)
    score_backward_rows(T* du, C* partial, const C* dz, const T* u, const C* mean, const C* rstd, Head<C> head,
                        std::int64_t rows, std::int64_t rows_per_block, std::int64_t cols, std::int64_t stride,
                        bool wide) {
  const std::int64_t col = threadIdx.x * N, count = cols - col;
  const HeadColumns<N, K, C> at(head, cols, col, wide);
  const std::int64_t begin = blockIdx.x * rows_per_block, end = min(rows, begin + rows_per_block);
  HeadSums<N, K, T> sums;
  ScoredRow<N, K, T> next(u, mean, rstd, dz, begin + threadIdx.y, end, cols, col, wide);
  for (std::int64_t first = begin; first < end; first += blockDim.y) {
    const std::int64_t row = first + threadIdx.y;
    const ScoredRow<N, K, T> it = next;
    next = ScoredRow<N, K, T>(u, mean, rstd, dz, row + blockDim.y, end, cols, col, wide);
    C xhat[N], dxhat[N], means[2] = {};  // of dxhat and of dxhat xhat
    for (int i = 0; i < N; ++i) {
      xhat[i] = (it.u[i] - it.mean) * it.rstd;
      const C n = xhat[i] * at.gamma[i] + at.beta[i], gauss = gauss_of(n), erf = erf_of(n, gauss);
      const C g = math::gelu_from_erf(n, erf);
      C dg = 0;
#pragma unroll
      for (int k = 0; k < K; ++k) {
        dg += it.ds[k] * at.w[k][i];
        sums.of[2 + k][i] += it.ds[k] * g;
      }
      const C dn = dg * math::gelu_derivative_from_erf(n, erf, gauss);
      sums.of[0][i] += dn * xhat[i];
      sums.of[1][i] += dn;
      dxhat[i] = dn * at.gamma[i];
      means[0] += dxhat[i];
      means[1] += dxhat[i] * xhat[i];
    }
#pragma unroll
    for (int k = 0; k < K; ++k) sums.bias[k] += it.ds[k];
    block_reduce(means, Sum{});
    for (C& m : means) m /= static_cast<C>(cols);
    for (int i = 0; i < N; ++i) dxhat[i] = it.rstd * (dxhat[i] - means[0] - xhat[i] * means[1]);
    if (row < end) store(du + row * cols + col, dxhat, count, wide);
  }
  sums.store_partial(partial + blockIdx.x * stride, cols, col, wide);
}

// Sums of the blocks' partial [blocks, stride], whose columns are dgamma, dbeta, doutput_w and doutput_b.
template <class C>
__global__ void __launch_bounds__(kThreads)
    sum_partials(const __grid_constant__ SumOutputs<C> out, const C* partial, std::int64_t blocks, std::int64_t cols,
                 std::int64_t outputs, std::int64_t stride) {
  const std::int64_t tile = std::int64_t{blockIdx.x} * kTileColumns<C>, col = tile + threadIdx.x;
  const C total = sum_of_column(partial, 0, blocks, stride, tile, true);
  const std::int64_t begins[] = {0, cols, 2 * cols, (2 + outputs) * cols};
  if (threadIdx.x >= kTileColumns<C> || col >= begins[3] + outputs) return;
#pragma unroll
  for (int sum = 0; sum < 4; ++sum) {
    const std::int64_t place = col - begins[sum];
    if (place < 0 || (sum < 3 && col >= begins[sum + 1]) || out.y[sum] == nullptr) continue;
    C* const y = out.y[sum] + place;
    *y = out.add[sum] ? *y + total : total;
  }
}

// Calls f.template operator()<K>() with the number of outputs.
template <class F>
void dispatch_outputs(std::int64_t outputs, F&& f) {
  outputs == 2 ? f.template operator()<2>() : f.template operator()<3>();
}

}  // namespace

void predictor_head(Tensor& z, Tensor& mean, Tensor& rstd, const Tensor& u, const Tensor& gamma, const Tensor& beta,
                    const Tensor& output_w, const Tensor& output_b, double epsilon) {
  const std::int64_t rows = z.shape()[0], cols = gamma.numel();
  if (rows == 0) return;
  dispatch_arithmetic(u.dtype(), "predictor_head", [&]<class T>() {
    using C = compute_t<T>;
    dispatch_columns<T>(cols, kHeadThreads, "predictor_head", [&]<int N>() {
      const dim3 block = head_block<T, N>(cols);
      dispatch_outputs(output_b.numel(), [&]<int K>() {
        score_rows<N, K><<<blocks(rows, block.y), block, 0, stream()>>>(
            z.data<C>(), data_or_null<C>(mean), data_or_null<C>(rstd), u.data<T>(),
            Head<C>{gamma.data<C>(), beta.data<C>(), output_w.data<C>()}, output_b.data<C>(), static_cast<C>(epsilon),
            rows, cols, wide_rows(cols, N, u, gamma, beta, output_w));
      });
      check_launch("predictor_head");
    });
  });
}

void predictor_head_backward(Tensor& du, const SumTarget& dgamma, const SumTarget& dbeta, const SumTarget& doutput_w,
                             const SumTarget& doutput_b, const Tensor& dz, const Tensor& u, const Tensor& mean,
                             const Tensor& rstd, const Tensor& gamma, const Tensor& beta, const Tensor& output_w) {
  const std::int64_t rows = mean.numel(), cols = gamma.numel(), outputs = output_w.shape()[0];
  dispatch_arithmetic(du.dtype(), "predictor_head", [&]<class T>() {
    using C = compute_t<T>;
    dispatch_columns<T>(cols, kHeadThreads, "predictor_head", [&]<int N>() {
      const dim3 block = head_block<T, N>(cols);
      // A multiple of what a thread of sum_partials reads at once.
      const std::int64_t stride = std::int64_t{blocks((2 + outputs) * cols + outputs, kUnit<C>)} * kUnit<C>;
      const PartialSums sums(1, rows, stride, block.y, kMostBackwardBlocks, dtype_of<C>);
      C* const partial = sums.partial.data<C>();
      if (rows > 0) {
        dispatch_outputs(outputs, [&]<int K>() {
          score_backward_rows<N, K><<<blocks(sums.blocks, 1), block, 0, stream()>>>(
              du.data<T>(), partial, dz.data<C>(), u.data<T>(), mean.data<C>(), rstd.data<C>(),
              Head<C>{gamma.data<C>(), beta.data<C>(), output_w.data<C>()}, rows, sums.rows_per_block, cols, stride,
              wide_rows(cols, N, du, u, gamma, beta, output_w, sums.partial));
        });
        check_launch("predictor_head_backward");
      }
      const std::vector<SumTarget> targets{dgamma, dbeta, doutput_w, doutput_b};
      sum_for(targets, [=] {
        for_each_launch<C>(targets, [&](const SumOutputs<C>& out) {
          sum_partials<<<blocks(stride, kTileColumns<C>), kThreads, 0, stream()>>>(
              out, sums.partial.template data<C>(), sums.blocks, cols, outputs, stride);
          check_launch("predictor_head_sums");
        });
      });
    });
  });
}

}  // namespace tk::cuda
