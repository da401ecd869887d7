#include "tests/support/tensors.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "tensor/ops/optim.h"
#include "tensor/threads.h"

namespace tk::test {
namespace {

// x in the first entries of dimension `dim` of a tensor that has `extra` more, all NaN.
Tensor widened(const Tensor& x, std::int64_t dim, std::int64_t extra) {
  Shape shape = x.shape();
  shape[dim] += extra;
  const Tensor wide = full(shape, std::numeric_limits<double>::quiet_NaN(), x.dtype(), x.device());
  const Tensor view = wide.narrow(dim, 0, x.shape()[dim]);
  view.copy_from(x);
  return view;
}

bool near(double a, double b, Tolerance tolerance) {
  if (std::isnan(a) || std::isnan(b)) return std::isnan(a) && std::isnan(b);
  return a == b || std::fabs(a - b) <= tolerance.absolute + tolerance.relative * std::fabs(b);
}

}  // namespace

Tensor random_normal(const Shape& shape, std::uint64_t seed, DType dtype) {
  Generator generator(seed, Purpose::kData);
  const Tensor x = empty(shape, DType::kFloat64);
  for (std::int64_t i = 0; i < x.numel(); ++i) x.data<double>()[i] = generator.normal();
  return x.to(dtype);
}

Tensors strided_copies(const Tensor& x) {
  const std::int64_t last = x.rank() - 1;
  if (x.rank() == 0) return {x};
  if (x.rank() == 1) return {widened(x.unsqueeze(1), 1, 1).squeeze(1)};
  return {x.transpose(last - 1, last).clone().transpose(last - 1, last), widened(x, last, 3)};
}

std::string difference(const Tensor& got, const Tensor& expected, Tolerance tolerance) {
  if (got.shape() != expected.shape()) return concat("shape ", got.shape(), ", expected ", expected.shape());
  const std::vector<double> a = got.to(DType::kFloat64).to_vector<double>();
  const std::vector<double> b = expected.to(DType::kFloat64).to_vector<double>();
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (!near(a[i], b[i], tolerance)) {
      return concat("element ", i, " of ", got.shape(), ": ", a[i], ", expected ", b[i], ", apart ", a[i] - b[i]);
    }
  }
  return "";
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) return false;
  const Tensor x = a.contiguous().to(Device::kCpu);
  const Tensor y = b.contiguous().to(Device::kCpu);
  return a.numel() == 0 || std::memcmp(x.raw_data(), y.raw_data(), static_cast<std::size_t>(a.bytes())) == 0;
}

SparseRows named_rows(const SparseRows& coalesced) {
  const std::vector<std::int32_t> ids = coalesced.ids.to_vector<std::int32_t>();
  const std::int64_t count = std::ranges::find(ids, -1) - ids.begin();
  return {coalesced.ids.narrow(0, 0, count), coalesced.rows.narrow(0, 0, count)};
}

double norm_of(const Tensor& x) {
  const Tensor state = make_step_state({}, x.device());
  const Tensors parts = {x};
  grad_norm(state, parts);
  return read_step_state(state).grad_norm;
}

DropoutKey dropout_key(double p, const Packed& packed, Stream stream) {
  StepState state;
  state.seed = 7;
  state.step = 3;
  return {p, make_step_state(state), packed.example, packed.position, stream};
}

AttentionKey attention_key(std::int64_t heads, const Packed& q, const Packed& kv, double p, KeyWeighting weighting) {
  return {heads, q.offsets, kv.offsets, kv.position, weighting, dropout_key(p, q, {Purpose::kAttentionDropout, 1, 0})};
}

DropoutKey to(const DropoutKey& key, Device device) {
  return {key.p, key.state.to(device), key.example.to(device), key.position.to(device), key.stream};
}

AttentionKey to(const AttentionKey& key, Device device) {
  return {key.heads,     key.q_offsets.to(device), key.kv_offsets.to(device), key.kv_position.to(device),
          key.weighting, to(key.dropout, device)};
}

ThreadCount::ThreadCount(int n) : before_(num_threads()), grain_(thread_grain()) {
  set_num_threads(n);
  set_thread_grain(0);
}

ThreadCount::~ThreadCount() {
  set_num_threads(before_);
  set_thread_grain(grain_);
}

}  // namespace tk::test
