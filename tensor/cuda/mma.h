#pragma once

#include <cstdint>

// The matrix units by warp-wide instructions (mma.sync m16n8k16, bfloat16 into float32; compute 8.0 and later) and what
// feeds them. Lane l, with g = l / 4 and t = l % 4, holds of
//   A [16, 16]: a0 (g, 2t), a1 (g + 8, 2t), a2 (g, 2t + 8), a3 (g + 8, 2t + 8), each with the next column,
//   B [16, 8]:  b0 (2t, g), b1 (2t + 8, g), each with the next row,
//   C [16, 8]:  c0 (g, 2t), c1 (g, 2t + 1), c2 (g + 8, 2t), c3 (g + 8, 2t + 1);
// of two bfloat16 in one word the lower half comes first.
namespace tk::cuda {

/// c += a b.
__device__ inline void mma(float (&c)[4], const std::uint32_t (&a)[4], std::uint32_t b0, std::uint32_t b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, "
      "{%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/// Four 8 x 8 matrices from shared memory: lanes 8 i to 8 i + 7 name the rows of matrix i (16 bytes each). Word i of a
/// lane is matrix i's (g, 2t) and the next column.
__device__ inline void load_matrices(std::uint32_t (&x)[4], const void* row) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])
               : "r"(address)
               : "memory");
}

/// The same, each matrix transposed: (2t, g) and the next row.
__device__ inline void load_transposed_matrices(std::uint32_t (&x)[4], const void* row) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(row));
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(x[0]), "=r"(x[1]), "=r"(x[2]), "=r"(x[3])
               : "r"(address)
               : "memory");
}

/// Two numbers rounded to bfloat16, to nearest, ties to even.
__device__ inline std::uint32_t pack_bfloat16(float low, float high) {
  std::uint32_t y;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
  return y;
}

/// Starts to copy 16 bytes into shared memory, or zeros if there is nothing to copy.
__device__ inline void copy_async(void* shared, const void* global, bool there) {
  const auto address = static_cast<std::uint32_t>(__cvta_generic_to_shared(shared));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(global), "r"(there ? 16 : 0)
               : "memory");
}

/// Waits for the thread's own copies; a barrier makes the others' visible.
__device__ inline void wait_for_copies() { asm volatile("cp.async.wait_all;" ::: "memory"); }

}  // namespace tk::cuda
