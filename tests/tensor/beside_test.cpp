// Work that is done beside a device's queue.
#include "tensor/beside.h"

#include "tensor/allocator.h"
#include "tensor/backend.h"
#include "tensor/capture.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/matmul.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("beside: on the CPU work is done as it is asked for, and what it throws comes out") {
  int done = 0;
  run_beside(Device::kCpu, [&] { ++done; });
  CHECK(done == 1);
  CHECK(message_of([] { run_beside(Device::kCpu, [] { throw Error("no"); }); }) == "no");
  join_beside(Device::kCpu);
}

TEST_CASE("beside: memory whose return is held is handed out again after it was returned for good") {
  const auto allocated = [] { return allocator_stats(Device::kCpu).allocated; };
  const std::int64_t before = allocated();
  std::vector<FreedBlock> held;
  hold_freed(Device::kCpu, &held);
  Tensor x = zeros({12'345});
  const void* const data = x.raw_data();
  x = Tensor();
  hold_freed(Device::kCpu, nullptr);
  REQUIRE(held.size() == 1);
  CHECK(held[0].data == data);
  CHECK(allocated() > before);
  CHECK(zeros({12'345}).raw_data() != data);
  deallocate(Device::kCpu, held[0].data, held[0].bytes);
  CHECK(allocated() == before);
  CHECK(zeros({12'345}).raw_data() == data);
}

namespace {

// Each product is freed as soon as what is beside has been asked to read it, and the next may be given its memory. The
// products beside are large, so that they are late.
Tensors sums_beside(const Tensor& x, const Tensor& w, int turns, const std::function<void()>& after_each) {
  Tensors sums;
  Tensor y = x;
  for (int i = 0; i < turns; ++i) {
    y = gelu(matmul(y, w));
    const Tensor sum = empty({y.size(1), y.size(1)}, y.dtype(), y.device());
    sums.push_back(sum);
    run_beside(y.device(), [y, sum] {
      const Tensor twice = matmul(y, matmul(y, y, true, false));
      matmul_into(sum, false, twice, y, true, false);
    });
    after_each();
    y = affine(y, 0.5);
  }
  join_beside(x.device());
  return sums;
}

}  // namespace

TEST_CASE("cuda beside: the same bits as one by one, eager and recorded, whatever memory is freed meanwhile") {
  if (!has_cuda()) return;
  constexpr int kTurns = 30;
  const Tensor x = random_normal({700, 512}, 1).to(Device::kCuda);
  const Tensor w = affine(random_normal({512, 512}, 2), 0.05).to(Device::kCuda);
  Tensors expected;
  for (const Tensor& sum : sums_beside(x, w, kTurns, [] { synchronize(Device::kCuda); })) {
    expected.push_back(sum.to(Device::kCpu));
  }
  Tensors recorded;
  const Capture capture = Capture::record(Device::kCuda, [&] { recorded = sums_beside(x, w, kTurns, [] {}); });
  for (int turn = 0; turn < 5; ++turn) {
    const Tensors eager = sums_beside(x, w, kTurns, [] {});
    capture.replay();
    for (std::size_t i = 0; i < expected.size(); ++i) {
      CHECK(same_bits(eager[i].to(Device::kCpu), expected[i]));
      CHECK(same_bits(recorded[i].to(Device::kCpu), expected[i]));
    }
  }
}

TEST_CASE("cuda beside: what it throws comes out, and later work is done") {
  if (!has_cuda()) return;
  const Tensor x = full({1000}, 2, DType::kFloat32, Device::kCuda);
  Tensor y;
  CHECK(message_of([&] {
          run_beside(Device::kCuda, [&] {
            y = affine(x, 3);
            throw Error("no");
          });
        }) == "no");
  run_beside(Device::kCuda, [&] { y = affine(y, 2); });
  join_beside(Device::kCuda);
  CHECK(y.to(Device::kCpu).to_vector<float>() == std::vector<float>(1000, 12.0f));
}

TEST_CASE("cuda beside: work for later is asked for in its order, and what work asks for beside is a part of it") {
  if (!has_cuda()) return;
  std::string order;
  const BesideNumber first = run_beside_later(Device::kCuda, [&] { order += 'a'; });
  CHECK(order.empty());
  const BesideNumber second = run_beside(Device::kCuda, [&] {
    order += 'b';
    run_beside(Device::kCuda, [&] { order += 'c'; });
  });
  CHECK(order == "abc");
  CHECK(first < second);
  const BesideNumber last = run_beside_later(Device::kCuda, [&] { order += 'd'; });
  join_beside(Device::kCuda, second);
  CHECK(order == "abc");
  join_beside(Device::kCuda, last);
  CHECK(order == "abcd");
}
