#include "tensor/communicator.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include "tensor/backend.h"
#include "tensor/error.h"
#if TK_HAS_MPI
#include "tensor/cpu/mpi_communicator.h"
#endif
#if TK_HAS_NCCL
#include "tensor/cuda/nccl_communicator.h"
#endif

namespace tk {
namespace {

std::int64_t bytes_of(const Tensor& x) { return x.numel() * size_of(x.dtype()); }

class Alone final : public Communicator {
 public:
  Alone() : Communicator(0, 1) {}
  Device device() const override { return Device::kCpu; }
  std::function<void()> milestone() override {
    return [] {};
  }

 private:
  void run_exchange(std::span<const Message> /*sends*/, std::span<const Message> /*receives*/) override {}
};

}  // namespace

void Communicator::exchange(std::span<const Message> sends, std::span<const Message> receives) {
  for (const std::span<const Message> messages : {sends, receives}) {
    for (const Message& message : messages) {
      TK_CHECK(message.rank >= 0 && message.rank < size_ && message.rank != rank_, "exchange: expected another of the ",
               size_, " ranks, got ", message.rank);
      TK_CHECK(message.data.is_contiguous(), "exchange: expected contiguous tensors, got strides ",
               message.data.strides(), " of ", message.data.shape());
    }
  }
  for (const Message& message : sends) bytes_sent_ += bytes_of(message.data);
  run_exchange(sends, receives);
}

void Communicator::all_gather(const Tensor& whole, std::span<const std::int64_t> bounds) {
  TK_CHECK(std::ssize(bounds) == size_ + 1 && std::ranges::is_sorted(bounds) && bounds.front() == 0 &&
               bounds.back() == whole.size(0),
           "all_gather: expected the bounds of ", size_, " parts of ", whole.shape());
  const auto part = [&](int rank) {
    return whole.narrow(0, bounds[static_cast<std::size_t>(rank)],
                        bounds[static_cast<std::size_t>(rank) + 1] - bounds[static_cast<std::size_t>(rank)]);
  };
  const std::int64_t bytes = bytes_of(part(rank_));
  bool equal = true;
  for (int rank = 0; rank < size_; ++rank) equal = equal && bytes_of(part(rank)) == bytes;
  if (equal && bytes > 0 && gather_equal_parts(whole, bytes)) {
    bytes_sent_ += bytes * (size_ - 1);
    return;
  }
  std::vector<Message> sends, receives;
  for (int rank = 0; rank < size_; ++rank) {
    if (rank == rank_) continue;
    if (bytes > 0) sends.push_back({rank, part(rank_)});
    if (part(rank).numel() > 0) receives.push_back({rank, part(rank)});
  }
  exchange(sends, receives);
}

Communicator& alone() {
  static Alone instance;
  return instance;
}

std::vector<std::int64_t> even_bounds(std::int64_t n, std::int64_t parts, std::int64_t step) {
  const std::int64_t steps = (n + step - 1) / step;
  std::vector<std::int64_t> bounds;
  for (std::int64_t i = 0; i <= parts; ++i) bounds.push_back(std::min(n, steps * i / parts * step));
  return bounds;
}

namespace {

// `x` of the first rank, elements and all, on the others.
void broadcast_elements(Communicator& ranks, const Tensor& x) {
  std::vector<Message> sends, receives;
  for (int rank = 1; rank < ranks.size() && ranks.is_first(); ++rank) sends.push_back({rank, x});
  if (!ranks.is_first()) receives.push_back({0, x});
  ranks.exchange(sends, receives);
}

}  // namespace

std::string broadcast(Communicator& ranks, const std::string& text) {
  if (ranks.size() == 1) return text;
  const Device device = ranks.device();
  const Tensor size = from_values(std::vector<std::int64_t>{std::ssize(text)}, {1}, device);
  broadcast_elements(ranks, size);
  ranks.milestone()();
  const std::int64_t words = (static_cast<std::int64_t>(size.item()) + 3) / 4;
  std::vector<std::int32_t> buffer(static_cast<std::size_t>(words));
  if (ranks.is_first()) std::memcpy(buffer.data(), text.data(), text.size());
  const Tensor elements = from_values(buffer, {words}, device);
  if (words > 0) broadcast_elements(ranks, elements);
  ranks.milestone()();
  buffer = elements.to(Device::kCpu).to_vector<std::int32_t>();
  return {reinterpret_cast<const char*>(buffer.data()), static_cast<std::size_t>(size.item())};
}

std::string rank_engines() {
  std::string engines;
#if TK_HAS_MPI
  engines += "mpi";
#endif
#if TK_HAS_NCCL
  engines += engines.empty() ? "nccl" : ", nccl";
#endif
  return engines.empty() ? "none" : engines;
}

namespace {

int number(const char* name, int otherwise) {
  const char* const text = std::getenv(name);
  if (text == nullptr) return otherwise;
  int value = 0;
  const char* const end = text + std::strlen(text);
  const auto [read, error] = std::from_chars(text, end, value);
  TK_CHECK(error == std::errc() && read == end && value >= 0, name, ": expected a number, got \"", text, '"');
  return value;
}

constexpr const char* kMpiVariable = "OMPI_COMM_WORLD_SIZE";
constexpr const char* kSlurmVariable = "PMIX_RANK";

struct Names {
  const char *rank, *size, *local_rank, *local_size;
};

Launch launch_of(Launch::By by, const Names& names) {
  const Launch launch{.by = by,
                      .rank = number(names.rank, 0),
                      .size = number(names.size, 1),
                      .local_rank = number(names.local_rank, 0),
                      .local_size = std::max(1, number(names.local_size, 1))};
  TK_CHECK(launch.rank < launch.size, names.rank, ": rank ", launch.rank, " is none of ", launch.size);
  return launch.size > 1 || by == Launch::By::kProgram ? launch : Launch();
}

}  // namespace

Launch launch_of_environment() {
  if (std::getenv(kIdVariable) != nullptr) {
    return launch_of(Launch::By::kProgram, {"RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"});
  }
  if (std::getenv(kMpiVariable) != nullptr) {
    return launch_of(Launch::By::kMpi, {"OMPI_COMM_WORLD_RANK", kMpiVariable, "OMPI_COMM_WORLD_LOCAL_RANK",
                                        "OMPI_COMM_WORLD_LOCAL_SIZE"});
  }
  // A job step of Slurm has these even where it is one program that knows nothing of MPI.
  if (std::getenv(kSlurmVariable) != nullptr && std::getenv("SLURM_PROCID") != nullptr) {
    return launch_of(Launch::By::kMpi, {"SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID", "SLURM_NTASKS_PER_NODE"});
  }
  return {};
}

bool says_launch(std::string_view name) {
  return name.ends_with('=') &&
         std::ranges::count(std::array<std::string_view, 3>{kIdVariable, kMpiVariable, kSlurmVariable},
                            name.substr(0, name.size() - 1)) > 0;
}

std::string new_nccl_id() {
#if TK_HAS_NCCL
  return cuda::new_nccl_id();
#else
  throw Error("this build has no NCCL (configure with -DTK_CUDA=ON -DTK_NCCL=ON)");
#endif
}

namespace {

std::unique_ptr<Communicator> join_by_mpi([[maybe_unused]] std::chrono::milliseconds timeout) {
#if TK_HAS_MPI
  return cpu::mpi_communicator(timeout);
#else
  throw Error("this process was started as one of several, and this build has no MPI (configure with -DTK_MPI=ON)");
#endif
}

std::unique_ptr<Communicator> join_by_nccl([[maybe_unused]] const Launch& launch,
                                           [[maybe_unused]] std::chrono::milliseconds timeout) {
#if TK_HAS_NCCL
  std::unique_ptr<Communicator> mpi;
  if (launch.by == Launch::By::kMpi) {
    timeout /= 2;  // the second half for MPI to find who is missing
    mpi = join_by_mpi(timeout);
  }
  const char* const given = std::getenv(kIdVariable);
  const std::string id = mpi ? broadcast(*mpi, mpi->is_first() ? new_nccl_id() : "") : given != nullptr ? given : "";
  return cuda::nccl_communicator({.id = id, .rank = launch.rank, .size = launch.size, .timeout = timeout},
                                 std::move(mpi));
#else
  throw Error("several GPUs need NCCL, and this build has none (configure with -DTK_NCCL=ON)");
#endif
}

}  // namespace

std::unique_ptr<Communicator> join_ranks(const Launch& launch, Device device, std::chrono::milliseconds timeout) {
  if (launch.by == Launch::By::kNobody) return std::make_unique<Alone>();
  if (device == Device::kCuda) return join_by_nccl(launch, timeout);
  TK_CHECK(launch.by == Launch::By::kMpi, "ranks on the CPU are started by mpirun");
  return join_by_mpi(timeout);
}

}  // namespace tk
