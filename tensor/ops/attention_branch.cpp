#include "tensor/ops/attention_branch.h"

#include <algorithm>

#include "tensor/kernels.h"
#include "tensor/ops/layer_norm.h"
#include "tensor/ops/row_major.h"
#include "tensor/precision.h"
#include "tensor/threads.h"

namespace tk {
namespace {

// Rows of the longest sentence.
std::int64_t longest(const Tensor& offsets) {
  const auto* bounds = offsets.data<std::int32_t>();
  std::int64_t most = 0;
  for (std::int64_t s = 0; s + 1 < offsets.numel(); ++s) most = std::max<std::int64_t>(most, bounds[s + 1] - bounds[s]);
  return most;
}

bool are_all(const Tensor& offsets, std::int64_t rows) {
  const auto* bounds = offsets.data<std::int32_t>();
  const std::int64_t last = offsets.numel() - 1;
  return bounds[0] == 0 && bounds[last] == rows && std::is_sorted(bounds, bounds + last + 1);
}

}  // namespace

bool attention_branch_pays(DType dtype, std::int64_t hidden, const AttentionKey& key, std::int64_t keys,
                           std::int64_t asking) {
  constexpr std::int64_t kColumns = 32;  // of tiles, at which the matrix is parted
  constexpr std::int64_t kLongest = 256;
  constexpr std::int64_t kRowsOfThread = 64;
  return products_outrun_memory(dtype) && hidden % kColumns == 0 && key.dropout.p == 0 &&
         keys >= kRowsOfThread * num_threads() && are_all(key.kv_offsets, keys) && are_all(key.q_offsets, asking) &&
         longest(key.kv_offsets) <= kLongest;
}

void attention_branch_into(const Tensor& y, const Tensor& x, const Tensor& rows, const AttentionKey& key,
                           const PackedMatrix& query_key_value, const ResidualBranch& output) {
  constexpr const char* kOp = "attention_branch";
  check_layer_norm(kOp, x, output.norm.gamma, output.norm.beta);
  TK_CHECK(x.rank() == 2 && x.dtype() == DType::kFloat32 && x.is_contiguous(), kOp,
           ": expected contiguous float32 x [n, hidden], got ", x.dtype(), ' ', x.shape());
  const std::int64_t hidden = x.shape()[1], asking = rows.defined() ? rows.numel() : x.shape()[0];
  const bool where_they_lie = rows.defined() && y.raw_data() == x.raw_data();
  const Shape expected{where_they_lie ? x.shape()[0] : asking, hidden};
  TK_CHECK(y.shape() == expected && y.dtype() == x.dtype() && y.is_contiguous(), kOp,
           ": expected a contiguous float32 y ", expected, ", got ", y.dtype(), ' ', y.shape());
  TK_CHECK(key.heads >= 1 && hidden % key.heads == 0, kOp, ": ", key.heads, " heads do not divide ", hidden,
           " columns");
  TK_CHECK(query_key_value.in == hidden && query_key_value.out == 3 * hidden && output.last.in == hidden &&
               output.last.out == hidden && output.last.is_int8() == query_key_value.is_int8() &&
               output.norm.bias.shape() == Shape{hidden},
           kOp, ": expected weights [", 3 * hidden, ", ", hidden, "] and [", hidden, ", ", hidden,
           "] of one kind and a bias [", hidden, "]");
  TK_CHECK(key.q_offsets.shape() == key.kv_offsets.shape() &&
               attention_branch_pays(query_key_value.dtype(), hidden, key, x.shape()[0], asking),
           kOp, ": no kernel for ", x.shape()[0], " rows of ", key.kv_offsets.numel() - 1, " sentences");
  const auto* named = data_or_null<std::int32_t>(rows);
  for (std::int64_t i = 0; named != nullptr && i < asking; ++i) {
    TK_CHECK(named[i] >= 0 && named[i] < x.shape()[0], kOp, ": row ", named[i], " is out of range for ", x.shape()[0],
             " rows");
  }
  Tensor target = y;
  attention_branch_kernel(Device::kCpu, target, x, contiguous_if_given(rows), where_they_lie, key, query_key_value,
                          output);
}

}  // namespace tk
