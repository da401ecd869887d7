#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>

#include "tensor/cpu/column_sums.h"
#include "tensor/cpu/parallel.h"
#include "tensor/kernels.h"

namespace tk::cpu {
namespace {

std::int64_t row_size(const Tensor& x) { return x.shape()[0] == 0 ? 0 : x.numel() / x.shape()[0]; }

// Indices lie in [-1, size): -1 names no row.
template <class I>
void check_indices(const char* op, const Tensor& index, std::int64_t size) {
  const I* begin = index.data<I>();
  for (std::int64_t i = 0; i < index.numel(); ++i) {
    TK_CHECK(begin[i] >= -1 && begin[i] < size, op, ": index ", begin[i], " is out of range for dimension 0 of size ",
             size);
  }
}

// Of a row of `size` elements.
template <class I>
void check_places(const char* op, const Tensor& index, std::int64_t size) {
  const I* begin = index.data<I>();
  for (std::int64_t i = 0; i < index.numel(); ++i) {
    TK_CHECK(begin[i] >= 0 && begin[i] < size, op, ": index ", begin[i], " is out of range for a dimension of size ",
             size);
  }
}

}  // namespace

void index_select(Tensor& y, const Tensor& x, const Tensor& index) {
  dispatch_index(index.dtype(), "index_select", [&]<class I>() {
    check_indices<I>("index_select", index, x.shape()[0]);
    const std::int64_t bytes = row_size(y) * size_of(x.dtype());
    if (bytes == 0) return;
    const I* rows = index.data<I>();
    parallel_rows(index.numel(), row_size(y), [&](std::int64_t i) {
      std::byte* to = static_cast<std::byte*>(y.raw_data()) + i * bytes;
      if (rows[i] < 0) {
        std::memset(to, 0, static_cast<std::size_t>(bytes));
      } else {
        std::memcpy(to, static_cast<const std::byte*>(x.raw_data()) + rows[i] * bytes, static_cast<std::size_t>(bytes));
      }
    });
  });
}

void index_add(Tensor& y, const Tensor& x, const Tensor& index) {
  dispatch_index(index.dtype(), "index_add", [&]<class I>() {
    check_indices<I>("index_add", index, y.shape()[0]);
    const std::int64_t cols = row_size(y);
    const I* rows = index.data<I>();
    dispatch_floating(y.dtype(), "index_add", [&]<class T>() {
      // Threads share the columns, so every element is added to in order of i.
      parallel_chunks(cols, 64, index.numel() * cols, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t i = 0; i < index.numel(); ++i) {
          if (rows[i] < 0) continue;
          add_to_row(y.data<T>() + rows[i] * cols + begin, x.data<T>() + i * cols + begin, end - begin);
        }
      });
    });
  });
}

void spread_rows(const SumTarget& y, const Tensor& x, const Tensor& index) {
  check_indices<std::int32_t>("spread_rows", index, y.out.shape()[0]);
  Tensor whole = y.out;
  if (!y.add) fill(whole, 0);
  const std::int64_t cols = row_size(y.out);
  const auto* rows = index.data<std::int32_t>();
  dispatch_floating(x.dtype(), "spread_rows", [&]<class T>() {
    parallel_rows(index.numel(), cols, [&](std::int64_t i) {
      if (rows[i] >= 0) add_to_row(y.out.data<T>() + rows[i] * cols, x.data<T>() + i * cols, cols);
    });
  });
}

void index_copy(Tensor& y, const Tensor& x, const Tensor& index) {
  dispatch_index(index.dtype(), "index_copy", [&]<class I>() {
    check_indices<I>("index_copy", index, y.shape()[0]);
    const std::int64_t bytes = row_size(y) * size_of(y.dtype());
    if (bytes == 0) return;
    const I* rows = index.data<I>();
    const auto copy = [&](std::int64_t i) {
      if (rows[i] < 0) return;
      std::memcpy(static_cast<std::byte*>(y.raw_data()) + rows[i] * bytes,
                  static_cast<const std::byte*>(x.raw_data()) + i * bytes, static_cast<std::size_t>(bytes));
    };
    if (std::is_sorted(rows, rows + index.numel(), std::less_equal<I>()))
      return parallel_rows(index.numel(), row_size(y), copy);
    for (std::int64_t i = 0; i < index.numel(); ++i) copy(i);  // of rows that are named twice the last one stays
  });
}

