#include <type_traits>

#include "tensor/cpu/parallel.h"
#include "tensor/cpu/simd.h"
#include "tensor/cpu/strided_rows.h"
#include "tensor/kernels.h"

namespace tk::cpu {
namespace {

// The functors of a row; strides of 0 and 1 get loops of their own, which vectorise.
template <class F, class T>
TK_SIMD void map_row(T* y, const T* a, std::int64_t sa, const T* b, std::int64_t sb, std::int64_t n) {
  if (sa == 1 && sb == 1) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = F::apply(a[i], b[i]);
  } else if (sa == 1 && sb == 0) {
    const T second = *b;
    for (std::int64_t i = 0; i < n; ++i) y[i] = F::apply(a[i], second);
  } else {
    for (std::int64_t i = 0; i < n; ++i) y[i] = F::apply(a[i * sa], b[i * sb]);
  }
}

template <class F, class T>
TK_SIMD void map_row(T* y, const T* dy, std::int64_t sd, const T* a, std::int64_t sa, const T* b, std::int64_t sb,
                     std::int64_t n) {
  if (sd == 1 && sa == 1 && sb == 1) {
    for (std::int64_t i = 0; i < n; ++i) y[i] = F::apply(dy[i], a[i], b[i]);
  } else if (sd == 0 && sa == 1 && sb == 1) {
    const T upstream = *dy;
    for (std::int64_t i = 0; i < n; ++i) y[i] = F::apply(upstream, a[i], b[i]);
  } else {
    for (std::int64_t i = 0; i < n; ++i) y[i] = F::apply(dy[i * sd], a[i * sa], b[i * sb]);
  }
}

// y is contiguous; inputs are expanded to its shape and have any strides, so broadcasting costs nothing extra.
template <class F, class T>
void map(Tensor& y, const Tensor& a, const Tensor& b) {
  T* const to = y.data<T>();
  const T *const first = a.data<T>(), *const second = b.data<T>();
  const StridedRows rows(y, a, b);
  rows.for_each([&](const auto& at, std::int64_t n) {
    map_row<F>(to + at[0], first + at[1], rows.stride(1), second + at[2], rows.stride(2), n);
  });
}

template <class F, class T>
void map(Tensor& y, const Tensor& dy, const Tensor& a, const Tensor& b) {
  T* const to = y.data<T>();
  const T *const upstream = dy.data<T>(), *const first = a.data<T>(), *const second = b.data<T>();
  const StridedRows rows(y, dy, a, b);
  rows.for_each([&](const auto& at, std::int64_t n) {
    map_row<F>(to + at[0], upstream + at[1], rows.stride(1), first + at[2], rows.stride(2), second + at[3],
               rows.stride(3), n);
  });
}

// Contiguous tensors are one long row, cut into chunks.
template <class Row>
void flat(std::int64_t n, Row&& row) {
  parallel_chunks(n, kElementGrain, row);
}

template <class Op>
struct Forward {
  template <class T>
  static T apply(T x, T) {
    return Op::forward(x);
  }
};
template <class Op>
struct Backward {
  template <class T>
  static T apply(T dy, T x, T y) {
    return dy * Op::derivative(x, y);
  }
};
template <class Op>
struct ForwardBinary {
  template <class T>
  static T apply(T a, T b) {
    return Op::forward(a, b);
  }
};
template <class Op>
struct First {
  template <class T>
  static T apply(T dy, T a, T b) {
    return dy * Op::first(a, b);
  }
};
template <class Op>
struct Second {
  template <class T>
  static T apply(T dy, T a, T b) {
    return dy * Op::second(a, b);
  }
};

// Elements as they are compared: integers beside a bound that may be none as doubles.
template <class Op, class C, class T>
void compare_row(bool* y, const T* a, std::int64_t sa, const T* b, std::int64_t sb, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = Op::holds(static_cast<C>(a[i * sa]), static_cast<C>(b[i * sb]));
}

template <class Op, class C, class T>
void compare_row(bool* y, const T* x, C bound, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = Op::holds(static_cast<C>(x[i]), bound);
}

template <class U>
void where_row(U* y, const bool* mask, std::int64_t sm, const U* a, std::int64_t sa, const U* b, std::int64_t sb,
               std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = mask[i * sm] ? a[i * sa] : b[i * sb];
}

template <class T>
TK_SIMD void affine_row(T* y, const T* x, T scale, T shift, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] = scale * x[i] + shift;
}

