#include "tensor/cpu/mpi_communicator.h"

#include <mpi.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <exception>
#include <thread>
#include <vector>

#include "tensor/error.h"
#include "tensor/lazy_library.h"

namespace tk::cpu {
namespace {

using Clock = std::chrono::steady_clock;

// Open MPI's functions, and the objects that its handles are addresses of.
struct Mpi {
  LazyLibrary library{TK_MPI_LIBRARY, LazyLibrary::Symbols::kShared};
  TK_LAZY_FUNCTION(MPI_Init_thread);
  TK_LAZY_FUNCTION(MPI_Finalize);
  TK_LAZY_FUNCTION(MPI_Comm_rank);
  TK_LAZY_FUNCTION(MPI_Comm_size);
  TK_LAZY_FUNCTION(MPI_Comm_set_errhandler);
  TK_LAZY_FUNCTION(MPI_Error_string);
  TK_LAZY_FUNCTION(MPI_Isend);
  TK_LAZY_FUNCTION(MPI_Irecv);
  TK_LAZY_FUNCTION(MPI_Test);
  TK_LAZY_FUNCTION(MPI_Testall);
  MPI_Comm world = static_cast<MPI_Comm>(library.symbol("ompi_mpi_comm_world"));
  MPI_Datatype byte = static_cast<MPI_Datatype>(library.symbol("ompi_mpi_byte"));
  MPI_Errhandler errors_return = static_cast<MPI_Errhandler>(library.symbol("ompi_mpi_errors_return"));

  void check(int code, const char* call) const {
    if (code == MPI_SUCCESS) return;
    std::array<char, MPI_MAX_ERROR_STRING> text{};
    int length = 0;
    MPI_Error_string(code, text.data(), &length);
    throw Error(concat(call, ": ", text.data()));
  }
};

Mpi& mpi() {
  static Mpi instance;
  return instance;
}

// A rank that failed just ends, and mpirun ends the others: to finalize would be to wait for them.
bool has_failed = false;

void begin_once() {
  static const bool has_begun = [] {
    int provided = 0;
    mpi().check(mpi().MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
    mpi().check(mpi().MPI_Comm_set_errhandler(mpi().world, mpi().errors_return), "MPI_Comm_set_errhandler");
    std::atexit([] {
      if (!has_failed) mpi().MPI_Finalize();
    });
    return true;
  }();
  static_cast<void>(has_begun);
}

class MpiCommunicator final : public Communicator {
 public:
  MpiCommunicator(int rank, int size, std::chrono::milliseconds timeout)
      : Communicator(rank, size), timeout_(timeout) {}

  ~MpiCommunicator() override {
    if (std::uncaught_exceptions() > exceptions_) has_failed = true;
  }

  Device device() const override { return Device::kCpu; }
  // What was asked for is done.
  std::function<void()> milestone() override {
    return [] {};
  }

 private:
  struct Pending {
    std::vector<MPI_Request> requests;
    std::vector<int> ranks;  // with whom
  };

  void run_exchange(std::span<const Message> sends, std::span<const Message> receives) override {
    Pending pending;
    for (const Message& message : receives) {
      in_pieces(message, [&](void* data, int bytes) {
        mpi().check(mpi().MPI_Irecv(data, bytes, mpi().byte, message.rank, kTag, mpi().world, add(pending, message)),
                    "MPI_Irecv");
      });
    }
    for (const Message& message : sends) {
      in_pieces(message, [&](void* data, int bytes) {
        mpi().check(mpi().MPI_Isend(data, bytes, mpi().byte, message.rank, kTag, mpi().world, add(pending, message)),
                    "MPI_Isend");
      });
    }
    finish(pending);
  }

  // MPI counts in ints.
  template <class F>
  static void in_pieces(const Message& message, F&& f) {
    constexpr std::int64_t kMost = std::int64_t{1} << 30;
    auto* const data = static_cast<std::byte*>(message.data.raw_data());
    const std::int64_t bytes = message.data.numel() * size_of(message.data.dtype());
    for (std::int64_t at = 0; at < bytes; at += kMost) f(data + at, static_cast<int>(std::min(kMost, bytes - at)));
  }

  static MPI_Request* add(Pending& pending, const Message& message) {
    pending.ranks.push_back(message.rank);
    return &pending.requests.emplace_back();
  }

  // Ranks may be more than cores: who waits long sleeps.
  void finish(Pending& pending) const {
    constexpr std::chrono::milliseconds kPatience(1);
    constexpr std::chrono::microseconds kNap(50);
    const Clock::time_point start = Clock::now();
    int done = 0;
    for (;;) {
      mpi().check(mpi().MPI_Testall(static_cast<int>(pending.requests.size()), pending.requests.data(), &done,
                                    MPI_STATUSES_IGNORE),
                  "MPI_Testall");
      if (done != 0) return;
      const auto waited = Clock::now() - start;
      if (waited > timeout_) throw_who_is_missing(pending);
      if (waited > kPatience) {
        std::this_thread::sleep_for(kNap);
      } else {
        std::this_thread::yield();
      }
    }
  }

  [[noreturn]] void throw_who_is_missing(Pending& pending) const {
    std::vector<int> missing;
    for (std::size_t i = 0; i < pending.requests.size(); ++i) {
      int done = 0;
      mpi().MPI_Test(&pending.requests[i], &done, MPI_STATUS_IGNORE);
      const int rank = pending.ranks[i];
      if (done == 0 && std::ranges::find(missing, rank) == missing.end()) missing.push_back(rank);
    }
    std::ranges::sort(missing);
    std::string names;
    for (const int rank : missing) names += concat(names.empty() ? "" : ", ", rank);
    throw Error(concat("rank ", rank(), ": rank ", names, missing.size() > 1 ? " have" : " has", " not answered for ",
                       std::chrono::duration<double>(timeout_).count(), " s (--rank_timeout)"));
  }

  static constexpr int kTag = 0;
  std::chrono::milliseconds timeout_;
  int exceptions_ = std::uncaught_exceptions();
};

}  // namespace

std::unique_ptr<Communicator> mpi_communicator(std::chrono::milliseconds timeout) {
  begin_once();
  int rank = 0, size = 1;
  mpi().check(mpi().MPI_Comm_rank(mpi().world, &rank), "MPI_Comm_rank");
  mpi().check(mpi().MPI_Comm_size(mpi().world, &size), "MPI_Comm_size");
  return std::make_unique<MpiCommunicator>(rank, size, timeout);
}

}  // namespace tk::cpu
