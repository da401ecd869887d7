#pragma once

#include <bit>

#include "tensor/cuda/launch.h"

// Adjacent elements of memory as one value, moved in accesses of 16 bytes where addresses allow.
namespace tk::cuda {

/// Elements that a thread takes at once: 16 bytes or more, and a multiple of the four numbers of a Philox block.
template <class T>
inline constexpr int kUnit = sizeof(T) < 4 ? 8 : 4;

/// Whether rows of `cols` elements can be moved in units of `unit`, each at a multiple of 16 bytes; tensors not given
/// do not count.
template <class... Tensors>
bool wide_rows(std::int64_t cols, int unit, const Tensors&... tensors) {
  const auto aligned = [](const Tensor& x) {
    return !x.defined() || reinterpret_cast<std::uintptr_t>(x.raw_data()) % 16 == 0;
  };
  return cols % unit == 0 && (aligned(tensors) && ...);
}

/// N elements of T as they lie in memory; pack[k] is element k as the device computes with it.
template <class T, int N>
struct Pack {
  static_assert(N * sizeof(T) % 16 == 0);
  static constexpr int kQuads = N * sizeof(T) / 16;  // accesses of 16 bytes
  std::uint32_t words[4 * kQuads];

  Pack() = default;
  /// Rounds to T; BFloat16 to nearest, ties to even.
  __device__ explicit Pack(const compute_t<T> (&x)[N]) {
    if constexpr (sizeof(T) == 2) {
      for (int k = 0; k < N; k += 2) {
        asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(words[k / 2]) : "f"(x[k + 1]), "f"(x[k]));
      }
    } else {
      for (int k = 0; k < N; ++k) set(k, x[k]);
    }
  }

  /// To shared memory, a multiple of 16 bytes.
  __device__ void put(T* shared) const {
#pragma unroll
    for (int q = 0; q < kQuads; ++q) {
      reinterpret_cast<uint4*>(shared)[q] =
          make_uint4(words[4 * q], words[4 * q + 1], words[4 * q + 2], words[4 * q + 3]);
    }
  }

  __device__ compute_t<T> operator[](int k) const {
    if constexpr (sizeof(T) == 2) {
      return std::bit_cast<float>(k % 2 == 0 ? words[k / 2] << 16 : words[k / 2] & 0xffff0000u);
    } else if constexpr (sizeof(T) == 4) {
      return std::bit_cast<float>(words[k]);
    } else {
      return std::bit_cast<double>(std::uint64_t{words[2 * k + 1]} << 32 | words[2 * k]);
    }
  }

  /// Element k, as it lies in memory; into words that are zero there.
  __device__ void set(int k, T x) {
    if constexpr (sizeof(T) == 2) {
      words[k / 2] |= std::uint32_t{x.bits} << (k % 2 * 16);
    } else if constexpr (sizeof(T) == 4) {
      words[k] = std::bit_cast<std::uint32_t>(x);
    } else {
      words[2 * k] = static_cast<std::uint32_t>(std::bit_cast<std::uint64_t>(x));
      words[2 * k + 1] = static_cast<std::uint32_t>(std::bit_cast<std::uint64_t>(x) >> 32);
    }
  }

  /// Element k, as it lies in memory.
  __device__ T raw(int k) const {
    if constexpr (sizeof(T) == 2) {
      T x;
      x.bits = static_cast<std::uint16_t>(words[k / 2] >> (k % 2 * 16));
      return x;
    } else {
      return (*this)[k];
    }
  }
};

/// The N elements from `from` on, `stride` apart, of which `count` exist; zeros behind them.
template <int N, class T>
__device__ Pack<T, N> gather(const T* from, std::int64_t stride, std::int64_t count) {
  Pack<T, N> pack{};
#pragma unroll
  for (int k = 0; k < N; ++k) {
    if (k < count) pack.set(k, from[k * stride]);
  }
  return pack;
}

/// The same, adjacent. `wide` says that `from` is a multiple of 16 bytes (see wide_rows).
template <int N, class T>
__device__ Pack<T, N> load(const T* from, std::int64_t count, bool wide) {
  if (!wide || count < N) return gather<N>(from, 1, count);
  Pack<T, N> pack;
#pragma unroll
  for (int q = 0; q < pack.kQuads; ++q) {
    const uint4 quad = reinterpret_cast<const uint4*>(from)[q];
    pack.words[4 * q] = quad.x;
    pack.words[4 * q + 1] = quad.y;
    pack.words[4 * q + 2] = quad.z;
    pack.words[4 * q + 3] = quad.w;
  }
  return pack;
}

/// Writes the first `count` elements to global memory.
template <class T, int N>
__device__ void store(T* to, const Pack<T, N>& pack, std::int64_t count, bool wide) {
  if (wide && count >= N) {
#pragma unroll
    for (int q = 0; q < pack.kQuads; ++q) {
      // An ordinary store, but one that the compiler does not split to merge its parts with the branch below.
      __stwb(reinterpret_cast<uint4*>(to) + q,
             make_uint4(pack.words[4 * q], pack.words[4 * q + 1], pack.words[4 * q + 2], pack.words[4 * q + 3]));
    }
  } else {
#pragma unroll
    for (int k = 0; k < N; ++k) {
      if (k < count) to[k] = pack.raw(k);
    }
  }
}

template <class T, int N>
__device__ void store(T* to, const compute_t<T> (&x)[N], std::int64_t count, bool wide) {
  store(to, Pack<T, N>(x), count, wide);
}

}  // namespace tk::cuda
