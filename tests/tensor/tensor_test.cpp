#include "tensor/tensor.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <sstream>
#include <thread>
#include <vector>

#include "tensor/allocator.h"
#include "tensor/backend.h"
#include "tensor/ops/join.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

using Ints = std::vector<std::int32_t>;

Tensor count_up(const Shape& shape) { return arange(shape.numel()).reshape(shape); }

Ints ints(const Tensor& x) { return x.to_vector<std::int32_t>(); }

template <class T>
std::string text(const T& x) {
  std::ostringstream out;
  out << x;
  return out.str();
}

}  // namespace

TEST_CASE("shape: extents, strides and their text") {
  const Shape shape{2, 3, 4};
  CHECK(shape.rank() == 3);
  CHECK(shape.numel() == 24);
  CHECK(shape.back() == 4);
  CHECK(text(shape) == "[2, 3, 4]");
  CHECK(text(Shape{}) == "[]");
  CHECK(Shape{}.numel() == 1);
  CHECK(Shape{3, 0, 2}.numel() == 0);
  CHECK(contiguous_strides(shape) == Shape{12, 4, 1});
  CHECK(contiguous_strides({3, 0, 2}) == Shape{2, 2, 1});
  CHECK(shape.without(1) == Shape{2, 4});
  CHECK_FALSE(shape == Shape{2, 3});
  CHECK_FALSE(Shape{2, 3} == shape);
  CHECK(message_of([] { Shape{1, 2, 3, 4, 5, 6, 7}; }) == "shape: expected at most 6 dimensions, got more");
}

TEST_CASE("shape: broadcasting aligns at the last dimension") {
  CHECK(broadcast_shapes("op", {3, 1}, {4}) == Shape{3, 4});
  CHECK(broadcast_shapes("op", {}, {2, 0}) == Shape{2, 0});
  CHECK(broadcast_shapes("op", {1}, {0}) == Shape{0});
  CHECK(broadcast_shapes("op", {0}, {1}) == Shape{0});
  CHECK(message_of([] { broadcast_shapes("add", {2, 3}, {2}); }) == "add: shapes do not broadcast: [2, 3] and [2]");
  CHECK(message_of([] { broadcast_shapes("add", {0}, {2}); }) == "add: shapes do not broadcast: [0] and [2]");
}

TEST_CASE("tensor: transpose, permute, select and narrow are views") {
  const Tensor x = count_up({2, 3, 4});
  const Tensor t = x.transpose(0, -1);
  CHECK(t.shape() == Shape{4, 3, 2});
  CHECK(t.shares_storage(x));
  CHECK_FALSE(t.is_contiguous());
  CHECK(ints(t.select(0, 1)) == Ints{1, 13, 5, 17, 9, 21});

  const std::array<std::int64_t, 3> order = {1, 2, 0};
  const Tensor p = x.permute(order);
  CHECK(p.shape() == Shape{3, 4, 2});
  CHECK(ints(p.select(2, 1)) == ints(x.select(0, 1)));

  const Tensor n = x.narrow(1, 1, 2);
  CHECK(n.shape() == Shape{2, 2, 4});
  CHECK(ints(n) == Ints{4, 5, 6, 7, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23});
  CHECK(ints(x.select(1, 2)) == Ints{8, 9, 10, 11, 20, 21, 22, 23});
  CHECK(x.narrow(2, 4, 0).numel() == 0);
  CHECK(ints(x.narrow(2, 4, 0)).empty());

  n.fill(-1);
  CHECK(ints(x.select(0, 1)) == Ints{12, 13, 14, 15, -1, -1, -1, -1, -1, -1, -1, -1});
}

