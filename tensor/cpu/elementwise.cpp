#include <type_traits>

#include "tensor/cpu/parallel.h"
#include "tensor/cpu/row_offset.h"
#include "tensor/cpu/simd.h"
#include "tensor/kernels.h"

namespace tk::cpu {
namespace {

// A row is the last dimension; inputs are walked by their own strides, so broadcasting costs nothing extra.
struct Walk {
  explicit Walk(const Tensor& y) : cols(y.rank() == 0 ? 1 : y.shape().back()), rows(cols == 0 ? 0 : y.numel() / cols) {}
  std::int64_t cols;
  std::int64_t rows;

  std::int64_t stride(const Tensor& x) const { return x.rank() == 0 ? 1 : x.strides().back(); }
};

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
  } else {
    for (std::int64_t i = 0; i < n; ++i) y[i] = F::apply(dy[i * sd], a[i * sa], b[i * sb]);
  }
}

template <class F, class T>
void map(Tensor& y, const Tensor& a, const Tensor& b) {
  const Walk walk(y);
  parallel_rows(walk.rows, walk.cols, [&](std::int64_t row) {
    map_row<F>(y.data<T>() + row * walk.cols, a.data<T>() + row_offset(a, row), walk.stride(a),
               b.data<T>() + row_offset(b, row), walk.stride(b), walk.cols);
  });
}

template <class F, class T>
void map(Tensor& y, const Tensor& dy, const Tensor& a, const Tensor& b) {
  const Walk walk(y);
  parallel_rows(walk.rows, walk.cols, [&](std::int64_t row) {
    map_row<F>(y.data<T>() + row * walk.cols, dy.data<T>() + row_offset(dy, row), walk.stride(dy),
               a.data<T>() + row_offset(a, row), walk.stride(a), b.data<T>() + row_offset(b, row), walk.stride(b),
               walk.cols);
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
  dispatch_floating(y.dtype(), name(op), [&]<class T>() {
    dispatch_unary(op, [&]<class Op>() {
      if (!x.is_contiguous()) return map<Forward<Op>, T>(y, x, x);
      flat(y.numel(), [&](std::int64_t begin, std::int64_t end) {
        const T* from = x.data<T>() + begin;
        map_row<Forward<Op>>(y.data<T>() + begin, from, 1, from, 1, end - begin);
      });
    });
  });
}

void unary_backward(Tensor& dx, UnaryOp op, const Tensor& dy, const Tensor& x, const Tensor& y) {
  dispatch_floating(dx.dtype(), name(op),
                    [&]<class T>() { dispatch_unary(op, [&]<class Op>() { map<Backward<Op>, T>(dx, dy, x, y); }); });
}

void binary(Tensor& y, BinaryOp op, const Tensor& a, const Tensor& b) {
  dispatch_floating(y.dtype(), name(op), [&]<class T>() {
    dispatch_binary(op, [&]<class Op>() {
      if (!a.is_contiguous() || !b.is_contiguous()) return map<ForwardBinary<Op>, T>(y, a, b);
      flat(y.numel(), [&](std::int64_t begin, std::int64_t end) {
        map_row<ForwardBinary<Op>>(y.data<T>() + begin, a.data<T>() + begin, 1, b.data<T>() + begin, 1, end - begin);
      });
    });
  });
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
      const Walk walk(y);
      parallel_rows(walk.rows, walk.cols, [&](std::int64_t row) {
        compare_row<Op, compute_t<T>>(y.data<bool>() + row * walk.cols, a.data<T>() + row_offset(a, row),
                                      walk.stride(a), b.data<T>() + row_offset(b, row), walk.stride(b), walk.cols);
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
    const Walk walk(y);
    parallel_rows(walk.rows, walk.cols, [&](std::int64_t row) {
      U* to = static_cast<U*>(y.raw_data()) + row * walk.cols;
      const bool* chosen = mask.data<bool>() + row_offset(mask, row);
      const U* first = static_cast<const U*>(a.raw_data()) + row_offset(a, row);
      const U* second = static_cast<const U*>(b.raw_data()) + row_offset(b, row);
      const std::int64_t sm = walk.stride(mask), sa = walk.stride(a), sb = walk.stride(b);
      for (std::int64_t i = 0; i < walk.cols; ++i) to[i] = chosen[i * sm] ? first[i * sa] : second[i * sb];
    });
  });
}

}  // namespace tk::cpu