void gather_rows(Tensor& y, const Tensor& x, const Tensor& index) {
  dispatch_index(index.dtype(), "gather", [&]<class I>() {
    const std::int64_t m = index.shape().back(), n = x.shape().back();
    check_places<I>("gather", index, n);
    dispatch_width(x.dtype(), [&]<class U>() {
      parallel_rows(m == 0 ? 0 : index.numel() / m, m, [&](std::int64_t row) {
        const I* places = index.data<I>() + row * m;
        const U* from = static_cast<const U*>(x.raw_data()) + row * n;
        U* to = static_cast<U*>(y.raw_data()) + row * m;
        for (std::int64_t j = 0; j < m; ++j) to[j] = from[places[j]];
      });
    });
  });
}

void scatter_add_rows(Tensor& y, const Tensor& x, const Tensor& index) {
  dispatch_index(index.dtype(), "scatter_add", [&]<class I>() {
    const std::int64_t m = index.shape().back(), n = y.shape().back();
    check_places<I>("scatter_add", index, n);
    dispatch_floating(y.dtype(), "scatter_add", [&]<class T>() {
      parallel_rows(m == 0 ? 0 : index.numel() / m, m, [&](std::int64_t row) {
        const I* places = index.data<I>() + row * m;
        const T* from = x.data<T>() + row * m;
        T* to = y.data<T>() + row * n;
        for (std::int64_t j = 0; j < m; ++j) to[places[j]] += from[j];
      });
    });
  });
}

void coalesce(Tensor& ids, Tensor& sums, const Tensor& index, const Tensor& rows) {
  const auto* index_data = index.data<std::int32_t>();
  const std::int64_t n = index.numel();
  Scratch<std::int32_t> order(n);
  std::iota(order.data(), order.data() + n, 0);
  const auto names_a_row = [&](std::int32_t i) { return index_data[i] != -1; };
  const std::int64_t named = std::stable_partition(order.data(), order.data() + n, names_a_row) - order.data();
  std::stable_sort(order.data(), order.data() + named, [&](auto a, auto b) { return index_data[a] < index_data[b]; });
  Scratch<std::int32_t> first(n + 1);  // the place in `order` where each distinct index begins
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < named; ++i) {
    const std::int32_t id = index_data[order[i]];
    if (count > 0 && ids.data<std::int32_t>()[count - 1] == id) continue;
    ids.data<std::int32_t>()[count] = id;
    first[count++] = static_cast<std::int32_t>(i);
  }
  std::fill(ids.data<std::int32_t>() + count, ids.data<std::int32_t>() + n, -1);
  std::fill(first.data() + count, first.data() + n + 1, static_cast<std::int32_t>(named));
  const std::int64_t cols = row_size(rows);
  dispatch_floating(rows.dtype(), "coalesce", [&]<class T>() {
    parallel_rows(n, cols, [&](std::int64_t k) {
      T* sum = sums.data<T>() + k * cols;
      std::fill(sum, sum + cols, T(0));
      for (std::int32_t i = first[k]; i < first[k + 1]; ++i) add_to_row(sum, rows.data<T>() + order[i] * cols, cols);
    });
  });
}

void compact(Tensor& rows, Tensor& kept_offsets, const Tensor& mask, const Tensor& offsets) {
  const auto* bounds = offsets.data<std::int32_t>();
  auto* survivors = rows.data<std::int32_t>();
  auto* kept_bounds = kept_offsets.data<std::int32_t>();
  std::int32_t next = 0;
  for (std::int64_t s = 0; s + 1 < offsets.numel(); ++s) {
    kept_bounds[s] = next;
    for (std::int32_t row = bounds[s]; row < bounds[s + 1]; ++row) {
      survivors[next] = row;
      next += mask.data<bool>()[row];
    }
  }
  kept_bounds[offsets.numel() - 1] = next;
  for (std::int32_t row = bounds[offsets.numel() - 1]; row < mask.numel(); ++row) {
    if (mask.data<bool>()[row]) survivors[next++] = row;
  }
  std::fill(survivors + next, survivors + rows.numel(), -1);
}

}  // namespace tk::cpu