TEST_CASE("tensor: squeeze, unsqueeze and expand are views") {
  const Tensor x = count_up({3});
  CHECK(x.unsqueeze(0).shape() == Shape{1, 3});
  CHECK(x.unsqueeze(-1).shape() == Shape{3, 1});
  CHECK(x.unsqueeze(1).squeeze(-1).shape() == Shape{3});
  CHECK(ints(x.unsqueeze(1).expand({2, 3, 2})) == Ints{0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2});
  CHECK(x.expand({2, 3}).shares_storage(x));
  CHECK(x.expand({0, 3}).numel() == 0);
  CHECK(message_of([&] { x.expand({2, 4}); }) == "expand: shapes do not broadcast: [3] and [2, 4]");
  CHECK(message_of([&] { x.unsqueeze(0).expand({3}); }) == "expand: [1, 3] does not expand to [3]");
  CHECK(message_of([&] { x.squeeze(0); }) == "squeeze: dimension 0 has extent 3, expected 1");
}

TEST_CASE("tensor: reshape is a view of contiguous elements and a copy of others") {
  const Tensor x = count_up({2, 6});
  CHECK(x.reshape({3, -1}).shape() == Shape{3, 4});
  CHECK(x.reshape({3, 4}).shares_storage(x));
  const Tensor t = x.transpose(0, 1).reshape({12});
  CHECK_FALSE(t.shares_storage(x));
  CHECK(ints(t) == Ints{0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11});
  CHECK(zeros({1}).reshape({}).rank() == 0);
  CHECK(zeros({0, 3}).reshape({7, -1}).shape() == Shape{7, 0});
  CHECK(message_of([&] { x.reshape({5, 2}); }) == "reshape: [2, 6] does not fit [5, 2]");
  CHECK(message_of([&] { x.reshape({5, -1}); }) == "reshape: [2, 6] does not fit [5, -1]");
  CHECK(message_of([&] { x.reshape({-1, -1}); }) == "reshape: more than one extent is -1 in [-1, -1]");
  CHECK(message_of([&] { x.reshape({-3, -4}); }) == "reshape: [2, 6] does not fit [-3, -4]");
}

TEST_CASE("tensor: a single row or column counts as contiguous however it is strided") {
  const Tensor x = count_up({4, 3});
  CHECK(x.narrow(0, 1, 1).transpose(0, 1).is_contiguous());
  CHECK_FALSE(x.narrow(1, 1, 1).is_contiguous());
  CHECK(zeros({0, 5}).transpose(0, 1).is_contiguous());
  CHECK(ints(x.narrow(0, 2, 1).transpose(0, 1).contiguous()) == Ints{6, 7, 8});
}

TEST_CASE("tensor: what is out of range says so") {
  const Tensor x = zeros({2, 3});
  CHECK(message_of([&] { x.size(2); }) == "size: dimension 2 is out of range for rank 2");
  CHECK(message_of([&] { x.transpose(0, -3); }) == "transpose: dimension -3 is out of range for rank 2");
  CHECK(message_of([&] { x.select(1, 3); }) == "select: index 3 is out of range for dimension 1 of size 3");
  CHECK(message_of([&] { x.narrow(1, 2, 2); }) == "narrow: 2 from 2 is out of range for dimension 1 of size 3");
  CHECK(message_of([&] { x.narrow(0, 1, std::numeric_limits<std::int64_t>::max()); }) != "no error");
  const std::array<std::int64_t, 2> twice = {1, 1};
  CHECK(message_of([&] { x.permute(twice); }) == "permute: dimension 1 is named twice");
  CHECK(message_of([&] { x.permute(std::span(twice).first(1)); }) == "permute: expected 2 dimensions, got 1");
  CHECK(message_of([&] { x.item(); }) == "item: expected exactly one element, got shape [2, 3]");
  CHECK(message_of([&] { x.data<double>(); }) == "data: asked for float64, the tensor holds float32");
  CHECK(message_of([] { empty({2, -1}); }) == "tensor: negative extent in shape [2, -1]");
  CHECK(message_of([] {
          empty({1 << 30, 1 << 30, 1 << 30});
        }) == "tensor: shape [1073741824, 1073741824, 1073741824] is too large");
  CHECK(message_of([] { from_values<float>({1, 2, 3}, {2}); }) == "from_values: shape [2] needs 2 values, got 3");
}

