#include "tensor/error.h"
#include "tests/fuzz/fuzz.h"
#include "transkimmer/config.h"

namespace {

// What the checkpoint's first predictor looks like, by the first byte of an input; the rest is the config.json.
std::optional<tk::PredictorShape> predictor_of(std::uint8_t choice) {
  if (choice == '2') return tk::PredictorShape{.width = 8, .outputs = 2};
  if (choice == '3') return tk::PredictorShape{.width = 8, .outputs = 3};
  return std::nullopt;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tk;
  if (size == 0) return 0;
  try {
    const Config config = parse_config(fuzz::text_of(data + 1, size - 1), "config.json", predictor_of(data[0]));
    fuzz::require(parameter_count(config) > 0, "a model has weights");
    fuzz::require(config.hidden_size % config.num_attention_heads == 0, "heads divide the width");
    fuzz::require(!summary(config).empty(), "a configuration has a summary");
    const std::string written = to_json(config);
    fuzz::require(to_json(parse_config(written, "written", {})) == written, "what is written is read back the same");
  } catch (const Error& error) {
    fuzz::require(std::string_view(error.what()).starts_with("config.json: "), "an error starts with the source");
  }
  return 0;
}
