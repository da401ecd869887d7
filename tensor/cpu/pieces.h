#pragma once

#include <algorithm>
#include <cstdint>

#include "tensor/parallel_for.h"

namespace tk::cpu {

/// How y is cut into pieces, each one product of one thread: at most `rows` by `cols`, at multiples of the units.
struct Pieces {
  std::int64_t rows, cols, row_unit, col_unit;
  bool along_rows = false;  ///< those of the same rows one after the other: else those of the same columns
};

/// Rows i0 to i1 of y and columns j0 to j1.
struct Piece {
  std::int64_t i0, i1, j0, j1;
};

/// [0, n) in nearly equal parts of at most `most`, cut at multiples of `unit`.
struct Cuts {
  std::int64_t n, unit, units, count;
  Cuts(std::int64_t size, std::int64_t most, std::int64_t multiple)
      : n(size), unit(multiple), units((n + unit - 1) / unit), count((units * unit + most - 1) / most) {}
  std::int64_t at(std::int64_t i) const { return std::min(n, units * i / count * unit); }
};

/// Calls f(piece) for those of y [m, n], on as many threads.
template <class F>
void for_pieces(std::int64_t m, std::int64_t n, const Pieces& pieces, int threads, F&& f) {
  const Cuts rows(m, pieces.rows, pieces.row_unit);
  const Cuts cols(n, pieces.cols, pieces.col_unit);
  parallel_for(rows.count * cols.count, threads, [&](std::int64_t i) {
    const std::int64_t r = pieces.along_rows ? i / cols.count : i % rows.count;
    const std::int64_t c = pieces.along_rows ? i % cols.count : i / rows.count;
    f(Piece{rows.at(r), rows.at(r + 1), cols.at(c), cols.at(c + 1)});
  });
}

}  // namespace tk::cpu