TEST_CASE("tensor: an undefined one is refused where elements are needed") {
  const Tensor none;
  CHECK_FALSE(none.defined());
  CHECK(none.numel() == 0);
  CHECK(text(none) == "tensor(undefined)");
  CHECK(message_of([&] { none.data<float>(); }) == "data: the tensor is undefined");
  CHECK(message_of([&] { none.expand({2}); }) == "expand: the tensor is undefined");
  CHECK(message_of([&] { none.clone(); }) == "clone: the tensor is undefined");
  CHECK(message_of([&] { zeros({2}).copy_from(none); }) == "copy_from: the tensor is undefined");
}

TEST_CASE("tensor: text shows dtype, shape and the first elements") {
  CHECK(text(count_up({2, 2})) == "tensor(int32 [2, 2]: 0 1 2 3)");
  CHECK(text(arange(9, DType::kFloat32)) == "tensor(float32 [9]: 0 1 2 3 4 5 ...)");
  CHECK(text(zeros({0})) == "tensor(float32 [0]:)");
}

TEST_CASE("tensor: fill and arange for every dtype and any strides") {
  for (const DType dtype :
       {DType::kBool, DType::kInt8, DType::kInt32, DType::kInt64, DType::kBFloat16, DType::kFloat32, DType::kFloat64}) {
    INFO(name(dtype));
    const Tensor x = zeros({3, 4}, dtype);
    x.narrow(1, 1, 2).fill(1);
    CHECK(ints(x.to(DType::kInt32)) == Ints{0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0});
    CHECK(arange(2, dtype).to(DType::kInt32).to_vector<std::int32_t>() == Ints{0, 1});
    CHECK(full({}, 1, dtype).item() == 1);
  }
}

TEST_CASE("tensor: converting between all dtypes truncates, rounds or tests for zero") {
  const std::vector<double> values = {0, 1, -1, 2.75, -2.75, 100, -100};
  const Tensor x = from_values(values);
  const auto as = [&](DType from, DType to) { return x.to(from).to(to).to(DType::kFloat64).to_vector<double>(); };
  const std::vector<double> truncated = {0, 1, -1, 2, -2, 100, -100};
  const std::vector<double> truth = {0, 1, 1, 1, 1, 1, 1};
  for (const DType real : {DType::kBFloat16, DType::kFloat32, DType::kFloat64}) {
    for (const DType other : {DType::kBFloat16, DType::kFloat32, DType::kFloat64}) CHECK(as(real, other) == values);
    for (const DType integer : {DType::kInt8, DType::kInt32, DType::kInt64}) {
      CHECK(as(real, integer) == truncated);
      CHECK(as(integer, real) == truncated);
      CHECK(as(DType::kBool, integer) == truth);
      CHECK(as(integer, DType::kBool) == truth);
    }
    CHECK(as(real, DType::kBool) == truth);
    CHECK(as(DType::kBool, real) == truth);
  }
  const Tensor wide = from_values<std::int64_t>({(std::int64_t{1} << 53) + 1});
  CHECK(wide.clone().to_vector<std::int64_t>()[0] == (std::int64_t{1} << 53) + 1);
  CHECK(x.to(DType::kFloat64).shares_storage(x));
}

TEST_CASE("tensor: copies between any two layouts") {
  const Tensor x = count_up({3, 4, 5});
  for (const Tensor& source : strided_copies(x.to(DType::kFloat64))) {
    CHECK(ints(source.to(DType::kInt32)) == ints(x));
    CHECK(same_bits(source.contiguous(), x.to(DType::kFloat64)));
    for (const Tensor& target : strided_copies(zeros({3, 4, 5}))) {
      target.copy_from(source);
      CHECK(ints(target.to(DType::kInt32)) == ints(x));
    }
  }
  const Tensor rows = zeros({2, 3}, DType::kInt32);
  rows.copy_from(count_up({3}));  // broadcast
  CHECK(ints(rows) == Ints{0, 1, 2, 0, 1, 2});
  CHECK(message_of([&] { rows.copy_from(zeros({4})); }) == "expand: shapes do not broadcast: [4] and [2, 3]");
}

