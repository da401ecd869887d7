#include "tensor/cuda/runtime.h"

#include "tensor/cuda/launch.h"

namespace tk::cuda {
namespace {

// Created on first use and never destroyed: tensors with static lifetime may outlive any order of destruction.
struct Runtime {
  cudaStream_t stream = nullptr;
  unsigned* errors = nullptr;  // pinned host memory that kernels write to

  Runtime() {
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreate");
    check(cudaHostAlloc(&errors, sizeof(unsigned), cudaHostAllocMapped), "cudaHostAlloc");
    *errors = 0;
  }
};

Runtime& runtime() {
  static Runtime* const instance = new Runtime;
  return *instance;
}

void throw_device_errors() {
  const unsigned errors = *runtime().errors;
  if (errors == 0) return;
  *runtime().errors = 0;
  TK_CHECK((errors & static_cast<unsigned>(DeviceError::kIndexOutOfRange)) == 0,
           "cuda: an index was out of range in a kernel that ran before this point");
  throw Error("cuda: a label was out of range in a kernel that ran before this point");
}

void* allocate(std::int64_t bytes) {
  void* data = nullptr;
  const cudaError_t status = cudaMalloc(&data, static_cast<std::size_t>(bytes));
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();  // it is handled: later checks must not see it
    return nullptr;
  }
  check(status, "cudaMalloc");
  return data;
}

void deallocate(void* data) noexcept { cudaFree(data); }

void copy_in(void* y, const void* x, std::int64_t bytes) {
  check(cudaMemcpyAsync(y, x, static_cast<std::size_t>(bytes), cudaMemcpyHostToDevice, stream()), "cudaMemcpyAsync");
}

void synchronize() {
  check(cudaStreamSynchronize(stream()), "cudaStreamSynchronize");
  throw_device_errors();
}

void copy_out(void* y, const void* x, std::int64_t bytes) {
  check(cudaMemcpyAsync(y, x, static_cast<std::size_t>(bytes), cudaMemcpyDeviceToHost, stream()), "cudaMemcpyAsync");
  synchronize();
}

std::int64_t free_memory() {
  std::size_t free = 0, total = 0;
  check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  return static_cast<std::int64_t>(free);
}

std::string describe() {
  cudaDeviceProp device{};
  check(cudaGetDeviceProperties(&device, 0), "cudaGetDeviceProperties");
  int version = 0;
  check(cudaRuntimeGetVersion(&version), "cudaRuntimeGetVersion");
  return concat(device.name, ", compute ", device.major, '.', device.minor, ", CUDA ", version / 1000, '.',
                version % 1000 / 10);
}

// Other threads may go on calling CUDA meanwhile, and this one may allocate: neither belongs to the stream.
void begin_capture() {
  check(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeRelaxed), "cudaStreamBeginCapture");
}

void* end_capture() {
  cudaGraph_t graph = nullptr;
  if (cudaStreamEndCapture(stream(), &graph) != cudaSuccess || graph == nullptr) {
    cudaGetLastError();
    return nullptr;
  }
  cudaGraphExec_t executable = nullptr;
  const cudaError_t status = cudaGraphInstantiate(&executable, graph, 0);
  cudaGraphDestroy(graph);
  check(status, "cudaGraphInstantiate");
  return executable;
}

void replay(void* graph) { check(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), stream()), "cudaGraphLaunch"); }

void destroy_graph(void* graph) noexcept {
  if (graph != nullptr) cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph));
}

__global__ void probe() {}

}  // namespace

const Backend kBackend = {.allocate = allocate,
                          .deallocate = deallocate,
                          .copy_in = copy_in,
                          .copy_out = copy_out,
                          .synchronize = synchronize,
                          .begin_capture = begin_capture,
                          .end_capture = end_capture,
                          .replay = replay,
                          .destroy_graph = destroy_graph,
                          .free_memory = free_memory,
                          .describe = describe};

std::string unavailable() {
  int count = 0;
  if (const cudaError_t status = cudaGetDeviceCount(&count); status != cudaSuccess || count == 0) {
    cudaGetLastError();
    return concat("no CUDA device found", status == cudaSuccess ? "" : ": ",
                  status == cudaSuccess ? "" : cudaGetErrorString(status));
  }
  cudaFuncAttributes attributes{};
  if (const cudaError_t status = cudaFuncGetAttributes(&attributes, probe); status != cudaSuccess) {
    cudaGetLastError();
    return concat("this build has no code for ", describe(), ": ", cudaGetErrorString(status),
                  " (configure with -DCMAKE_CUDA_ARCHITECTURES=native)");
  }
  return "";
}

cudaStream_t stream() { return runtime().stream; }

void check(cudaError_t status, const char* call) {
  if (status != cudaSuccess) throw Error(concat("cuda: ", call, ": ", cudaGetErrorString(status)));
}

unsigned* device_errors() { return runtime().errors; }

}  // namespace tk::cuda
