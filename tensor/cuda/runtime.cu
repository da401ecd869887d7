#include "tensor/cuda/runtime.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "tensor/cuda/launch.h"
#include "tensor/cuda/side_stream.h"

namespace tk::cuda {
namespace {

constexpr int kQueuePriority = -1;  // before work beside, which has 0, the least

cudaStream_t make_stream(int priority) {
  cudaStream_t made = nullptr;
  check(cudaStreamCreateWithPriority(&made, cudaStreamNonBlocking, priority), "cudaStreamCreateWithPriority");
  return made;
}

cudaEvent_t make_event() {
  cudaEvent_t made = nullptr;
  check(cudaEventCreateWithFlags(&made, cudaEventDisableTiming), "cudaEventCreate");
  return made;
}

// Pinned host memory that one copy at a time goes through; `done` is when the last one was.
struct PinnedBlock {
  void* data = nullptr;
  std::size_t bytes;
  cudaEvent_t done = nullptr;

  explicit PinnedBlock(std::size_t bytes) : bytes(bytes) {
    check(cudaHostAlloc(&data, bytes, cudaHostAllocDefault), "cudaHostAlloc");
    done = make_event();
  }

  void wait() const { check(cudaEventSynchronize(done), "cudaEventSynchronize"); }
};

// Created on first use and never destroyed: tensors with static lifetime may outlive any order of destruction.
struct Runtime {
  Queue queue;
  std::array<cudaStream_t, Queue::kMost> streams{};  // of queues; those that were used
  cudaStream_t stream = nullptr;                     // what work is asked of: the queue's, or a body's that is recorded
  unsigned* errors = nullptr;                        // pinned host memory that kernels write to
  bool is_capturing = false;
  HostCalls calls;
  std::array<std::unique_ptr<PinnedBlock>, 8> staging;  // of copies to the device, taken in turn
  std::size_t next_staging = 0;
  std::vector<PinnedBlock*> landing;  // of copies to the host; those that nobody uses
  cudaStream_t beside = nullptr;        // of work beside the queue
  cudaStream_t queue_stream = nullptr;  // while work beside is asked for
  std::vector<cudaEvent_t> events;      // that nobody uses

  Runtime() {
    use(queue);
    check(cudaHostAlloc(&errors, sizeof(unsigned), cudaHostAllocMapped), "cudaHostAlloc");
    *errors = 0;
  }

