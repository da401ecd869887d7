#include "transkimmer/cli/run/ranks.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <sstream>
#include <string_view>
#include <thread>
#include <vector>

#include "tensor/error.h"
#include "tensor/io/in_quotes.h"
#include "tensor/threads.h"
#include "transkimmer/cli/run/child.h"
#include "transkimmer/cli/run/log.h"
#include "transkimmer/cli/run/print.h"
#include "transkimmer/cli/run/runtime.h"
#include "transkimmer/cli/run/signals.h"
#include "transkimmer/cli/run/time_limit.h"

extern char** environ;  // NOLINT: POSIX

namespace tk {
namespace {

constexpr int kCannotStart = 127;
bool has_left = false;

Launch launch_of_process() { return has_left ? Launch() : launch_of_environment(); }
constexpr std::int64_t kMostRanks = 1024;

}  // namespace

void add_rank_flags(Flags& flags, RankFlags& ranks) {
  flags.group("Ranks");
  flags
      .add("--ranks", ranks.ranks,
           "start so many processes on this host, one a GPU, that do this together; 0: none but this one. On the CPU "
           "and "
           "on several hosts mpirun starts them")
      .range(0, static_cast<double>(kMostRanks));
  flags
      .add("--rank_timeout", ranks.timeout,
           "how long a process waits for another one before it ends; longer than an evaluation or a checkpoint takes",
           "TIME")
      .check([](const std::string& text) -> std::string {
        if (const std::optional<double> seconds = seconds_in(text); seconds && *seconds > 0) return "";
        return concat("expected a time such as 90s, 30m or 1h30m, or seconds, got ", in_quotes(text));
      });
  flags.add("--log_all_ranks", ranks.log_all, "not only the first process says what it does");
}

bool starts_ranks(const RankFlags& flags) { return flags.ranks > 1 && launch_of_process().by == Launch::By::kNobody; }

namespace {

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

pid_t start_rank(int rank, std::int64_t size, const std::string& id, const char* const* argv) {
  std::vector<std::string> variables = {concat("RANK=", rank), concat("WORLD_SIZE=", size), concat("LOCAL_RANK=", rank),
                                        concat("LOCAL_WORLD_SIZE=", size), concat(kIdVariable, '=', id)};
  const auto is_ours = [&](std::string_view entry) {
    return std::ranges::any_of(std::vector<std::string>{"RANK=", "WORLD_SIZE=", "LOCAL_RANK=", "LOCAL_WORLD_SIZE="},
                               [&](const std::string& name) { return entry.starts_with(name); });
  };
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!is_ours(*entry)) variables.emplace_back(*entry);
  }
  const std::vector<char*> envp = pointers(variables);
  const pid_t starter = ::getpid(), pid = ::fork();
  TK_CHECK(pid >= 0, "--ranks: cannot start a process");
  if (pid > 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (::getppid() == starter) ::execve("/proc/self/exe", const_cast<char* const*>(argv), envp.data());
  ::_exit(kCannotStart);
}

// The processes that were started; those that still run end with this.
class StartedRanks {
 public:
  StartedRanks(std::int64_t size, const std::string& id, const char* const* argv) {
    for (int rank = 0; rank < size; ++rank) pids_.push_back(start_rank(rank, size, id, argv));
  }
  ~StartedRanks() { send(SIGKILL); }
  StartedRanks(const StartedRanks&) = delete;
  StartedRanks& operator=(const StartedRanks&) = delete;

  bool are_running() const {
    return std::ranges::any_of(pids_, [](pid_t pid) { return pid > 0; });
  }
  void send(int signal) const {
    for (const pid_t pid : pids_) {
      if (pid > 0) ::kill(pid, signal);
    }
  }

  struct Ended {
    int rank;
    int code;  // or minus the signal
  };
  // One that has ended and was not told of yet.
  std::optional<Ended> next() {
    for (std::size_t rank = 0; rank < pids_.size(); ++rank) {
      int status = 0;
      if (pids_[rank] <= 0 || ::waitpid(pids_[rank], &status, WNOHANG) != pids_[rank]) continue;
      pids_[rank] = 0;
      return Ended{static_cast<int>(rank), WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status)};
    }
    return std::nullopt;
  }

 private:
  std::vector<pid_t> pids_;  // 0: has ended
};

}  // namespace

namespace {

[[noreturn]] void refuse_cpu(const RankFlags& flags) {
  throw Error(
      concat("--ranks: processes on the CPU are started by mpirun: mpirun -n ", flags.ranks, " transkimmer ..."));
}

}  // namespace

