#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/tensor.h"

namespace tk {

/// A contiguous tensor on its way to another rank, or room for one that comes from there.
struct Message {
  int rank;
  Tensor data;
};

/// One of the processes (ranks) that do a work together, and its way to the others. All ranks make the same calls in
/// the same order; tensors lie on device(). On a GPU a call is asked for as a kernel is, and may be recorded.
class Communicator {
 public:
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  bool is_first() const { return rank_ == 0; }
  virtual Device device() const = 0;

  /// Sends and receives at once, nothing to itself. What goes from one rank to another arrives in its order; sizes on
  /// both sides are equal.
  void exchange(std::span<const Message> sends, std::span<const Message> receives);
  /// Of `whole` each rank has entries [bounds[rank], bounds[rank + 1]) of dimension 0, and gets the others.
  void all_gather(const Tensor& whole, std::span<const std::int64_t> bounds);
  /// What waits until all that was asked of the device so far is done; throws where another rank does not take part in
  /// time. To be called before the communicator's end.
  virtual std::function<void()> milestone() = 0;

  /// What is asked of the device between these calls, messages too, is done beside what is asked for otherwise, and
  /// after what was asked for before. Tensors that are made there live until join(). Where work is done as it is asked
  /// for they do nothing.
  virtual void begin_beside() {}
  virtual void end_beside() {}
  /// What is asked for from now on is done after what was asked for beside.
  virtual void join() {}

  /// What this rank was asked to send so far; a recorded step counts once, however often it is replayed.
  std::int64_t bytes_sent() const { return bytes_sent_; }

 protected:
  Communicator(int rank, int size) : rank_(rank), size_(size) {}

 private:
  virtual void run_exchange(std::span<const Message> sends, std::span<const Message> receives) = 0;
  /// All parts have `bytes`. Whether it was done; else it is an exchange.
  virtual bool gather_equal_parts(const Tensor& /*whole*/, std::int64_t /*bytes*/) { return false; }

  int rank_;
  int size_;
  std::int64_t bytes_sent_ = 0;
};

/// The only rank of a work.
Communicator& alone();

/// `n` cut into `parts` ranges of almost one length, at multiples of `step`: [parts + 1] bounds.
std::vector<std::int64_t> even_bounds(std::int64_t n, std::int64_t parts, std::int64_t step = 1);

/// The first rank's text, on all of them.
std::string broadcast(Communicator& ranks, const std::string& text);

/// What ranks of this build can meet by: "mpi, nccl", or "none".
std::string rank_engines();

/// How this process was started, as its environment says.
struct Launch {
  /// What started the ranks, and so how they find each other.
  enum class By : std::uint8_t {
    kNobody,  ///< this is the only process
    kMpi,     ///< mpirun, or srun with its MPI plug-in
    kProgram  ///< the program itself, on one host: the environment has NCCL's id
  };
  By by = By::kNobody;
  int rank = 0;
  int size = 1;
  int local_rank = 0;  ///< among those of this host
  int local_size = 1;
};

/// Reads Open MPI's, Slurm's and the program's own variables. Throws where these are no numbers.
Launch launch_of_environment();

/// Whether `name`, followed by '=', is a variable without which that finds nobody: for programs that a rank starts.
bool says_launch(std::string_view name);

/// What a Launch::By::kProgram has in its environment beside RANK, WORLD_SIZE, LOCAL_RANK and LOCAL_WORLD_SIZE.
inline constexpr const char* kIdVariable = "TK_NCCL_ID";
/// A new value for it, by which as many processes as the caller starts find each other as long as the caller lives.
/// Throws where this build has no NCCL, or the library cannot be loaded.
std::string new_nccl_id();

/// Meets the other ranks, for work on `device`: by MPI on the CPU, by NCCL on a GPU, whose id goes over MPI where there
/// is MPI. What waits longer than `timeout` for another rank throws, and names it where that is known. Throws where the
/// build lacks what it takes.
std::unique_ptr<Communicator> join_ranks(const Launch& launch, Device device, std::chrono::milliseconds timeout);

}  // namespace tk
