#include "data/images.h"

#include <algorithm>
#include <cmath>

#include "tensor/error.h"
#include "tensor/random.h"

namespace tk {
namespace {

constexpr std::size_t kHeader = 16;
constexpr std::uint32_t kBytesOfRank3 = 0x00000803;

std::uint32_t big_endian(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

enum class Form : std::uint8_t { kDisc, kSquare, kRing, kCross };

// Whether a form of radius 1 covers the place (x, y).
bool covers(Form form, float x, float y) {
  const float distance = std::sqrt(x * x + y * y), most = std::max(std::fabs(x), std::fabs(y));
  switch (form) {
    case Form::kDisc:
      return distance < 1;
    case Form::kSquare:
      return most < 0.85f;
    case Form::kRing:
      return distance < 1 && distance > 0.6f;
    case Form::kCross:
      return most < 1 && std::min(std::fabs(x), std::fabs(y)) < 0.3f;
  }
  return false;
}

void draw(std::uint8_t* image, std::int64_t side, Generator& random) {
  const Form form{static_cast<std::uint8_t>(random.below(4))};
  const auto size = static_cast<float>(side);
  const float radius = size * (0.15f + 0.2f * random.uniform());
  const float x = radius + (size - 2 * radius) * random.uniform(), y = radius + (size - 2 * radius) * random.uniform();
  const auto brightness = static_cast<std::uint8_t>(128 + random.below(128));
  for (std::int64_t i = 0; i < side * side; ++i) {
    const float column = static_cast<float>(i % side) + 0.5f, row = static_cast<float>(i / side) + 0.5f;
    if (covers(form, (column - x) / radius, (row - y) / radius)) image[i] = brightness;
  }
}

}  // namespace

Images idx_images(std::string_view bytes, const std::string& source) {
  TK_CHECK(bytes.size() >= kHeader, source, ": expected an IDX file of images, got ", bytes.size(), " bytes");
  TK_CHECK(big_endian(bytes, 0) == kBytesOfRank3, source, ": expected 0x00000803, an IDX file's images, got ",
           big_endian(bytes, 0));
  const std::uint64_t count = big_endian(bytes, 4), height = big_endian(bytes, 8), width = big_endian(bytes, 12);
  TK_CHECK(count > 0 && height > 0 && width > 0, source, ": ", count, " images of ", height, " x ", width, " pixels");
  const std::uint64_t there = bytes.size() - kHeader;
  // Two sizes of 32 bits multiply within 64; with the third they may not.
  TK_CHECK(height * width <= there && count == there / (height * width) && there % (height * width) == 0, source,
           ": expected ", count, " images of ", height, " x ", width, " pixels, got ", there, " bytes of pixels");
  const auto* const pixels = reinterpret_cast<const std::uint8_t*>(bytes.data()) + kHeader;
  return {.height = static_cast<std::int64_t>(height),
          .width = static_cast<std::int64_t>(width),
          .pixels = {pixels, pixels + there}};
}

Images toy_shapes(std::uint64_t seed, std::int64_t count, std::int64_t side) {
  TK_CHECK(count >= 1 && side >= 8, "toy_shapes: expected at least one image of at least 8 pixels a side, got ", count,
           " of ", side);
  Images images{.height = side, .width = side, .pixels = {}};
  images.pixels.resize(static_cast<std::size_t>(count * side * side));
  Generator random(seed, Purpose::kData);
  for (std::int64_t i = 0; i < count; ++i) {
    std::uint8_t* const image = images.pixels.data() + i * side * side;
    draw(image, side, random);
    if (random.below(4) == 0) draw(image, side, random);
  }
  return images;
}

}  // namespace tk
