#include "data/images.h"
#include "tensor/error.h"
#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tk;
  try {
    const Images images = idx_images(fuzz::text_of(data, size), "images");
    fuzz::require(images.count() > 0 && images.height > 0 && images.width > 0, "there is an image, and it has pixels");
    fuzz::require(images.pixels.size() + 16 == size, "the pixels are those of the file");
  } catch (const Error& error) {
    fuzz::require(std::string_view(error.what()).starts_with("images: "), "errors begin with the file");
  }
  return 0;
}
