#include "tensor/cpu/blas.h"

#include <cblas.h>
#include <omp.h>

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/cpu/gemm.h"
#include "tensor/error.h"
#include "tensor/host_memory.h"

// OpenBLAS' own: a buffer that nobody uses, mapped if there is none. Once mapped it stays. Weak, since not every build
// of the library exports them; then it asks for buffers when it needs them.
extern "C" {
[[gnu::weak]] void* blas_memory_alloc(int purpose);
[[gnu::weak]] void blas_memory_free(void* buffer);
}

namespace tk::cpu {
namespace {

constexpr std::int64_t kMiB = std::int64_t{1} << 20;
constexpr std::int64_t kBufferBytes = 128 * kMiB;  // OpenBLAS' BUFFER_SIZE on x86-64
constexpr std::int64_t kSpareBytes = 2 * kMiB;  // for what other threads allocate between the question and the answer

// OpenBLAS threads a product by itself wherever omp_in_parallel() says no. A region that got one thread is no exception
// (OMP_THREAD_LIMIT, OMP_MAX_ACTIVE_LEVELS, OMP_DYNAMIC, a nested one): there it would wait for ever for threads that
// OpenMP does not give, and with them its bits would follow their number. It does not where OpenMP's number is 1.
class OneThread {
 public:
  OneThread() : before_(omp_in_parallel() ? 1 : omp_get_max_threads()) {
    if (before_ > 1) omp_set_num_threads(1);
  }
  ~OneThread() {
    if (before_ > 1) omp_set_num_threads(before_);
  }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int before_;
};

CBLAS_TRANSPOSE stored(bool transposed) { return transposed ? CblasTrans : CblasNoTrans; }

// BLAS wants a leading stride of at least 1, also of an empty matrix.
int leading(std::int64_t stride) { return static_cast<int>(std::max<std::int64_t>(1, stride)); }

// Buffers of all threads of the process: those that products may be using, and those that are mapped. The mutex is held
// while more are mapped.
std::mutex mutex;
int in_use = 0;
int mapped = 0;

void check_room_for_buffer(int threads) {
  TK_CHECK(can_map(kBufferBytes + kSpareBytes), "out of memory: a matrix product by BLAS takes ", kBufferBytes / kMiB,
           " MiB of address space for each of ", threads, " threads, and the process may take ",
           free_host_memory() / kMiB, " MiB more; raise its limits (ulimit -v, -d) or use fewer threads");
}

// Has so many buffers mapped: as many are held at once. Of those that are mapped, others may be using in_use.
void map_buffers(int count) {
  struct Held : std::vector<void*> {
    ~Held() {
      for (void* buffer : *this) blas_memory_free(buffer);
    }
  } held;
  held.reserve(static_cast<std::size_t>(count));
  while (std::ssize(held) < count) {
    if (std::ssize(held) >= mapped - in_use) check_room_for_buffer(count);
    held.push_back(blas_memory_alloc(0));
  }
}

}  // namespace

void blas(const Product<float>& p) {
  const OneThread one;
  cblas_sgemm(CblasRowMajor, stored(p.transpose_a), stored(p.transpose_b), static_cast<int>(p.m), static_cast<int>(p.n),
              static_cast<int>(p.k), p.alpha, p.a, leading(p.lda), p.b, leading(p.ldb), p.add ? 1.0f : 0.0f, p.y,
              leading(p.ldy));
}

void blas(const Product<double>& p) {
  const OneThread one;
  cblas_dgemm(CblasRowMajor, stored(p.transpose_a), stored(p.transpose_b), static_cast<int>(p.m), static_cast<int>(p.n),
              static_cast<int>(p.k), p.alpha, p.a, leading(p.lda), p.b, leading(p.ldb), p.add ? 1.0 : 0.0, p.y,
              leading(p.ldy));
}

int most_blas_threads() {
  static const int most = [] {
    constexpr std::string_view kKey = "MAX_THREADS=";
    const std::string config = openblas_get_config();
    const std::size_t at = config.find(kKey);
    const int built_for = at == std::string::npos ? 0 : std::atoi(config.c_str() + at + kKey.size());
    return built_for > 0 ? built_for : std::numeric_limits<int>::max();
  }();
  return most;
}

BlasBuffers::BlasBuffers(int threads) : threads_(threads) {
  const std::lock_guard lock(mutex);
  const int wanted = std::min(in_use + threads, most_blas_threads());  // of more it has no good account
  if (wanted > mapped && blas_memory_alloc != nullptr && blas_memory_free != nullptr) {
    map_buffers(wanted);
    mapped = wanted;
  }
  in_use += threads;
}

BlasBuffers::~BlasBuffers() {
  const std::lock_guard lock(mutex);
  in_use -= threads_;
}

}  // namespace tk::cpu
