#pragma once

#include <chrono>
#include <memory>

#include "tensor/communicator.h"

namespace tk::cpu {

/// The processes that mpirun started. Begins MPI, which a process can do once; throws where its library cannot be
/// loaded.
std::unique_ptr<Communicator> mpi_communicator(std::chrono::milliseconds timeout);

}  // namespace tk::cpu