TEST_CASE("tensor: large copies are cut into chunks without a gap") {
  const Tensor x = arange(300001, DType::kInt64);
  CHECK(same_bits(x.clone(), x));
  const Tensor t = x.narrow(0, 0, 300000).reshape({600, 500}).transpose(0, 1);
  CHECK(same_bits(t.contiguous().transpose(0, 1).contiguous(), x.narrow(0, 0, 300000).reshape({600, 500})));
}

TEST_CASE("tensor: writes count as versions, views share them") {
  const Tensor x = zeros({2, 3});
  const Tensor view = x.select(0, 1);
  const std::uint64_t before = x.version();
  view.fill(1);
  CHECK(x.version() == before + 1);
  x.copy_from(zeros({3}));
  CHECK(view.version() == before + 2);
}

TEST_CASE("tensor: foreign memory lives as long as a tensor needs it") {
  auto owner = std::make_shared<std::vector<float>>(std::vector<float>{1, 2, 3, 4});
  const std::weak_ptr<std::vector<float>> watch = owner;
  float* const data = owner->data();
  {
    const Tensor row = from_blob(data, {2, 2}, DType::kFloat32, std::move(owner)).select(0, 1);
    CHECK(row.to_vector<float>() == std::vector<float>{3, 4});
    CHECK_FALSE(watch.expired());
  }
  CHECK(watch.expired());
}

TEST_CASE("join: along any dimension, from any strides") {
  const Tensor a = count_up({2, 2});
  const Tensor b = count_up({3, 2}).transpose(0, 1);
  CHECK(ints(join(std::vector<Tensor>{a, b}, 1)) == Ints{0, 1, 0, 2, 4, 2, 3, 1, 3, 5});
  CHECK(ints(join(std::vector<Tensor>{a, zeros({0, 2}, DType::kInt32), a}, 0)) == Ints{0, 1, 2, 3, 0, 1, 2, 3});
  CHECK(message_of([&] {
          join(std::vector<Tensor>{a, b}, 0);
        }) == "join: int32 [2, 3] does not fit int32 [2, 2] along dimension 0");
  CHECK(message_of([&] {
          join(std::vector<Tensor>{a, a.to(DType::kFloat32)}, 0);
        }) == "join: float32 [2, 2] does not fit int32 [2, 2] along dimension 0");
  CHECK(message_of([&] { join(std::vector<Tensor>{}, 0); }) == "join: expected at least one tensor, got none");
}

TEST_CASE("dtype: names") {
  CHECK(dtype_from_name("bfloat16") == DType::kBFloat16);
  CHECK(message_of([] { dtype_from_name("half"); }) ==
        "dtype: unknown name \"half\"; known: bool, int8, int32, int64, bfloat16, float32, float64");
}

TEST_CASE("bfloat16: all 65536 patterns convert to float and back") {
  unsigned wrong = 0;
  for (unsigned bits = 0; bits < 65536; ++bits) {
    BFloat16 x;
    x.bits = static_cast<std::uint16_t>(bits);
    const auto value = static_cast<float>(x);
    const auto back = BFloat16(value).bits;
    wrong += std::bit_cast<std::uint32_t>(value) != bits << 16;
    wrong += std::isnan(value) ? back != 0x7fc0 : back != bits;
  }
  CHECK(wrong == 0);
}

