// Queues of a device, whose work runs side by side.
#include "tensor/queue.h"

#include "tensor/allocator.h"
#include "tensor/backend.h"
#include "tensor/capture.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/matmul.h"
#include "tensor/read_back.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("queue: on the CPU, which does work as it is asked for, queues change nothing") {
  Tensor y;
  {
    const UseQueue queue(Device::kCpu, {2, 3});
    y = full({3}, 2);
  }
  CHECK(y.to_vector<float>() == std::vector<float>{2, 2, 2});
}

TEST_CASE("queue: a number that is none of the queues, and more queues than there can be, are refused") {
  const auto refused = [](const Queue& queue) { return message_of([&] { UseQueue(Device::kCpu, queue); }); };
  CHECK(refused({3, 3}) == "queue: expected one of 1 to 16 queues, got number 3 of 3");
  CHECK(refused({-1, 3}) == "queue: expected one of 1 to 16 queues, got number -1 of 3");
  CHECK(refused({0, 17}) == "queue: expected one of 1 to 16 queues, got number 0 of 17");
}

TEST_CASE("queue: memory stays in its queue when the backend refuses another, and else goes with it") {
  const auto place = [] {  // that the next tensor gets: what was freed last of its queue
    return zeros({1000}).raw_data();
  };
  const void* const before = place();
  Backend backend = tk::backend(Device::kCpu);
  backend.use_queue = [](const Queue&) -> Queue { throw Error("no such queue"); };
  CHECK(message_of([&] { change_queue(backend, Device::kCpu, {3, 4}); }) == "no such queue");
  CHECK(place() == before);
  backend.use_queue = [](const Queue&) { return Queue(); };
  const Queue back = change_queue(backend, Device::kCpu, {3, 4});
  CHECK(place() != before);
  change_queue(backend, Device::kCpu, back);
  CHECK(place() == before);
}

TEST_CASE("cuda queues: work side by side shares no memory, eager and recorded, and each keeps its order") {
  if (!has_cuda()) return;
  constexpr int kQueues = 3;
  const Tensor w = random_normal({256, 256}, 1).to(Device::kCuda);
  const auto work = [&](const Tensor& x) {
    Tensor y = x;
    for (int i = 0; i < 20; ++i) y = gelu(matmul(y, w));
    return y;
  };
  Tensors inputs, expected, outputs(kQueues);
  std::vector<Capture> captures;
  for (int q = 0; q < kQueues; ++q) {
    inputs.push_back(random_normal({300, 256}, static_cast<std::uint64_t>(2 + q)).to(Device::kCuda));
    const UseQueue queue(Device::kCuda, {0, kQueues});  // products are planned as in the queues
    expected.push_back(work(inputs.back()).to(Device::kCpu));
  }
  synchronize(Device::kCuda);
  for (int q = 0; q < kQueues; ++q) {
    const UseQueue queue(Device::kCuda, {q, kQueues});
    captures.push_back(Capture::record(
        Device::kCuda, [&, q] { outputs[static_cast<std::size_t>(q)] = work(inputs[static_cast<std::size_t>(q)]); }));
  }
  for (int turn = 0; turn < 20; ++turn) {
    std::vector<ReadBack> eager, replayed;
    for (int q = 0; q < kQueues; ++q) {
      const auto i = static_cast<std::size_t>(q);
      const UseQueue queue(Device::kCuda, {q, kQueues});
      captures[i].replay();
      replayed.emplace_back(outputs[i]);
      eager.emplace_back(work(inputs[i]));
    }
    for (std::size_t i = 0; i < kQueues; ++i) {
      CHECK(same_bits(replayed[i].get(), expected[i]));
      CHECK(same_bits(eager[i].get(), expected[i]));
    }
  }
}

TEST_CASE("cuda queues: what is freed after its queue went out of use goes back to that queue") {
  if (!has_cuda()) return;
  Tensor x;
  const void* data = nullptr;
  {
    const UseQueue queue(Device::kCuda, {1, 2});
    x = zeros({12'345}, DType::kFloat32, Device::kCuda);
    data = x.raw_data();
  }
  x = Tensor();
  CHECK(empty({12'345}, DType::kFloat32, Device::kCuda).raw_data() != data);
  const UseQueue queue(Device::kCuda, {1, 2});
  CHECK(empty({12'345}, DType::kFloat32, Device::kCuda).raw_data() == data);
}