  void use(const Queue& next) {
    cudaStream_t& its = streams[static_cast<std::size_t>(next.index)];
    if (its == nullptr) its = make_stream(kQueuePriority);
    queue = next;
    stream = its;
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

void not_while_recording(const char* what) {
  TK_CHECK(!runtime().is_capturing, "cuda: ", what, " while work is recorded");
}

constexpr std::size_t kSmallCopy = std::size_t{64} << 10;

// A kernel that reads or writes pinned memory is there sooner than the engine that copies.
__global__ void copy_small(std::byte* y, const std::byte* x, std::size_t n, bool wide) {
  const std::size_t first = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x;
  const std::size_t step = std::size_t{gridDim.x} * blockDim.x;
  const std::size_t units = wide ? n / sizeof(uint4) : 0;
  for (std::size_t i = first; i < units; i += step) {
    reinterpret_cast<uint4*>(y)[i] = reinterpret_cast<const uint4*>(x)[i];
  }
  for (std::size_t i = units * sizeof(uint4) + first; i < n; i += step) y[i] = x[i];
}

void copy_pinned(void* y, const void* x, std::size_t n, cudaMemcpyKind kind) {
  Runtime& r = runtime();
  if (n > kSmallCopy) return check(cudaMemcpyAsync(y, x, n, kind, r.stream), "cudaMemcpyAsync");
  const bool wide = (reinterpret_cast<std::uintptr_t>(y) | reinterpret_cast<std::uintptr_t>(x)) % sizeof(uint4) == 0;
  copy_small<<<blocks(static_cast<std::int64_t>(n), 16 * kThreads), kThreads, 0, r.stream>>>(
      static_cast<std::byte*>(y), static_cast<const std::byte*>(x), n, wide);
  check(cudaGetLastError(), "copy_small");  // counted as a copy
}

// What fits goes through pinned memory, so that the host does not wait for the device to come to it.
void copy_in(void* y, const void* x, std::int64_t bytes) {
  not_while_recording("a copy from the host");
  constexpr std::size_t kStagingBytes = std::size_t{1} << 20;
  Runtime& r = runtime();
  ++r.calls.copies_in;
  const auto n = static_cast<std::size_t>(bytes);
  if (n > kStagingBytes) {
    check(cudaMemcpyAsync(y, x, n, cudaMemcpyHostToDevice, r.stream), "cudaMemcpyAsync");
    return;
  }
  std::unique_ptr<PinnedBlock>& block = r.staging[r.next_staging++ % r.staging.size()];
  if (block == nullptr) block = std::make_unique<PinnedBlock>(kStagingBytes);
  block->wait();
  std::memcpy(block->data, x, n);
  copy_pinned(y, block->data, n, cudaMemcpyHostToDevice);
  check(cudaEventRecord(block->done, r.stream), "cudaEventRecord");
}

void synchronize() {
  not_while_recording("the host waits");
  ++runtime().calls.waits;
  check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
  throw_device_errors();
}

void copy_out(void* y, const void* x, std::int64_t bytes) {
  not_while_recording("a copy to the host");
  ++runtime().calls.copies_out;
  check(cudaMemcpyAsync(y, x, static_cast<std::size_t>(bytes), cudaMemcpyDeviceToHost, stream()), "cudaMemcpyAsync");
  ++runtime().calls.waits;
  check(cudaStreamSynchronize(stream()), "cudaStreamSynchronize");
  throw_device_errors();
}

// A free block of at least so many bytes, which is free again when nobody holds it.
std::shared_ptr<PinnedBlock> landing_block(std::size_t bytes) {
  std::vector<PinnedBlock*>& blocks = runtime().landing;
  const auto found =
      std::find_if(blocks.begin(), blocks.end(), [&](const PinnedBlock* b) { return b->bytes >= bytes; });
  PinnedBlock* block = nullptr;
  if (found == blocks.end()) {
    block = new PinnedBlock(std::bit_ceil(std::max<std::size_t>(bytes, 4096)));
  } else {
    block = *found;
    blocks.erase(found);
  }
  return {block, [](PinnedBlock* b) { runtime().landing.push_back(b); }};
}

std::function<void(void*)> copy_out_later(const void* x, std::int64_t bytes) {
  not_while_recording("a copy to the host");
  const auto n = static_cast<std::size_t>(bytes);
  const std::shared_ptr<PinnedBlock> block = landing_block(n);
  ++runtime().calls.copies_out;
  copy_pinned(block->data, x, n, cudaMemcpyDeviceToHost);
  check(cudaEventRecord(block->done, stream()), "cudaEventRecord");
  return [block, n](void* y) {
    block->wait();
    throw_device_errors();
    std::memcpy(y, block->data, n);
  };
}

Queue use_queue(const Queue& queue) {
  not_while_recording("another queue");
  const Queue before = runtime().queue;
  runtime().use(queue);
  return before;
}

// An event behind what a stream was asked for so far, which is anyone's again when nobody holds it.
std::shared_ptr<CUevent_st> event_in(cudaStream_t stream) {
  std::vector<cudaEvent_t>& events = runtime().events;
  cudaEvent_t event = nullptr;
  if (events.empty()) {
    event = make_event();
  } else {
    event = events.back();
    events.pop_back();
  }
  check(cudaEventRecord(event, stream), "cudaEventRecord");
  return {event, [](cudaEvent_t used) { runtime().events.push_back(used); }};
}

void come_after(const std::shared_ptr<CUevent_st>& event) {
  check(cudaStreamWaitEvent(stream(), event.get()), "cudaStreamWaitEvent");
}

// A recording follows from stream to stream by the events.
void begin_beside() {
  Runtime& r = runtime();
  if (r.beside == nullptr) r.beside = make_stream(0);
  const std::shared_ptr<CUevent_st> here = event_in(stream());
  r.queue_stream = std::exchange(r.stream, r.beside);
  come_after(here);
}

std::function<void()> end_beside() {
  const cudaStream_t beside = std::exchange(runtime().stream, runtime().queue_stream);
  const std::shared_ptr<CUevent_st> done = event_in(beside);
  return [done] { come_after(done); };
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
  runtime().is_capturing = true;
}

// A graph as it was recorded, which owns the handles of its switches, and what is launched.
struct Graph {
  cudaGraph_t recorded = nullptr;
  cudaGraphExec_t executable = nullptr;

  ~Graph() {
    if (executable != nullptr) cudaGraphExecDestroy(executable);
    if (recorded != nullptr) cudaGraphDestroy(recorded);
  }
};

void* end_capture() {
  runtime().is_capturing = false;
  auto graph = std::make_unique<Graph>();
  if (cudaStreamEndCapture(stream(), &graph->recorded) != cudaSuccess || graph->recorded == nullptr) {
    cudaGetLastError();
    return nullptr;
  }
  check(cudaGraphInstantiate(&graph->executable, graph->recorded, 0), "cudaGraphInstantiate");
  return graph.release();
}

void replay(void* graph) {
  ++runtime().calls.replays;
  check(cudaGraphLaunch(static_cast<Graph*>(graph)->executable, stream()), "cudaGraphLaunch");
}

// The graph that the stream is recorded into, and the nodes that the next one will follow.
struct CaptureState {
  cudaGraph_t graph = nullptr;
  const cudaGraphNode_t* last = nullptr;
  const cudaGraphEdgeData* edges = nullptr;
  std::size_t count = 0;

  explicit CaptureState(cudaStream_t stream) {
    cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
    check(cudaStreamGetCaptureInfo(stream, &status, nullptr, &graph, &last, &edges, &count),
          "cudaStreamGetCaptureInfo");
    TK_CHECK(status == cudaStreamCaptureStatusActive, "cuda: a switch where nothing is recorded");
  }
};

// As long as this lives, what is asked of the device is recorded into `graph`, which belongs to another.
class Detour {
 public:
  explicit Detour(cudaGraph_t graph) : outer_(stream()) {
    cudaStream_t inner = nullptr;
    check(cudaStreamCreateWithFlags(&inner, cudaStreamNonBlocking), "cudaStreamCreate");
    check(cudaStreamBeginCaptureToGraph(inner, graph, nullptr, nullptr, 0, cudaStreamCaptureModeRelaxed),
          "cudaStreamBeginCaptureToGraph");
    runtime().stream = inner;
  }
  // Ends the recording; throws if it failed.
  void end() {
    const cudaStream_t inner = std::exchange(runtime().stream, outer_);
    has_ended_ = true;
    cudaGraph_t graph = nullptr;
    const cudaError_t status = cudaStreamEndCapture(inner, &graph);
    cudaStreamDestroy(inner);
    check(status, "cudaStreamEndCapture");
  }
  ~Detour() {
    if (has_ended_) return;
    try {
      end();
    } catch (const Error&) {  // what was thrown first matters
    }
  }
  Detour(const Detour&) = delete;
  Detour& operator=(const Detour&) = delete;

 private:
  cudaStream_t outer_;
  bool has_ended_ = false;
};

__global__ void choose_body(cudaGraphConditionalHandle choice, const std::int32_t* count, std::int64_t step,
                            std::int64_t n) {
  const std::int64_t body = (*count + step - 1) / step - 1;
  cudaGraphSetConditional(choice, static_cast<unsigned>(body < 0 ? 0 : body < n ? body : n - 1));
}

// A conditional node behind what was recorded so far. One stream runs in one order, so the node follows the kernel that
// chooses, and what comes next follows the node.
void record_switch(const void* count, std::int64_t step, std::int64_t n,
                   const std::function<void(std::int64_t)>& body) {
  const cudaStream_t outer = stream();
  cudaGraphNodeParams node{};
  node.type = cudaGraphNodeTypeConditional;
  node.conditional.type = cudaGraphCondTypeSwitch;
  node.conditional.size = static_cast<unsigned>(n);
  check(cudaGraphConditionalHandleCreate(&node.conditional.handle, CaptureState(outer).graph, 0, 0),
        "cudaGraphConditionalHandleCreate");
  choose_body<<<1, 1, 0, outer>>>(node.conditional.handle, static_cast<const std::int32_t*>(count), step, n);
  check_launch("choose_body");
  const CaptureState now(outer);
  cudaGraphNode_t added = nullptr;
  check(cudaGraphAddNode(&added, now.graph, now.last, now.edges, now.count, &node), "cudaGraphAddNode");
  check(cudaStreamUpdateCaptureDependencies(outer, &added, nullptr, 1, cudaStreamSetCaptureDependencies),
        "cudaStreamUpdateCaptureDependencies");
  for (std::int64_t i = n - 1; i >= 0; --i) {  // the largest first: the others fit into its memory
    Detour detour(node.conditional.phGraph_out[i]);
    body(i);
    detour.end();
  }
}

void destroy_graph(void* graph) noexcept { delete static_cast<Graph*>(graph); }

__global__ void probe() {}

}  // namespace

const Backend kBackend = {.allocate = allocate,
                          .deallocate = deallocate,
                          .copy_in = copy_in,
                          .copy_out = copy_out,
                          .copy_out_later = copy_out_later,
                          .synchronize = synchronize,
                          .use_queue = use_queue,
                          .begin_beside = begin_beside,
                          .end_beside = end_beside,
                          .begin_capture = begin_capture,
                          .end_capture = end_capture,
                          .is_capturing = [] { return runtime().is_capturing; },
                          .replay = replay,
                          .destroy_graph = destroy_graph,
                          .record_switch = record_switch,
                          .has_counted_products = has_counted_products,
                          .free_memory = free_memory,
                          .describe = describe,
                          .host_calls = [] { return runtime().calls; }};

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

bool is_beside() { return runtime().beside != nullptr && runtime().stream == runtime().beside; }

int multiprocessors() {
  static const int count = [] {
    int n = 0;
    check(cudaDeviceGetAttribute(&n, cudaDevAttrMultiProcessorCount, 0), "cudaDeviceGetAttribute");
    return n;
  }();
  return count;
}

cudaStream_t exchange_stream(cudaStream_t next) { return std::exchange(runtime().stream, next); }

const Queue& queue() { return runtime().queue; }

HostCalls& host_calls() { return runtime().calls; }

void check(cudaError_t status, const char* call) {
  if (status != cudaSuccess) throw Error(concat("cuda: ", call, ": ", cudaGetErrorString(status)));
}

unsigned* device_errors() { return runtime().errors; }

}  // namespace tk::cuda
