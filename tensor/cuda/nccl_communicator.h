#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "tensor/communicator.h"

// What the rest of the library sees of NCCL.
namespace tk::cuda {

struct NcclRank {
  std::string id;  ///< of the first rank's new_nccl_id(), on all of them
  int rank = 0;
  int size = 1;
  std::chrono::milliseconds timeout;
};

/// In hexadecimal digits.
std::string new_nccl_id();
/// A rank on the GPU that the process uses. `control`: the same ranks by another way, which is asked who is missing
/// where NCCL cannot know; may be null.
std::unique_ptr<Communicator> nccl_communicator(const NcclRank& rank, std::unique_ptr<Communicator> control);

}  // namespace tk::cuda
