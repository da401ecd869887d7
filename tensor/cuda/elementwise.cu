#include <type_traits>

#include "tensor/cuda/pack.h"
#include "tensor/kernels.h"

namespace tk::cuda {
namespace {

// An input with any strides, expanded to the output's shape. A row is the last dimension.
template <class T>
struct Operand {
  const T* data;
  Layout layout;
  std::int64_t stride;  // of the last dimension
  bool wide;            // a row's units lie at multiples of 16 bytes

  explicit Operand(const Tensor& x)
      : data(x.data<T>()), layout(x), stride(x.rank() == 0 ? 1 : x.strides().back()), wide(wide_rows(0, 1, x)) {
    for (std::int64_t d = 0; d + 1 < x.rank(); ++d) wide = wide && x.strides()[d] % kUnit<T> == 0;
  }

  __device__ std::int64_t row_offset(std::int64_t row) const {
    std::int64_t at = 0;
#pragma unroll 1
    for (std::int64_t d = layout.rank - 2; d > 0; --d) {
      at += row % layout.shape[d] * layout.strides[d];
      row /= layout.shape[d];
    }
    return layout.rank >= 2 ? at + row * layout.strides[0] : 0;
  }

  __device__ Pack<T, kUnit<T>> unit(std::int64_t row, std::int64_t col, std::int64_t count) const {
    const T* from = data + row_offset(row) + col * stride;
    return stride == 1 ? load<kUnit<T>>(from, count, wide) : gather<kUnit<T>>(from, stride, count);
  }
};

template <class T, int kInputs>
struct Operands {
  Operand<T> at[kInputs];
};

// y [rows, cols] = f(inputs...): a thread takes a unit of one row; all its loads are in flight before the first is
// used.
template <class F, class T, int kInputs>
__global__ void map(T* y, std::int64_t rows, std::int64_t cols, const __grid_constant__ Operands<T, kInputs> inputs,
                    bool wide, F f) {
  constexpr int N = kUnit<T>;
  const std::int64_t units = (cols + N - 1) / N;
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i >= rows * units) return;
  const std::int64_t row = i / units, col = (i - row * units) * N;
  Pack<T, N> x[kInputs];
#pragma unroll
  for (int k = 0; k < kInputs; ++k) x[k] = inputs.at[k].unit(row, col, cols - col);
  compute_t<T> result[N];
#pragma unroll
  for (int k = 0; k < N; ++k) {
    if constexpr (kInputs == 1) {
      result[k] = f(x[0][k]);
    } else if constexpr (kInputs == 2) {
      result[k] = f(x[0][k], x[1][k]);
    } else {
      result[k] = f(x[0][k], x[1][k], x[2][k]);
    }
  }
  store(y + row * cols + col, result, cols - col, wide);
}

// Contiguous tensors are one long row.
template <class T, class F, class... Inputs>
void launch_map(const char* name, Tensor& y, F f, const Inputs&... x) {
  if (y.numel() == 0) return;
  const bool flat = (x.is_contiguous() && ...);
  const auto view = [&](const Tensor& input) { return Operand<T>(flat ? input.reshape({input.numel()}) : input); };
  const std::int64_t cols = flat ? y.numel() : y.shape().back();
  const std::int64_t rows = y.numel() / cols;
  const std::int64_t units = (cols + kUnit<T> - 1) / kUnit<T>;
  const bool wide = wide_rows(flat ? 0 : cols, kUnit<T>, y);
  map<<<blocks(rows * units, kThreads), kThreads, 0, stream()>>>(y.data<T>(), rows, cols,
                                                                 Operands<T, sizeof...(Inputs)>{{view(x)...}}, wide, f);
  check_launch(name);
}

template <class Op>
struct Forward {
  template <class T, class... More>
  __device__ T operator()(T x, More... more) const {
    return Op::forward(x, more...);
  }
};
template <class Op>
struct Backward {
  template <class T>
  __device__ T operator()(T dy, T x, T y) const {
    return dy * Op::derivative(x, y);
  }
};
template <class Op>
struct First {
  template <class T>
  __device__ T operator()(T dy, T a, T b) const {
    return dy * Op::first(a, b);
  }
};
template <class Op>
struct Second {
  template <class T>
  __device__ T operator()(T dy, T a, T b) const {
    return dy * Op::second(a, b);
  }
};
template <class T>
struct Affine {
  T scale;
  T shift;
  __device__ T operator()(T x) const { return scale * x + shift; }
};

// A thread an element; y is contiguous, the others have any strides.
template <class Op, class T>
__global__ void compare_elements(bool* y, const T* a, const __grid_constant__ Layout a_layout, const T* b,
                                 const __grid_constant__ Layout b_layout, std::int64_t n) {
  using C = compute_t<T>;
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < n) y[i] = Op::holds(static_cast<C>(a[a_layout.offset(i)]), static_cast<C>(b[b_layout.offset(i)]));
}