TEST_CASE("bfloat16: rounds to nearest, ties to even") {
  const auto value = [](unsigned bits) { return std::bit_cast<float>(bits << 16); };
  unsigned wrong = 0;
  for (unsigned low = 0; low < 0x7f80; ++low) {  // all neighbours from 0 to infinity
    const float tie = std::bit_cast<float>((low << 16) | 0x8000u);
    const unsigned even = low % 2 == 0 ? low : low + 1;
    wrong += BFloat16(tie).bits != even;
    wrong += BFloat16(-tie).bits != (even | 0x8000u);
    wrong += BFloat16(std::nextafter(tie, 0.0f)).bits != low;
    wrong += BFloat16(std::nextafter(tie, HUGE_VALF)).bits != low + 1;
  }
  CHECK(wrong == 0);
  CHECK(BFloat16(std::numeric_limits<float>::max()).bits == 0x7f80);  // the next value up is infinity
  CHECK(BFloat16(-HUGE_VALF).bits == 0xff80);
  CHECK(BFloat16(-std::numeric_limits<float>::quiet_NaN()).bits == 0x7fc0);
  CHECK(std::signbit(static_cast<float>(BFloat16(-0.0f))));
  CHECK(value(BFloat16(1.00390625f).bits) == 1.0f);
}

TEST_CASE("allocator: freed blocks are handed out again, and release_cached gives them back") {
  release_cached(Device::kCpu);
  const AllocatorStats before = allocator_stats(Device::kCpu);
  CHECK(before.reserved == before.allocated);
  reset_peak(Device::kCpu);
  { const Tensor x = empty({1000}), y = empty({1000}); }
  const AllocatorStats after = allocator_stats(Device::kCpu);
  CHECK(after.system_allocations == before.system_allocations + 2);
  CHECK(after.allocated == before.allocated);
  CHECK(after.peak_allocated - before.allocated >= 8000);
  CHECK(after.reserved - before.reserved == after.peak_allocated - before.allocated);
  CHECK(after.peak_reserved == after.reserved);
  { const Tensor x = empty({1000}), y = empty({999}); }  // nearby sizes share blocks
  CHECK(allocator_stats(Device::kCpu).system_allocations == after.system_allocations);
  release_cached(Device::kCpu);
  CHECK(allocator_stats(Device::kCpu).reserved == before.reserved);
  CHECK(allocator_stats(Device::kCpu).peak_reserved == after.peak_reserved);
  reset_peak(Device::kCpu);
  CHECK(allocator_stats(Device::kCpu).peak_reserved == before.reserved);
  { const Tensor x = empty({1000}); }
  CHECK(allocator_stats(Device::kCpu).system_allocations == after.system_allocations + 1);
}