int start_ranks(const RankFlags& flags, const RuntimeFlags& runtime, const char* const* argv) {
  using Clock = std::chrono::steady_clock;
  constexpr std::chrono::milliseconds kNap(20);
  constexpr std::chrono::seconds kGrace(5);  // for a checkpoint that is being written
  constexpr int kSignalled = 128;            // what exit codes of processes that were asked to stop begin at
  if (runtime.device == "cpu") refuse_cpu(flags);
  const std::string id = new_nccl_id();
  catch_stop_signals();
  StartedRanks ranks(flags.ranks, id, argv);
  int code = 0;
  bool has_forwarded = false;
  std::optional<Clock::time_point> end;
  while (ranks.are_running()) {
    if (const auto ended = ranks.next()) {
      if (ended->code != 0 && code == 0) code = ended->code < 0 ? kSignalled - ended->code : ended->code;
      const bool has_failed = ended->code < 0 || (ended->code > 0 && ended->code < kSignalled);
      if (!has_failed || end) continue;
      warn("rank {} of {} ended with {}; the others are ended", ended->rank, flags.ranks, ending_text(ended->code));
      ranks.send(SIGTERM);
      end = Clock::now() + kGrace;
      continue;
    }
    // A terminal sends its own to all of its processes.
    if (const int signal = stop_signal(); signal != 0 && signal != SIGINT && !has_forwarded) {
      ranks.send(signal);
      has_forwarded = true;
    }
    if (end && Clock::now() > *end) ranks.send(SIGKILL);
    std::this_thread::sleep_for(kNap);
  }
  return code;
}

namespace {

std::int64_t online_cores() { return std::max<std::int64_t>(1, ::sysconf(_SC_NPROCESSORS_ONLN)); }

bool is_bound_to_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  return ::sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) < online_cores();
}

constexpr const char* kGpuVariable = "CUDA_VISIBLE_DEVICES";

// Those that this process may use, or the host's first ones.
std::vector<std::string> gpus_of_host(std::int64_t ranks) {
  std::vector<std::string> devices;
  if (const char* const given = std::getenv(kGpuVariable)) {
    std::istringstream list(given);
    for (std::string device; std::getline(list, device, ',');) devices.push_back(device);
  } else {
    for (std::int64_t i = 0; i < ranks; ++i) devices.push_back(std::to_string(i));
  }
  return devices;
}

// The GPU of a rank as the first one that the process sees, the others behind it: those who exchange memory must see
// each other's.
std::string gpus_of_rank(std::vector<std::string> devices, std::int64_t rank, std::int64_t ranks) {
  TK_CHECK(std::ssize(devices) >= ranks, ranks, " ranks on this host, and ", kGpuVariable, " names ", devices.size(),
           " GPUs");
  std::rotate(devices.begin(), devices.begin() + rank, devices.end());
  return fmt::format("{}", fmt::join(devices, ","));
}

// What a starter gave to this process alone stays.
void take_gpu(const Launch& launch) {
  const std::vector<std::string> devices = gpus_of_host(launch.local_size);
  if (std::getenv(kGpuVariable) != nullptr && devices.size() <= 1) return;
  ::setenv(kGpuVariable, gpus_of_rank(devices, launch.local_rank, launch.local_size).c_str(), 1);
}

}  // namespace

std::vector<std::string> gpus_of_ranks(const RankFlags& flags, Device device) {
  if (device == Device::kCpu) refuse_cpu(flags);
  std::vector<std::string> gpus;
  for (std::int64_t rank = 0; rank < flags.ranks; ++rank) {
    gpus.push_back(gpus_of_rank(gpus_of_host(flags.ranks), rank, flags.ranks));
  }
  return gpus;
}

void take_share_of_host(RuntimeFlags& runtime) {
  const Launch launch = launch_of_process();
  if (launch.size == 1) return;
  if (runtime.device != "cpu") take_gpu(launch);
  if (runtime.threads == 0 && launch.local_size > 1 && !is_bound_to_cores()) {
    runtime.threads =
        std::max<std::int64_t>(1, std::min<std::int64_t>(num_threads(), online_cores()) / launch.local_size);
  }
}

std::unique_ptr<Communicator> meet_ranks(const RankFlags& flags, Device device) {
  const Launch launch = launch_of_process();
  if (launch.rank > 0 && !flags.log_all) be_quiet();
  const std::chrono::duration<double> timeout(seconds_in(flags.timeout).value());
  std::unique_ptr<Communicator> ranks =
      join_ranks(launch, device, std::chrono::duration_cast<std::chrono::milliseconds>(timeout));
  if (ranks->size() > 1) info("rank {} of {}", ranks->rank(), ranks->size());
  return ranks;
}

void leave_ranks() { has_left = true; }

void check_is_alone(const std::string& command) {
  const Launch launch = launch_of_process();
  TK_CHECK(launch.size == 1, "this process was started as one of ", launch.size, ", and ", command,
           " is for one; train, eval, predict and sweep are for several");
}

}  // namespace tk