template <class Op, class C, class T>
__global__ void compare_elements_to(bool* y, const T* x, C bound, std::int64_t n) {
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < n) y[i] = Op::holds(static_cast<C>(x[i]), bound);
}

template <class U>
__global__ void choose_elements(U* y, const bool* mask, const __grid_constant__ Layout mask_layout, const U* a,
                                const __grid_constant__ Layout a_layout, const U* b,
                                const __grid_constant__ Layout b_layout, std::int64_t n) {
  const std::int64_t i = std::int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (i < n) y[i] = mask[mask_layout.offset(i)] ? a[a_layout.offset(i)] : b[b_layout.offset(i)];
}

}  // namespace

void unary(Tensor& y, UnaryOp op, const Tensor& x) {
  dispatch_arithmetic(y.dtype(), name(op), [&]<class T>() {
    dispatch_unary(op, [&]<class Op>() { launch_map<T>(name(op), y, Forward<Op>{}, x); });
  });
}

void unary_backward(Tensor& dx, UnaryOp op, const Tensor& dy, const Tensor& x, const Tensor& y) {
  dispatch_arithmetic(dx.dtype(), name(op), [&]<class T>() {
    dispatch_unary(op, [&]<class Op>() { launch_map<T>(name(op), dx, Backward<Op>{}, dy, x, y); });
  });
}

void binary(Tensor& y, BinaryOp op, const Tensor& a, const Tensor& b) {
  dispatch_arithmetic(y.dtype(), name(op), [&]<class T>() {
    dispatch_binary(op, [&]<class Op>() { launch_map<T>(name(op), y, Forward<Op>{}, a, b); });
  });
}

void binary_backward(Tensor& d, BinaryOp op, bool second, const Tensor& dy, const Tensor& a, const Tensor& b) {
  dispatch_arithmetic(d.dtype(), name(op), [&]<class T>() {
    dispatch_binary(op, [&]<class Op>() {
      second ? launch_map<T>(name(op), d, Second<Op>{}, dy, a, b) : launch_map<T>(name(op), d, First<Op>{}, dy, a, b);
    });
  });
}

void affine(Tensor& y, const Tensor& x, double scale, double shift) {
  dispatch_arithmetic(y.dtype(), "affine", [&]<class T>() {
    using C = compute_t<T>;
    launch_map<T>("affine", y, Affine<C>{static_cast<C>(scale), static_cast<C>(shift)}, x);
  });
}

void add_to(Tensor& y, const Tensor& x) {
  dispatch_arithmetic(y.dtype(), "add_to", [&]<class T>() { launch_map<T>("add_to", y, Forward<Add>{}, y, x); });
}

void compare(Tensor& y, CompareOp op, const Tensor& a, const Tensor& b) {
  const std::int64_t n = y.numel();
  if (n == 0) return;
  dispatch_all(a.dtype(), [&]<class T>() {
    dispatch_compare(op, [&]<class Op>() {
      compare_elements<Op><<<blocks(n, kThreads), kThreads, 0, stream()>>>(y.data<bool>(), a.data<T>(), Layout(a),
                                                                           b.data<T>(), Layout(b), n);
      check_launch(name(op));
    });
  });
}

// Integers are compared as doubles: the bound may be none.
void compare_to(Tensor& y, CompareOp op, const Tensor& x, double bound) {
  const std::int64_t n = y.numel();
  if (n == 0) return;
  dispatch_all(x.dtype(), [&]<class T>() {
    using C = std::conditional_t<std::is_integral_v<T>, double, compute_t<T>>;
    dispatch_compare(op, [&]<class Op>() {
      compare_elements_to<Op><<<blocks(n, kThreads), kThreads, 0, stream()>>>(y.data<bool>(), x.data<T>(),
                                                                              static_cast<C>(bound), n);
      check_launch(name(op));
    });
  });
}

void where(Tensor& y, const Tensor& mask, const Tensor& a, const Tensor& b) {
  const std::int64_t n = y.numel();
  if (n == 0) return;
  dispatch_width(y.dtype(), [&]<class U>() {
    choose_elements<<<blocks(n, kThreads), kThreads, 0, stream()>>>(
        static_cast<U*>(y.raw_data()), mask.data<bool>(), Layout(mask), static_cast<const U*>(a.raw_data()), Layout(a),
        static_cast<const U*>(b.raw_data()), Layout(b), n);
    check_launch("where");
  });
}

}  // namespace tk::cuda
