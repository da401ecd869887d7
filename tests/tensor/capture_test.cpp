// Work that a device records and replays, and numbers that come back from it while it goes on.
#include "tensor/capture.h"

#include "tensor/backend.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/gate.h"
#include "tensor/ops/index.h"
#include "tensor/ops/matmul.h"
#include "tensor/packed.h"
#include "tensor/read_back.h"
#include "tensor/step_state.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

Tensor int_on(Device device, std::int32_t value) { return full({}, value, DType::kInt32, device); }

HostCalls calls_of(const std::function<void()>& work) {
  const HostCalls before = backend(Device::kCuda).host_calls();
  work();
  return backend(Device::kCuda).host_calls() - before;
}

}  // namespace

TEST_CASE("capture: the CPU records nothing, and says so") {
  bool ran = false;
  CHECK_FALSE(Capture::is_possible(Device::kCpu));
  CHECK(message_of([&] { Capture::record(Device::kCpu, [&] { ran = true; }); }) == "capture: cpu records nothing");
  CHECK_FALSE(ran);
  CHECK(message_of([] { Capture().replay(); }) == "capture: nothing was recorded");
}

TEST_CASE("with_count: a count is rounded up to a multiple, and not beyond what there is") {
  const auto given = [](std::int32_t count, std::int64_t most, std::int64_t step) {
    std::int64_t n = -1;
    with_count(int_on(Device::kCpu, count), most, step, [&](std::int64_t x) { n = x; });
    return n;
  };
  CHECK(given(5, 20, 1) == 5);
  CHECK(given(0, 20, 1) == 0);
  CHECK(given(5, 20, 8) == 8);
  CHECK(given(8, 20, 8) == 8);
  CHECK(given(17, 20, 8) == 20);
  CHECK(message_of([] { with_count(zeros({2}), 2, 1, [](std::int64_t) {}); }) ==
        "with_count: expected one int32, got float32 [2]");
}

TEST_CASE("read back: what a tensor held when it was asked for") {
  const Tensor x = from_values<float>({1, 2, 3, 4}, {2, 2});
  ReadBack column(x.select(1, 1));
  x.fill(9);
  CHECK(column.get().to_vector<float>() == std::vector<float>{2, 4});
  CHECK(column.get().to_vector<float>() == std::vector<float>{2, 4});
  CHECK_FALSE(ReadBack(Tensor()).defined());
  CHECK(ReadBack(zeros({0, 3})).get().shape() == Shape{0, 3});
}

TEST_CASE("passing_rows: above the threshold or first of its sentence, and no dummy") {
  const Tensor offsets = from_values<std::int32_t>({0, 3, 3, 5});
  const Tensor z = from_values<float>({-1, 1, 0.5f, -1, 2, 9}, {3, 2});
  const auto above = [](double threshold) { return make_step_state({.skim_threshold = threshold}); };
  CHECK(passing_rows(from_values<float>({-1, 1, 0.5f, -1, 2, 9}), above(0.5), offsets).to_vector<bool>() ==
        std::vector<bool>{true, true, false, true, true, false});
  CHECK(passing_rows(z.select(1, 1), above(0), from_values<std::int32_t>({0, 2})).to_vector<bool>() ==
        std::vector<bool>{true, false, false});
}

TEST_CASE("passing_rows: first rows that are free pass by their score, like others") {
  const Tensor offsets = from_values<std::int32_t>({0, 3, 3, 5});
  const auto passing = [&](const Tensor& z) {
    return passing_rows(z, make_step_state({.skim_threshold = 0.5}), offsets, false).to_vector<bool>();
  };
  CHECK(passing(from_values<float>({-1, 1, 0.5f, -1, 2, 9})) ==
        std::vector<bool>{false, true, false, false, true, false});
  CHECK(passing(from_values<float>({1, -1, 1, 2, 0, 9})) == std::vector<bool>{true, false, true, true, false, false});
}

TEST_CASE("evenly_spread_rows: that share of each sentence's original length, its first row always") {
  const Tensor original = from_values<std::int32_t>({0, 10, 14});
  const Tensor left = from_values<std::int32_t>({0, 5, 9});
  const auto kept = [&](double share) { return evenly_spread_rows(11, left, original, share).to_vector<bool>(); };
  CHECK(kept(0) == std::vector<bool>{true, false, false, false, false, true, false, false, false, false, false});
  CHECK(kept(0.3) == std::vector<bool>{true, true, false, true, false, true, false, false, false, false, false});
  CHECK(kept(1) == std::vector<bool>{true, true, true, true, true, true, true, true, true, false, false});
}