TEST_CASE("allocator: on the CPU large blocks are shared by all sizes up to the next power of two") {
  release_cached(Device::kCpu);
  const std::int64_t before = allocator_stats(Device::kCpu).system_allocations;
  for (const std::int64_t n : {300'000, 524'288, 262'145}) empty({n});  // above 1 MiB, up to 2
  CHECK(allocator_stats(Device::kCpu).system_allocations == before + 1);
  for (const std::int64_t n : {20'000, 32'768, 16'385}) empty({n});  // above 64 KiB, up to 128
  CHECK(allocator_stats(Device::kCpu).system_allocations == before + 2);
  empty({524'289});
  CHECK(allocator_stats(Device::kCpu).system_allocations == before + 3);
}

TEST_CASE("allocator: a block goes back to the queue that it came from, whoever frees it") {
  constexpr std::int64_t kBytes = 5000;
  const auto take_from = [](int queue) {
    use_queue(Device::kCpu, queue);
    void* const block = allocate(Device::kCpu, kBytes);
    use_queue(Device::kCpu, 0);
    return block;
  };
  release_cached(Device::kCpu);
  const AllocatorStats before = allocator_stats(Device::kCpu);
  void* const first = take_from(0);
  void* const second = take_from(2);
  for (void* block : {first, second}) deallocate(Device::kCpu, block, kBytes);
  CHECK(take_from(0) == first);
  CHECK(take_from(2) == second);
  for (void* block : {first, second}) deallocate(Device::kCpu, block, kBytes);
  CHECK(allocator_stats(Device::kCpu).system_allocations == before.system_allocations + 2);
  release_cached(Device::kCpu);
  CHECK(allocator_stats(Device::kCpu).reserved == before.reserved);
  CHECK(message_of([] { use_queue(Device::kCpu, -1); }) == "use_queue: expected a queue from 0, got -1");
}

TEST_CASE("allocator: blocks are aligned to 64 bytes, and none is made for no bytes") {
  for (const std::int64_t n : {1, 63, 65, 1000, 12345}) {
    const Tensor x = empty({n}, DType::kBool);
    CHECK(reinterpret_cast<std::uintptr_t>(x.raw_data()) % 64 == 0);
  }
  CHECK(empty({0}).raw_data() == nullptr);
}

TEST_CASE("allocator: sizes that make no sense are refused") {
  CHECK(message_of([] { allocate(Device::kCpu, -1); }) == "allocate: expected a size of 0 to 2^62 bytes, got -1");
  CHECK(message_of([] { empty({std::numeric_limits<std::int64_t>::max()}, DType::kBool); }) ==
        "allocate: expected a size of 0 to 2^62 bytes, got 9223372036854775807");
  if (const std::string reason = unavailable(Device::kCuda); !reason.empty()) {
    CHECK(message_of([] { empty({1}, DType::kFloat32, Device::kCuda); }) == "device cuda: " + reason);
  }
}

TEST_CASE("allocator: threads that take and give back at once never share a block, and the counters agree") {
  release_cached(Device::kCpu);
  const AllocatorStats before = allocator_stats(Device::kCpu);
  std::atomic<int> shared = 0;
  const auto work = [&](int thread) {
    Tensors kept;
    for (int i = 0; i < 400; ++i) {
      kept.push_back(full({1 + 37 * i % 500}, thread, DType::kInt32));
      if (i % 16 == 5) release_cached(Device::kCpu);
      if (kept.size() < 8) continue;
      for (const Tensor& x : kept) {
        const std::int32_t* data = x.data<std::int32_t>();
        shared += std::count(data, data + x.numel(), thread) != x.numel();
      }
      kept.erase(kept.begin(), kept.begin() + 1 + i % 7);
    }
  };
  std::vector<std::thread> threads;
  for (int thread = 1; thread <= 8; ++thread) threads.emplace_back(work, thread);
  for (std::thread& thread : threads) thread.join();
  CHECK(shared == 0);
  const AllocatorStats after = allocator_stats(Device::kCpu);
  CHECK(after.allocated == before.allocated);
  CHECK(after.reserved >= after.allocated);
  release_cached(Device::kCpu);
  CHECK(allocator_stats(Device::kCpu).reserved == before.reserved);
}

#ifndef __SANITIZE_ADDRESS__  // which ends the program at such a request
TEST_CASE("allocator: what the system cannot give is an error with the sizes, after the cache was given back") {
  { const Tensor x = empty({1000}); }
  const std::string message = message_of([] { empty({std::int64_t{1} << 60}, DType::kBool); });
  CHECK_THAT(message, ContainsSubstring("out of memory: 1152921504606846976 bytes asked for, "));
  CHECK_THAT(message, ContainsSubstring(" free on cpu; lower the batch size"));
  const AllocatorStats stats = allocator_stats(Device::kCpu);
  CHECK(stats.reserved == stats.allocated);
}
#endif

TEST_CASE(
    "tensor: a copy whose rows cross those of its source has every element in its place, in blocks and beside them") {
  for (const std::int64_t rows : {1, 7, 8, 9, 40}) {
    for (const std::int64_t cols : {1, 8, 15, 33}) {
      const Tensor x = arange(3 * rows * cols, DType::kInt32).reshape({3, rows, cols});
      const Tensor y = x.transpose(1, 2).contiguous();
      bool right = true;
      for (std::int64_t i = 0; i < y.numel(); ++i) {
        const std::int64_t image = i / (rows * cols), col = i / rows % cols, row = i % rows;
        right &= y.data<std::int32_t>()[i] == (image * rows + row) * cols + col;
      }
      INFO(rows << " x " << cols);
      CHECK(right);
      CHECK(same_bits(x.transpose(0, 2).contiguous().transpose(0, 2).contiguous(), x));
    }
  }
}
