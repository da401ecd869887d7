#include <cublasLt.h>

#include <array>
#include <map>
#include <mutex>

#include "tensor/cuda/launch.h"
#include "tensor/kernels.h"

// Products by cuBLASLt. It is column-major and we are row-major, so it computes y^T = op(b)^T op(a)^T: what it sees as
// b's storage is b^T already. Sums are strict: float64 in float64, float32 in float32 without TF32, bfloat16 in
// float32.
namespace tk::cuda {
namespace {

constexpr std::size_t kMostWorkspaceBytes = std::size_t{32} << 20;  // what NVIDIA recommends for Hopper

void check_blas(cublasStatus_t status, const char* call) {
  TK_CHECK(status == CUBLAS_STATUS_SUCCESS, "cuda: ", call, ": ", cublasLtGetStatusString(status));
}

// A matrix, or `batch` of them, as stored: rows `leading` elements apart.
struct Matrix {
  void* data;
  DType dtype;
  std::int64_t rows;
  std::int64_t cols;
  std::int64_t leading;
  std::int64_t batch_stride;

  explicit Matrix(const Tensor& x)
      : data(x.raw_data()),
        dtype(x.dtype()),
        rows(x.shape()[x.rank() - 2]),
        cols(x.shape()[x.rank() - 1]),
        leading(std::max(cols, x.rank() == 2 ? x.strides()[0] : 1)),
        batch_stride(x.rank() == 2 ? 0 : rows * cols) {}

  // The largest power of two up to 16 bytes, the widest access, that divides the address. No more, so that an algorithm
  // does not depend on where the allocator found memory.
  std::uint32_t alignment() const {
    const auto address = reinterpret_cast<std::uintptr_t>(data) | 16;
    return static_cast<std::uint32_t>(address & ~(address - 1));
  }
};

// y = op(a) op(b), plus a bias for each column where one is given.
struct Product {
  Matrix y;
  Matrix a;
  Matrix b;
  bool transpose_a;
  bool transpose_b;
  std::int64_t batch = 1;
  const void* bias = nullptr;

  std::int64_t inner() const { return transpose_a ? a.rows : a.cols; }
  bool empty() const { return batch == 0 || y.rows == 0 || y.cols == 0; }
};

// All that the choice of an algorithm depends on.
using Key = std::array<std::int64_t, 18>;

Key key_of(const Product& p) {
  return {p.y.rows,
          p.y.cols,
          p.inner(),
          p.batch,
          p.y.leading,
          p.a.leading,
          p.b.leading,
          p.y.batch_stride,
          p.a.batch_stride,
          p.b.batch_stride,
          p.transpose_a,
          p.transpose_b,
          p.y.alignment(),
          p.a.alignment(),
          p.b.alignment(),
          p.bias != nullptr,
          static_cast<int>(p.y.dtype) * 16 + static_cast<int>(p.a.dtype),
          is_beside() ? -1 : queue().of};
}

// What cuBLASLt is told about a product, and the algorithm that it chose; without one if it has none.
struct Plan {
  cublasLtMatmulDescOpaque_t operation;
  cublasLtMatrixLayoutOpaque_t y;
  cublasLtMatrixLayoutOpaque_t a;
  cublasLtMatrixLayoutOpaque_t b;
  cublasLtMatmulAlgo_t algorithm;
  std::int64_t workspace;  // bytes
  bool found;
};

// Created on first use and never destroyed, like the stream.
struct Blas {
  cublasLtHandle_t handle = nullptr;
  std::map<Key, Plan> plans;
  std::mutex mutex;  // of plans