TEST_CASE("cuda passing_rows and evenly_spread_rows: equal the CPU's") {
  if (!has_cuda()) return;
  const Packed packed = make_packed({5, 1, 0, 700, 33}, {0, 1, 2, 3, 4});
  const Packed original = make_packed({9, 1, 3, 1000, 33}, {0, 1, 2, 3, 4});
  const std::int64_t rows = packed.tokens + 7;
  const Tensor z = random_normal({rows, 3}, 1);
  const Tensor state = make_step_state({.skim_threshold = 0.25});
  for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
    const Tensor rounded = z.to(dtype);
    for (const bool first_pass : {true, false}) {
      CHECK(same_bits(passing_rows(rounded.to(Device::kCuda).select(1, 1), state.to(Device::kCuda),
                                   packed.offsets.to(Device::kCuda), first_pass),
                      passing_rows(rounded.to(DType::kFloat32).select(1, 1), state, packed.offsets, first_pass)));
    }
  }
  for (const double share : {0.0, 0.1, 0.37, 0.5, 1.0}) {
    CHECK(
        same_bits(evenly_spread_rows(rows, packed.offsets.to(Device::kCuda), original.offsets.to(Device::kCuda), share),
                  evenly_spread_rows(rows, packed.offsets, original.offsets, share)));
  }
}

TEST_CASE("cuda keep_into: equals the CPU's, -1 behind the survivors, and -1 names no row") {
  if (!has_cuda()) return;
  const Packed packed = make_packed({5, 1, 0, 9000, 33}, {0, 1, 2, 3, 4});
  const Tensor mask = greater(random_normal({packed.tokens}, 2), 0.3);
  const Kept expected = room_for(packed), kept = room_for(to(packed, Device::kCuda));
  keep_into(expected, packed, mask);
  keep_into(kept, to(packed, Device::kCuda), mask.to(Device::kCuda));
  CHECK(same_bits(kept.rows, expected.rows));
  CHECK(same_bits(kept.packed.offsets, expected.packed.offsets));
  CHECK(same_bits(kept.packed.position, expected.packed.position));
  const Tensor x = random_normal({packed.tokens, 5}, 3), on_device = x.to(Device::kCuda);
  CHECK(same_bits(index_select(on_device, kept.rows), index_select(x, expected.rows)));
  const Tensor rows = random_normal({packed.tokens, 5}, 4);
  CHECK(same_bits(index_copy(on_device, kept.rows, rows.to(Device::kCuda)), index_copy(x, expected.rows, rows)));
  synchronize(Device::kCuda);  // no index was out of range
}

TEST_CASE("cuda capture: a replay does again what was recorded, for one call of the host") {
  if (!has_cuda()) return;
  const Tensor x = full({300, 40}, 1, DType::kFloat32, Device::kCuda), w = random_normal({40, 40}, 1).to(Device::kCuda);
  const auto work = [&] { return gelu(matmul(x, w)); };
  const Tensor eager = work();
  Tensor y;
  const Capture capture = Capture::record(Device::kCuda, [&] { y = work(); });
  const HostCalls calls = calls_of([&] { capture.replay(); });
  CHECK(calls.replays == 1);
  CHECK(calls.launches + calls.copies_in + calls.copies_out + calls.waits == 0);
  CHECK(same_bits(y, eager));
  x.fill(2);
  capture.replay();
  CHECK(same_bits(y, work()));
}

TEST_CASE("cuda capture: recorded work may neither wait nor copy from or to the host") {
  if (!has_cuda()) return;
  const Tensor x = full({4}, 1, DType::kFloat32, Device::kCuda), here = zeros({4});
  const auto refused = [](const std::function<void()>& work) {
    return message_of([&] { Capture::record(Device::kCuda, work); });
  };
  CHECK(refused([&] { x.to(Device::kCpu); }) == "cuda: a copy to the host while work is recorded");
  CHECK(refused([&] { ReadBack read(x); }) == "cuda: a copy to the host while work is recorded");
  CHECK(refused([&] { x.copy_from(here); }) == "cuda: a copy from the host while work is recorded");
  CHECK(refused([] { synchronize(Device::kCuda); }) == "cuda: the host waits while work is recorded");
  CHECK(x.to_vector<float>() == std::vector<float>{1, 1, 1, 1});  // and afterwards it may
}

