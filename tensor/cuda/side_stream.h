#pragma once

#include <cuda_runtime.h>

namespace tk::cuda {

/// Has what is asked of the device go to `next`; returns the stream before. Memory stays that of the queue in use.
cudaStream_t exchange_stream(cudaStream_t next);

}  // namespace tk::cuda
