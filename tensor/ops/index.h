#pragma once

#include "tensor/kernel_arguments.h"
#include "tensor/tensor.h"

namespace tk {

/// y[i] = x[index[i]] along dimension 0; index [n] int32 or int64. An index of -1 names no row and gives zeros. Throws
/// on one out of range.
Tensor index_select(const Tensor& x, const Tensor& index);
/// The same into a tensor that is there.
void index_select_into(const Tensor& y, const Tensor& x, const Tensor& index);
/// A zero tensor of `rows` entries with y[index[i]] += x[i]: index_select's backward. The rows of an index are added in
/// their order, on a device in parts whose sums are added in theirs; a row for index -1 goes nowhere.
Tensor index_add(const Tensor& x, const Tensor& index, std::int64_t rows);
/// y[index[i]] += x[i] in place.
void index_add_to(const Tensor& y, const Tensor& x, const Tensor& index);

/// Where no row is named twice: zeros with y[index[i]] = x[i], or y[index[i]] += x[i], in one pass. index [n] int32.
void spread_rows(const SumTarget& y, const Tensor& x, const Tensor& index);

/// A copy of x with the rows named by `index` replaced: y[index[i]] = rows[i]; the last of a repeated index wins.
/// A row for index -1 goes nowhere.
Tensor index_copy(const Tensor& x, const Tensor& index, const Tensor& rows);
/// The same in place.
void index_copy_to(const Tensor& y, const Tensor& index, const Tensor& rows);

/// y[..., j, ...] = x[..., index[..., j, ...], ...] along dimension `dim`: index int32 or int64 has x's shape but for
/// its extent there, and y has the index's. Throws on one out of range.
Tensor gather(const Tensor& x, std::int64_t dim, const Tensor& index);
/// gather's backward: zeros of `extent` along `dim` with x added where the index says, equal ones in their order.
Tensor scatter_add(const Tensor& x, std::int64_t dim, const Tensor& index, std::int64_t extent);

/// Where rows of equal indices lie: what a sum by index needs to know and can be made before the rows are. Run k is
/// that of ids[k], which ascend, and has entries [first[k], first[k + 1]) of `order`, the places of its rows; run[p] is
/// the run of entry p. Behind the last run ids are -1 and runs empty; entries of index -1 are in a run of id -1.
struct RowRuns {
  Tensor ids;    ///< [n] int32
  Tensor first;  ///< [n + 1] int32
  Tensor run;    ///< [n] int32
  Tensor order;  ///< [n] int32

  bool defined() const { return ids.defined(); }
};
/// Of an index [n] int32 or int64, -1 or below `size`. Undefined where sums have no use for them: on the CPU.
RowRuns row_runs(const Tensor& index, std::int64_t size);
/// index_add: y = the sums, or y += them, with the runs of the index.
void index_add_into(const SumTarget& y, const Tensor& x, const RowRuns& runs);

/// Some rows of a table: the gradient of an embedding, whose size follows the batch and not the vocabulary.
struct SparseRows {
  Tensor ids;              ///< [n] int32; -1 names no row
  Tensor rows;             ///< [n, cols]
  bool coalesced = false;  ///< as coalesce() gives them
};
/// Ascending distinct ids, each with the sum of its rows in their order; behind them ids of -1 and rows of zeros, so
/// that the shape is the input's. `runs`: of the ids, where they were made before.
SparseRows coalesce(const SparseRows& sparse, const RowRuns& runs = {});

}  // namespace tk