TEST_CASE("cuda with_count: a replay runs the least body that holds the count of that moment") {
  if (!has_cuda()) return;
  const Tensor count = int_on(Device::kCuda, 0), y = zeros({20, 3}, DType::kFloat32, Device::kCuda);
  const Tensor after = zeros({1}, DType::kFloat32, Device::kCuda);
  const auto work = [&](bool nested) {
    y.fill(0);
    with_count(count, 20, 8, [&](std::int64_t n) {
      const Tensor some = matmul(full({n, 2}, 1, DType::kFloat32, Device::kCuda),  // memory of the arena, and cuBLASLt
                                 full({2, 3}, 0.5, DType::kFloat32, Device::kCuda));
      y.narrow(0, 0, n).copy_from(some);
      if (nested) with_count(count, 20, 10, [&](std::int64_t m) { y.narrow(0, 0, 1).fill(static_cast<double>(m)); });
    });
    after.copy_from(y.select(0, 7).narrow(0, 0, 1));
  };
  for (const bool nested : {false, true}) {
    const Capture capture = Capture::record(Device::kCuda, [&] { work(nested); });
    for (const std::int32_t n : {0, 1, 8, 9, 16, 17, 20, 3}) {
      INFO(n << (nested ? ", nested" : ""));
      count.fill(n);
      capture.replay();
      const Tensor replayed = y.clone();
      CHECK(after.item() == 1);
      work(nested);
      if (n > 0) CHECK(same_bits(replayed, y));  // none: a replay takes the smallest body
      CHECK(replayed.select(0, 8).to_vector<float>()[0] == (n > 8 ? 1 : 0));
    }
  }
}

TEST_CASE("cuda capture: an error in a recorded body leaves the device as it was") {
  if (!has_cuda()) return;
  const Tensor count = int_on(Device::kCuda, 1);
  CHECK(message_of([&] {
          Capture::record(Device::kCuda, [&] { with_count(count, 4, 2, [](std::int64_t) { throw Error("no"); }); });
        }) == "no");
  CHECK(full({2}, 3, DType::kFloat32, Device::kCuda).to_vector<float>() == std::vector<float>{3, 3});
}

TEST_CASE("cuda read back: elements of their moment, without waiting for what was asked for later") {
  if (!has_cuda()) return;
  const Tensor x = full({70000}, 1, DType::kFloat32, Device::kCuda);
  std::vector<ReadBack> reads;
  const HostCalls calls = calls_of([&] {
    for (int i = 0; i < 3; ++i) {
      x.fill(i);
      reads.emplace_back(x.narrow(0, 0, 10 + i));
    }
  });
  CHECK(calls.copies_out == 3);
  CHECK(calls.waits == 0);
  for (int i = 2; i >= 0; --i) {
    CHECK(same_bits(reads[static_cast<std::size_t>(i)].get(), full({10 + i}, i)));
  }
}

TEST_CASE("cuda copies from the host: one after the other, more than are in flight, small and large") {
  if (!has_cuda()) return;
  Tensors there;
  for (int i = 0; i < 40; ++i) {
    const Tensor here = full({i % 10 == 0 ? 500'000 : 100}, i);
    const Tensor x = empty(here.shape(), DType::kFloat32, Device::kCuda);
    x.copy_from(here);
    there.push_back(x);
  }
  for (int i = 0; i < 40; ++i) {
    const Tensor& x = there[static_cast<std::size_t>(i)];
    CHECK(same_bits(x, full(x.shape(), i)));
  }
}

TEST_CASE("cuda kernels: tensors of one call lie on one device") {
  if (!has_cuda()) return;
  const Tensor here = zeros({2, 2}), there = here.to(Device::kCuda);
  CHECK(message_of([&] { matmul(there, here); }) == "matmul: tensors on cuda and on cpu");
  CHECK(message_of([&] {
          matmul(zeros({1, 2, 2}).to(Device::kCuda), zeros({1, 2, 2}));
        }) == "matmul: tensors on cuda and on cpu");
  CHECK(message_of([&] { keep(make_packed({2}, {0}), full({2}, 1, DType::kBool, Device::kCuda)); }) ==
        "keep: tensors on cuda and on cpu");
  CHECK(message_of([&] { index_select(here, from_values<std::int32_t>({0}).to(Device::kCuda)); }) ==
        "index_select: tensors on cpu and on cuda");
}
