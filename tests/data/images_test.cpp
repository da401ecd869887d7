#include "data/images.h"

#include <set>

#include "tensor/error.h"
#include "tests/support/catch.h"

namespace tk {
namespace {

// An IDX file's header and bytes.
std::string idx(std::uint32_t magic, std::uint32_t count, std::uint32_t height, std::uint32_t width,
                std::size_t pixels) {
  std::string bytes;
  for (const std::uint32_t word : {magic, count, height, width}) {
    for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(word >> shift);
  }
  for (std::size_t i = 0; i < pixels; ++i) bytes += static_cast<char>(i);
  return bytes;
}

TEST_CASE("idx_images: sizes and pixels of a file") {
  const Images images = idx_images(idx(0x803, 2, 3, 2, 12), "a");
  CHECK(images.count() == 2);
  CHECK(images.height == 3);
  CHECK(images.width == 2);
  CHECK(images.pixels[11] == 11);
}

TEST_CASE("idx_images: what is none, or has other sizes than it says, is said before anything is read") {
  CHECK_THROWS_WITH(idx_images("short", "a"), ContainsSubstring("a: expected an IDX file of images, got 5 bytes"));
  CHECK_THROWS_WITH(idx_images(idx(0x801, 2, 3, 2, 12), "a"), ContainsSubstring("a: expected 0x00000803"));
  CHECK_THROWS_WITH(idx_images(idx(0x803, 2, 0, 2, 0), "a"), ContainsSubstring("a: 2 images of 0 x 2 pixels"));
  for (const std::size_t pixels : {0, 11, 13, 18}) {
    CHECK_THROWS_WITH(idx_images(idx(0x803, 2, 3, 2, pixels), "a"),
                      ContainsSubstring("a: expected 2 images of 3 x 2 pixels, got " + std::to_string(pixels)));
  }
  // A product of the three sizes would be 2^96, and 0 in 64 bits.
  CHECK_THROWS_AS(idx_images(idx(0x803, 0x80000000u, 0x80000000u, 4, 0), "a"), Error);
}

TEST_CASE("toy_shapes: images of a seed are the same, each has something on it, and hardly two are alike") {
  const Images images = toy_shapes(1, 500, 16);
  CHECK(images.count() == 500);
  CHECK(images.pixels == toy_shapes(1, 500, 16).pixels);
  CHECK(images.pixels != toy_shapes(2, 500, 16).pixels);
  std::set<std::vector<std::uint8_t>> different;
  for (std::int64_t i = 0; i < images.count(); ++i) {
    const auto* const image = images.pixels.data() + i * images.size();
    std::int64_t lit = 0;
    for (std::int64_t p = 0; p < images.size(); ++p) lit += image[p] > 0;
    CHECK(lit >= 4);
    CHECK(lit <= images.size() * 3 / 4);
    different.insert({image, image + images.size()});
  }
  CHECK(different.size() > 480);
}

}  // namespace
}  // namespace tk
