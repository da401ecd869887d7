#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tk {

/// Grey images of one size.
struct Images {
  std::int64_t height = 0, width = 0;
  std::vector<std::uint8_t> pixels;  ///< [count, height, width]; 0 is black

  std::int64_t size() const { return height * width; }
  std::int64_t count() const { return size() == 0 ? 0 : static_cast<std::int64_t>(pixels.size()) / size(); }
};

/// The images of an IDX file, the format of MNIST: big-endian 32-bit numbers 0x00000803, count, height and width, then
/// a byte a pixel. Throws, with `source` in front, for anything else, for sizes of 0 and for bytes that are not as many
/// as the sizes say.
Images idx_images(std::string_view bytes, const std::string& source);

/// Generated images, `side` (at least 8) pixels high and wide: a filled disc, square, ring or cross of random place,
/// size and brightness on black, and now and then two. The same arguments give the same images everywhere.
Images toy_shapes(std::uint64_t seed, std::int64_t count, std::int64_t side);

}  // namespace tk
