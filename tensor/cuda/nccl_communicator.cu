#include "tensor/cuda/nccl_communicator.h"

#include <nccl.h>

#include <array>
#include <charconv>
#include <cstring>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

#include "tensor/backend.h"
#include "tensor/cuda/launch.h"
#include "tensor/cuda/side_stream.h"
#include "tensor/lazy_library.h"

namespace tk::cuda {
namespace {

using Clock = std::chrono::steady_clock;

struct Nccl {
  LazyLibrary library{"libnccl.so.2"};
  TK_LAZY_FUNCTION(ncclGetUniqueId);
  TK_LAZY_FUNCTION(ncclCommInitRank);
  TK_LAZY_FUNCTION(ncclCommDestroy);
  TK_LAZY_FUNCTION(ncclCommAbort);
  TK_LAZY_FUNCTION(ncclCommGetAsyncError);
  TK_LAZY_FUNCTION(ncclGetErrorString);
  TK_LAZY_FUNCTION(ncclGetLastError);
  TK_LAZY_FUNCTION(ncclGroupStart);
  TK_LAZY_FUNCTION(ncclGroupEnd);
  TK_LAZY_FUNCTION(ncclSend);
  TK_LAZY_FUNCTION(ncclRecv);
  TK_LAZY_FUNCTION(ncclAllGather);

