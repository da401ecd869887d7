#pragma once

#include <chrono>
#include <memory>

#include "tensor/communicator.h"

namespace tk::cpu {

/// The processes that mpirun started. Begins MPI, if it has not begun; it ends with the process, unless a communicator
/// ended by an exception. Throws where the library cannot be loaded.
std::unique_ptr<Communicator> mpi_communicator(std::chrono::milliseconds timeout);

}  // namespace tk::cpu