template <class T>
TK_SIMD void add_row(T* y, const T* x, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) y[i] += x[i];
}

}  // namespace

void unary(Tensor& y, UnaryOp op, const Tensor& x) {
  dispatch_floating(y.dtype(), name(op),
                    [&]<class T>() { dispatch_unary(op, [&]<class Op>() { map<Forward<Op>, T>(y, x, x); }); });
}

void unary_backward(Tensor& dx, UnaryOp op, const Tensor& dy, const Tensor& x, const Tensor& y) {
  dispatch_floating(dx.dtype(), name(op),
                    [&]<class T>() { dispatch_unary(op, [&]<class Op>() { map<Backward<Op>, T>(dx, dy, x, y); }); });
}

void binary(Tensor& y, BinaryOp op, const Tensor& a, const Tensor& b) {
  dispatch_floating(y.dtype(), name(op),
                    [&]<class T>() { dispatch_binary(op, [&]<class Op>() { map<ForwardBinary<Op>, T>(y, a, b); }); });
}

void binary_backward(Tensor& d, BinaryOp op, bool second, const Tensor& dy, const Tensor& a, const Tensor& b) {
  dispatch_floating(d.dtype(), name(op), [&]<class T>() {
    dispatch_binary(op, [&]<class Op>() { second ? map<Second<Op>, T>(d, dy, a, b) : map<First<Op>, T>(d, dy, a, b); });
  });
}

void affine(Tensor& y, const Tensor& x, double scale, double shift) {
  dispatch_floating(y.dtype(), "affine", [&]<class T>() {
    flat(y.numel(), [&](std::int64_t begin, std::int64_t end) {
      affine_row(y.data<T>() + begin, x.data<T>() + begin, static_cast<T>(scale), static_cast<T>(shift), end - begin);
    });
  });
}

void add_to(Tensor& y, const Tensor& x) {
  dispatch_floating(y.dtype(), "add_to", [&]<class T>() {
    flat(y.numel(),
         [&](std::int64_t begin, std::int64_t end) { add_row(y.data<T>() + begin, x.data<T>() + begin, end - begin); });
  });
}

void compare(Tensor& y, CompareOp op, const Tensor& a, const Tensor& b) {
  dispatch_all(a.dtype(), [&]<class T>() {
    dispatch_compare(op, [&]<class Op>() {
      bool* const to = y.data<bool>();
      const T *const first = a.data<T>(), *const second = b.data<T>();
      const StridedRows rows(y, a, b);
      rows.for_each([&](const auto& at, std::int64_t n) {
        compare_row<Op, compute_t<T>>(to + at[0], first + at[1], rows.stride(1), second + at[2], rows.stride(2), n);
      });
    });
  });
}

void compare_to(Tensor& y, CompareOp op, const Tensor& x, double bound) {
  dispatch_all(x.dtype(), [&]<class T>() {
    using C = std::conditional_t<std::is_integral_v<T>, double, compute_t<T>>;
    dispatch_compare(op, [&]<class Op>() {
      flat(y.numel(), [&](std::int64_t begin, std::int64_t end) {
        compare_row<Op, C>(y.data<bool>() + begin, x.data<T>() + begin, static_cast<C>(bound), end - begin);
      });
    });
  });
}

void where(Tensor& y, const Tensor& mask, const Tensor& a, const Tensor& b) {
  dispatch_width(y.dtype(), [&]<class U>() {
    U* const to = static_cast<U*>(y.raw_data());
    const bool* const chosen = mask.data<bool>();
    const U* const first = static_cast<const U*>(a.raw_data());
    const U* const second = static_cast<const U*>(b.raw_data());
    const StridedRows rows(y, mask, a, b);
    rows.for_each([&](const auto& at, std::int64_t n) {
      where_row(to + at[0], chosen + at[1], rows.stride(1), first + at[2], rows.stride(2), second + at[3],
                rows.stride(3), n);
    });
  });
}

}  // namespace tk::cpu