  void check(ncclResult_t result, const char* call) const {
    if (result == ncclSuccess) return;
    throw Error(concat(call, ": ", ncclGetErrorString(result), ": ", ncclGetLastError(nullptr)));
  }
};

Nccl& nccl() {
  static Nccl instance;
  return instance;
}

std::string digits_of(const ncclUniqueId& id) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string text;
  for (const char c : id.internal) {
    const auto byte = static_cast<unsigned char>(c);
    text += {kDigits[byte / 16], kDigits[byte % 16]};
  }
  return text;
}

ncclUniqueId id_of(const std::string& digits) {
  ncclUniqueId id;
  TK_CHECK(digits.size() == 2 * sizeof(id.internal), "nccl: expected an id of ", 2 * sizeof(id.internal),
           " hexadecimal digits, got ", digits.size());
  for (std::size_t i = 0; i < sizeof(id.internal); ++i) {
    unsigned char byte = 0;
    const char* const begin = digits.data() + 2 * i;
    const auto [end, error] = std::from_chars(begin, begin + 2, byte, 16);
    TK_CHECK(error == std::errc() && end == begin + 2, "nccl: the id is not in hexadecimal digits");
    id.internal[i] = static_cast<char>(byte);
  }
  return id;
}

class Event {
 public:
  Event() { check(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), "cudaEventCreate"); }
  ~Event() { cudaEventDestroy(event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void record() { check(cudaEventRecord(event_, stream()), "cudaEventRecord"); }
  void wait_in(cudaStream_t other) const { check(cudaStreamWaitEvent(other, event_), "cudaStreamWaitEvent"); }
  bool is_done() const {
    const cudaError_t status = cudaEventQuery(event_);
    if (status == cudaErrorNotReady) return false;
    check(status, "cudaEventQuery");
    return true;
  }

 private:
  cudaEvent_t event_ = nullptr;
};

class NcclCommunicator final : public Communicator {
 public:
  NcclCommunicator(const NcclRank& its, std::unique_ptr<Communicator> control)
      : Communicator(its.rank, its.size), control_(std::move(control)), timeout_(its.timeout) {
    stream();  // the runtime chooses the device
    nccl().check(nccl().ncclCommInitRank(&comm_, its.size, id_of(its.id), its.rank), "ncclCommInitRank");
    int least = 0, greatest = 0;
    check(cudaDeviceGetStreamPriorityRange(&least, &greatest), "cudaDeviceGetStreamPriorityRange");
    check(cudaStreamCreateWithPriority(&side_, cudaStreamNonBlocking, greatest), "cudaStreamCreateWithPriority");
  }

  // A rank that failed does not wait for what others never send.
  ~NcclCommunicator() override {
    if (comm_ == nullptr) return;
    if (std::uncaught_exceptions() == exceptions_) {
      nccl().ncclCommDestroy(comm_);
    } else {
      nccl().ncclCommAbort(comm_);
    }
  }

  Device device() const override { return Device::kCuda; }

  // A recording follows from stream to stream by the events.
  void begin_beside() override {
    order_.record();
    order_.wait_in(side_);
    main_ = exchange_stream(side_);
  }
  void end_beside() override { exchange_stream(main_); }
  void join() override {
    begin_beside();
    order_.record();
    end_beside();
    order_.wait_in(main_);
  }

  std::function<void()> milestone() override {
    auto event = std::make_shared<Event>();
    event->record();
    return [this, event] { finish(*event); };
  }

 private:
  void run_exchange(std::span<const Message> sends, std::span<const Message> receives) override {
    nccl().check(nccl().ncclGroupStart(), "ncclGroupStart");
    for (const Message& message : receives) {
      nccl().check(nccl().ncclRecv(message.data.raw_data(), bytes_of(message.data), ncclInt8, message.rank, comm_,
                                   stream()),
                   "ncclRecv");
    }
    for (const Message& message : sends) {
      nccl().check(nccl().ncclSend(message.data.raw_data(), bytes_of(message.data), ncclInt8, message.rank, comm_,
                                   stream()),
                   "ncclSend");
    }
    nccl().check(nccl().ncclGroupEnd(), "ncclGroupEnd");
  }

  bool gather_equal_parts(const Tensor& whole, std::int64_t bytes) override {
    auto* const all = static_cast<std::byte*>(whole.raw_data());
    nccl().check(nccl().ncclAllGather(all + rank() * bytes, all, static_cast<std::size_t>(bytes), ncclInt8, comm_,
                                      stream()),
                 "ncclAllGather");
    return true;
  }

  static std::size_t bytes_of(const Tensor& x) { return static_cast<std::size_t>(x.numel() * size_of(x.dtype())); }

  // A kernel that waits for a rank which is gone never ends by itself.
  void finish(const Event& event) {
    constexpr std::chrono::milliseconds kPatience(1);
    constexpr std::chrono::microseconds kNap(20);
    const Clock::time_point start = Clock::now();
    while (!event.is_done()) {
      ncclResult_t error = ncclSuccess;
      nccl().check(nccl().ncclCommGetAsyncError(comm_, &error), "ncclCommGetAsyncError");
      const auto waited = Clock::now() - start;
      if (error != ncclSuccess || waited > timeout_) give_up(error);
      if (waited > kPatience) std::this_thread::sleep_for(kNap);
    }
  }

  [[noreturn]] void give_up(ncclResult_t error) {
    const std::string text = error != ncclSuccess ? nccl().ncclGetErrorString(error) : "";
    nccl().ncclCommAbort(std::exchange(comm_, nullptr));
    if (control_) broadcast(*control_, "who is there");  // throws, and names who is not
    if (!text.empty()) throw Error(concat("rank ", rank(), ": NCCL: ", text));
    throw Error(concat("rank ", rank(), ": one of the other ", size() - 1, " ranks has not answered for ",
                       std::chrono::duration<double>(timeout_).count(), " s (--rank_timeout)"));
  }

  std::unique_ptr<Communicator> control_;
  ncclComm_t comm_ = nullptr;
  cudaStream_t side_ = nullptr;  // lives as long as the process
  cudaStream_t main_ = nullptr;  // while something is asked for beside it
  Event order_;
  std::chrono::milliseconds timeout_;
  int exceptions_ = std::uncaught_exceptions();
};

}  // namespace

std::string new_nccl_id() {
  ncclUniqueId id;
  nccl().check(nccl().ncclGetUniqueId(&id), "ncclGetUniqueId");
  return digits_of(id);
}

std::unique_ptr<Communicator> nccl_communicator(const NcclRank& rank, std::unique_ptr<Communicator> control) {
  return std::make_unique<NcclCommunicator>(rank, std::move(control));
}

}  // namespace tk::cuda
