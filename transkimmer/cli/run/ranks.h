#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tensor/communicator.h"
#include "transkimmer/cli/run/options.h"

namespace tk {

struct RuntimeFlags;

/// Flags of commands that several processes may run together.
struct RankFlags {
  std::int64_t ranks = 0;  ///< to start on this host; 0: none but this
  std::string timeout = "10m";
  bool log_all = false;
};

/// --ranks, --rank_timeout, --log_all_ranks
void add_rank_flags(Flags& flags, RankFlags& ranks);

/// Whether this process is only to start others, by start_ranks.
bool starts_ranks(const RankFlags& flags);
/// Runs the same command line in `flags.ranks` processes on this host, one a GPU, and waits for them; where one fails
/// the others are ended, and a line says which it was. Returns the exit code: of the first that failed.
int start_ranks(const RankFlags& flags, const RuntimeFlags& runtime, const char* const* argv);

/// The values of CUDA_VISIBLE_DEVICES of `flags.ranks` processes on this host, one a GPU: its own first, and the
/// others' behind it. Throws where there are fewer GPUs, or `device` is none.
std::vector<std::string> gpus_of_ranks(const RankFlags& flags, Device device);

/// Has a process that is one of several compute on its share of the host: so many threads, unless their number was
/// given or the process is bound to some cores already, and a GPU of its own. Before anything asks for either.
void take_share_of_host(RuntimeFlags& runtime);
/// Meets the other ranks that were started together, if there are any. All but the first say nothing from then on but
/// errors, unless --log_all_ranks.
std::unique_ptr<Communicator> meet_ranks(const RankFlags& flags, Device device);

/// This process is the only one from now on, for commands that follow.
void leave_ranks();
/// Throws where this process is one of several and the command is for one.
void check_is_alone(const std::string& command);

}  // namespace tk