  Blas() { check_blas(cublasLtCreate(&handle), "cublasLtCreate"); }
};

Blas& blas() {
  static Blas* const instance = new Blas;
  return *instance;
}

// Multiprocessors that a product should count on. Where n queues share the device each has 1.5 / n of it, but no less
// than a third: fewer and larger tiles waste less, as long as the other queues fill the rest. For skimmed BERT-base at
// 32 x 128 on an H100 that is 7 % with 4 queues and 14 % with 6.
std::int32_t multiprocessors_to_use() {
  const std::int32_t all = multiprocessors();
  return queue().of == 1 ? all : std::max(all / 3, 3 * all / (2 * queue().of));
}

// The same for a product beside the queue: as many as do it in some microseconds, so that what is in the queue finds
// room. Where a step is bound by its kernels' number, that is 1 to 2 % of it.
std::int32_t multiprocessors_beside(const Product& p) {
  constexpr double kOperations = 5e6;  // of one in a microsecond, in bfloat16
  constexpr double kMicroseconds = 7;
  constexpr std::int32_t kLeast = 32;
  const double operations = 2.0 * static_cast<double>(p.y.rows * p.y.cols * p.inner());
  const double wanted = operations / kOperations / kMicroseconds;
  return std::clamp(static_cast<std::int32_t>(std::min(wanted, 1e6)), kLeast, std::max(kLeast, multiprocessors()));
}

cudaDataType_t data_type(DType dtype) {
  if (dtype == DType::kBFloat16) return CUDA_R_16BF;
  return dtype == DType::kFloat32 ? CUDA_R_32F : CUDA_R_64F;
}

template <class T>
void set(cublasLtMatmulDesc_t operation, cublasLtMatmulDescAttributes_t attribute, T value) {
  check_blas(cublasLtMatmulDescSetAttribute(operation, attribute, &value, sizeof(value)),
             "cublasLtMatmulDescSetAttribute");
}

template <class T>
void set(cublasLtMatmulPreference_t preference, cublasLtMatmulPreferenceAttributes_t attribute, T value) {
  check_blas(cublasLtMatmulPreferenceSetAttribute(preference, attribute, &value, sizeof(value)),
             "cublasLtMatmulPreferenceSetAttribute");
}

cublasLtMatrixLayoutOpaque_t layout(const Matrix& m, std::int64_t batch) {
  cublasLtMatrixLayoutOpaque_t layout;
  check_blas(cublasLtMatrixLayoutInit(&layout, data_type(m.dtype), static_cast<std::uint64_t>(m.cols),
                                      static_cast<std::uint64_t>(m.rows), m.leading),
             "cublasLtMatrixLayoutInit");
  if (batch == 1) return layout;
  const auto count = static_cast<std::int32_t>(batch);
  check_blas(cublasLtMatrixLayoutSetAttribute(&layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof(count)),
             "cublasLtMatrixLayoutSetAttribute");
  check_blas(cublasLtMatrixLayoutSetAttribute(&layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &m.batch_stride,
                                              sizeof(m.batch_stride)),
             "cublasLtMatrixLayoutSetAttribute");
  return layout;
}

cublasLtMatmulDescOpaque_t operation_of(const Product& p) {
  const bool wide = p.y.dtype == DType::kFloat64;
  cublasLtMatmulDescOpaque_t operation;
  check_blas(cublasLtMatmulDescInit(&operation, wide ? CUBLAS_COMPUTE_64F : CUBLAS_COMPUTE_32F,
                                    wide ? CUDA_R_64F : CUDA_R_32F),
             "cublasLtMatmulDescInit");
  set(&operation, CUBLASLT_MATMUL_DESC_TRANSA, p.transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N);
  set(&operation, CUBLASLT_MATMUL_DESC_TRANSB, p.transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N);
  if (const std::int32_t n = multiprocessors_beside(p); is_beside() && n < multiprocessors()) {
    set(&operation, CUBLASLT_MATMUL_DESC_SM_COUNT_TARGET, n);
  }
  if (queue().of > 1) set(&operation, CUBLASLT_MATMUL_DESC_SM_COUNT_TARGET, multiprocessors_to_use());
  if (p.bias != nullptr) {
    set(&operation, CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
    set(&operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.bias);
  }
  return operation;
}

Plan make_plan(const Product& p) {
  Plan plan{operation_of(p), layout(p.y, p.batch), layout(p.a, p.batch), layout(p.b, p.batch), {}, 0, false};
  cublasLtMatmulPreferenceOpaque_t preference;
  check_blas(cublasLtMatmulPreferenceInit(&preference), "cublasLtMatmulPreferenceInit");
  set(&preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kMostWorkspaceBytes);
  // A dot product in one sequence, or in parts that a further kernel sums in their order: the same bits in every run.
  set(&preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
      std::uint32_t{CUBLASLT_REDUCTION_SCHEME_NONE | CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE});
  set(&preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, p.b.alignment());
  set(&preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, p.a.alignment());
  set(&preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, p.y.alignment());
  set(&preference, CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, p.y.alignment());
  cublasLtMatmulHeuristicResult_t result{};
  int results = 0;
  const cublasStatus_t status = cublasLtMatmulAlgoGetHeuristic(blas().handle, &plan.operation, &plan.b, &plan.a,
                                                               &plan.y, &plan.y, &preference, 1, &result, &results);
  plan.algorithm = result.algo;
  plan.workspace = static_cast<std::int64_t>(result.workspaceSize);
  plan.found = status == CUBLAS_STATUS_SUCCESS && results == 1 && result.state == CUBLAS_STATUS_SUCCESS;
  return plan;
}

// Chosen once and kept, so that a product has the same bits whenever it is computed.
Plan plan_of(const Product& p) {
  const Key key = key_of(p);
  const std::lock_guard lock(blas().mutex);
  const auto known = blas().plans.find(key);
  return known != blas().plans.end() ? known->second : blas().plans.emplace(key, make_plan(p)).first->second;
}

// y = op(a) op(b) + bias, or y += op(a) op(b). False if cuBLASLt has no algorithm.
bool try_multiply(const Product& p, bool add) {
  Plan plan = plan_of(p);
  if (!plan.found) return false;
  if (p.bias != nullptr) set(&plan.operation, CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.bias);
  constexpr float kScales[] = {0, 1};
  constexpr double kWideScales[] = {0, 1};
  const auto scale = [&](bool one) -> const void* {
    if (p.y.dtype == DType::kFloat64) return &kWideScales[one];
    return &kScales[one];
  };
  ++host_calls().launches;
  const Tensor workspace = empty({plan.workspace}, DType::kBool, Device::kCuda);
  check_blas(cublasLtMatmul(blas().handle, &plan.operation, scale(true), p.b.data, &plan.b, p.a.data, &plan.a,
                            scale(add), p.y.data, &plan.y, p.y.data, &plan.y, &plan.algorithm, workspace.raw_data(),
                            static_cast<std::size_t>(plan.workspace), stream()),
             "cublasLtMatmul");
  return true;
}

void check_dtype(const char* op, DType dtype) {
  TK_CHECK(is_floating(dtype), op, ": expected bfloat16, float32 or float64, got ", dtype);
}

void multiply(const char* op, Tensor& y, const Product& p, bool add) {
  if (p.empty()) return;
  if (p.inner() == 0) {
    if (!add) fill(y, 0);
    return;
  }
  TK_CHECK(try_multiply(p, add), op, ": cuBLASLt has no algorithm for ", p.a.dtype, ' ', p.y.rows, " x ", p.inner(),
           " x ", p.y.cols);
}

}  // namespace

void matmul(Tensor& y, const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b, bool add) {
  check_dtype("matmul", a.dtype());
  multiply("matmul", y, {Matrix(y), Matrix(a), Matrix(b), transpose_a, transpose_b}, add);
}

void batched_matmul(Tensor& y, const Tensor& a, bool transpose_a, const Tensor& b, bool transpose_b) {
  check_dtype("batched_matmul", a.dtype());
  multiply("batched_matmul", y, {Matrix(y), Matrix(a), Matrix(b), transpose_a, transpose_b, y.shape()[0]}, false);
}

// The product adds the bias itself where cuBLASLt can: not in float64, nor from an address that is no multiple of 16.
void linear(Tensor& y, const Tensor& x, const Tensor& w, const Tensor& bias) {
  check_dtype("linear", x.dtype());
  Product p{Matrix(y), Matrix(x), Matrix(w), false, true};
  if (!bias.defined() || p.empty()) return multiply("linear", y, p, false);
  const bool aligned = reinterpret_cast<std::uintptr_t>(bias.raw_data()) % 16 == 0;
  if (y.dtype() != DType::kFloat64 && aligned && p.inner() > 0) {
    p.bias = bias.raw_data();
    if (try_multiply(p, false)) return;
    p.bias = nullptr;
  }
  copy(y, bias.expand(y.shape()));
  multiply("linear", y, p, true);
}

}  // namespace tk::cuda
