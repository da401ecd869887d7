#pragma once

#include <string>
#include <vector>

#include "tensor/kernel_arguments.h"
#include "tensor/ops/index.h"
#include "tensor/packed.h"
#include "tests/support/tolerances.h"

// Tensors and comparisons that tests of several layers share.
namespace tk::test {

/// Normal numbers; the same seed gives the same ones.
Tensor random_normal(const Shape& shape, std::uint64_t seed, DType dtype = DType::kFloat32);

/// Tensors with x's values whose elements are not adjacent: transposed, columns of a wider matrix (rank >= 2), every
/// second element (rank 1). NaN lies in the gaps.
Tensors strided_copies(const Tensor& x);

/// Empty if `got` has the shape of `expected` and is near it everywhere (NaN near NaN, infinity near itself), else what
/// differs first.
std::string difference(const Tensor& got, const Tensor& expected, Tolerance tolerance);
/// Whether shape, dtype and all bits are equal.
bool same_bits(const Tensor& a, const Tensor& b);

/// The coalesced rows that name a row: ids of -1 left out.
SparseRows named_rows(const SparseRows& coalesced);
/// The Euclidean norm as the optimizer takes it.
double norm_of(const Tensor& x);

/// The random numbers of a packed batch's rows, at step 3 of seed 7.
DropoutKey dropout_key(double p, const Packed& packed, Stream stream = {});
/// Attention of q's rows over kv's.
AttentionKey attention_key(std::int64_t heads, const Packed& q, const Packed& kv, double p = 0,
                           KeyWeighting weighting = KeyWeighting::kExact);

/// The same random numbers for rows on another device, the same attention there.
DropoutKey to(const DropoutKey& key, Device device);
AttentionKey to(const AttentionKey& key, Device device);

/// The message of the tk::Error that f throws; "no error" if it throws none.
template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

/// The number of threads as long as this lives, for all there is to do, however little.
class ThreadCount {
 public:
  explicit ThreadCount(int n);
  ~ThreadCount();
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int before_;
  std::int64_t grain_;
};

}  // namespace tk::test
