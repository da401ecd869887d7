#pragma once

#include <cuda.h>

#include <cstdint>

// Instructions of compute 9.0 alone: barriers in shared memory, the engine that copies tiles of a matrix there (TMA),
// and products of warpgroups (4 warps, wgmma). A file that includes this is compiled for sm_90a.
namespace tk::cuda {

__device__ inline std::uint32_t shared_address(const void* p) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(p));
}

/// A barrier that completes a phase when `arrivals` have come and all bytes that were announced are there. Phases are
/// counted by parity; wait(1) on a new one returns at once.
struct PhaseBarrier {
  std::uint64_t state;

  __device__ void init(int arrivals) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(&state)), "r"(arrivals) : "memory");
  }
  __device__ void arrive() {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(&state)) : "memory");
  }
  __device__ void arrive_and_expect(int bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(&state)), "r"(bytes)
                 : "memory");
  }
  __device__ void wait(std::uint32_t parity) {
    std::uint32_t done = 0;
    while (done == 0) {
      asm volatile(
          "{\n"
          ".reg .pred p;\n"
          "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
          "selp.u32 %0, 1, 0, p;\n"
          "}"
          : "=r"(done)
          : "r"(shared_address(&state)), "r"(parity)
          : "memory");
    }
  }
};

/// New barriers are there for the copy engine too; a barrier of the block makes them so for its threads.
__device__ inline void publish_barriers() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }

/// Starts to copy the map's box whose first element is (row, column); its bytes arrive at `barrier`.
__device__ inline void copy_box(void* shared, const CUtensorMap& map, int row, int column, PhaseBarrier& barrier) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];" ::
          "r"(shared_address(shared)),
      "l"(&map), "r"(shared_address(&barrier.state)), "r"(column), "r"(row)
      : "memory");
}

/// The same of a map whose rows are (group, j, t, k), the box being whole groups.
__device__ inline void copy_grouped_box(void* shared, const CUtensorMap& map, int group, int column,
                                        PhaseBarrier& barrier) {
  asm volatile(
      "cp.async.bulk.tensor.5d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%3, %5, %5, %5, %4}], [%2];" ::"r"(shared_address(shared)),
      "l"(&map), "r"(shared_address(&barrier.state)), "r"(column), "r"(group), "r"(0)
      : "memory");
}

/// So that the first copy need not wait for the map.
__device__ inline void prefetch(const CUtensorMap& map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
}

/// Registers of a thread from here on, where all warps of a group call it: what some groups give others take.
template <int kRegisters>
__device__ void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
template <int kRegisters>
__device__ void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

/// How a product finds rows of 64 bfloat16 in shared memory that copy_box put there with a swizzle of 128 bytes: each 8
/// rows are 1024 bytes. A step of 16 columns adds 2.
__device__ inline std::uint64_t matrix_descriptor(const void* shared) {
  constexpr std::uint64_t kSwizzle128 = std::uint64_t{1} << 62;
  constexpr std::uint64_t kEightRows = std::uint64_t{1024 >> 4} << 32;
  constexpr std::uint64_t kUnused = std::uint64_t{1} << 16;
  return kSwizzle128 | kEightRows | kUnused | ((shared_address(shared) & 0x3ffffu) >> 4);
}

/// Before the first of some products, and after their registers were touched.
__device__ inline void begin_products() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ inline void commit_products() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
/// Until at most `kPending` of the groups that were committed are not done.
template <int kPending>
__device__ void wait_for_products() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
}
/// What follows reads the sums after the wait before this.
template <int N>
__device__ void hold(float (&c)[N]) {
#pragma unroll
  for (int i = 0; i < N; ++i) asm volatile("" : "+f"(c[i])::"memory");
}

#define TK_EIGHT(c, i)                                                                                        \
  "+f"(c[i]), "+f"(c[i + 1]), "+f"(c[i + 2]), "+f"(c[i + 3]), "+f"(c[i + 4]), "+f"(c[i + 5]), "+f"(c[i + 6]), \
      "+f"(c[i + 7])

/// c = a b^T, or c += a b^T if it adds: 64 rows of a, 128 or 192 rows of b, 16 columns of both. With g = lane / 4 and
/// t = lane % 4 of warp w of the group, c[4 j + 2 i + k] is row 16 w + g + 8 i and column 8 j + 2 t + k.
__device__ inline void multiply(float (&c)[64], std::uint64_t a, std::uint64_t b, bool adds) {
  asm volatile(
      "{\n"
      ".reg .pred p;\n"
      "setp.ne.b32 p, %66, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16 "
      "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, "
      "%21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, "
      "%40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, "
      "%59, %60, %61, %62, %63}, "
      "%64, %65, p, 1, 1, 0, 0;\n"
      "}"
      : TK_EIGHT(c, 0), TK_EIGHT(c, 8), TK_EIGHT(c, 16), TK_EIGHT(c, 24), TK_EIGHT(c, 32), TK_EIGHT(c, 40),
        TK_EIGHT(c, 48), TK_EIGHT(c, 56)
      : "l"(a), "l"(b), "r"(static_cast<int>(adds))
      : "memory");
}
__device__ inline void multiply(float (&c)[96], std::uint64_t a, std::uint64_t b, bool adds) {
  asm volatile(
      "{\n"
      ".reg .pred p;\n"
      "setp.ne.b32 p, %98, 0;\n"
      "wgmma.mma_async.sync.aligned.m64n192k16.f32.bf16.bf16 "
      "{%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, "
      "%21, %22, %23, %24, %25, %26, %27, %28, %29, %30, %31, %32, %33, %34, %35, %36, %37, %38, %39, "
      "%40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, %58, "
      "%59, %60, %61, %62, %63, %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, "
      "%78, %79, %80, %81, %82, %83, %84, %85, %86, %87, %88, %89, %90, %91, %92, %93, %94, %95}, "
      "%96, %97, p, 1, 1, 0, 0;\n"
      "}"
      : TK_EIGHT(c, 0), TK_EIGHT(c, 8), TK_EIGHT(c, 16), TK_EIGHT(c, 24), TK_EIGHT(c, 32), TK_EIGHT(c, 40),
        TK_EIGHT(c, 48), TK_EIGHT(c, 56), TK_EIGHT(c, 64), TK_EIGHT(c, 72), TK_EIGHT(c, 80), TK_EIGHT(c, 88)
      : "l"(a), "l"(b), "r"(static_cast<int>(adds))
      : "memory");
}

#undef TK_EIGHT

}  // namespace tk::cuda
