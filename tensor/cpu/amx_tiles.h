#pragma once

#include <cstdint>

namespace tk::cpu {

/// What AMX's tile registers are for a product of 32 rows by 32 columns: eight tiles of 16 rows of 64 bytes, sums in 0
/// to 3, rows of the first factor in 4 and 5, columns of the second in 6 and 7. For _tile_loadconfig.
struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

inline constexpr TileConfig kTileConfig;

enum class Halves : std::uint8_t { kOne, kBoth };  ///< of 32 rows, or columns

}  // namespace tk::cpu
