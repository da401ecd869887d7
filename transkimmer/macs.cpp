#include "transkimmer/macs.h"

namespace tk {
namespace {

// Rows of each sentence; none where the structure is empty.
std::vector<double> rows_of(const Packed& packed) {
  std::vector<double> rows;
  if (!packed.offsets.defined()) return rows;
  const std::vector<std::int32_t> offsets = packed.offsets.to_vector<std::int32_t>();
  for (std::size_t s = 0; s + 1 < offsets.size(); ++s) rows.push_back(offsets[s + 1] - offsets[s]);
  return rows;
}

double layer_macs(const MacCoefficients& c, double keys, double updated, double fed, double predicted) {
  return c.row * (keys + updated) + c.pair * updated * keys + c.feed * fed + c.predict * predicted;
}

double batch_macs(const Config& config, const std::vector<LayerRows>& layers, bool full_last_layer) {
  const MacCoefficients c = mac_coefficients(config);
  double total = 0;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const std::vector<double> keys = rows_of(layers[i].keys);
    const bool full = full_last_layer && i + 1 == layers.size();
    const std::vector<double> updated = full ? keys : rows_of(layers[i].updated);
    const std::vector<double> fed = full ? keys : rows_of(layers[i].fed);
    const std::vector<double> predicted = rows_of(layers[i].predicted);
    for (std::size_t s = 0; s < keys.size(); ++s) {
      total += layer_macs(c, keys[s], updated[s], fed[s], predicted.empty() ? 0 : predicted[s] - 1);
    }
  }
  const std::int64_t sentences = layers.empty() ? 0 : layers[0].keys.sentences;
  return total + c.head * static_cast<double>(sentences);
}

}  // namespace

MacCoefficients mac_coefficients(const Config& config) {
  const auto d = static_cast<double>(config.hidden_size);
  const auto w = static_cast<double>(config.skim_width);
  return {.row = 2 * d * d,
          .pair = 2 * d,
          .feed = 2 * d * static_cast<double>(config.intermediate_size),
          .predict = d * w + static_cast<double>(config.predictor_outputs()) * w,
          .head = d * d + d * static_cast<double>(config.num_labels())};
}

double dense_macs(const Config& config, std::int64_t n) {
  const MacCoefficients c = mac_coefficients(config);
  const auto rows = static_cast<double>(n);
  return static_cast<double>(config.num_hidden_layers) * layer_macs(c, rows, rows, rows, 0) + c.head;
}

double dense_macs(const Config& config, const Packed& rows) {
  double total = 0;
  for (const double n : rows_of(rows)) total += dense_macs(config, static_cast<std::int64_t>(n));
  return total;
}

double executed_macs(const Config& config, const std::vector<LayerRows>& layers) {
  return batch_macs(config, layers, false);
}

double counted_macs(const Config& config, const std::vector<LayerRows>& layers) {
  return batch_macs(config, layers, config.skim_gate != SkimGate::kStaged);
}

}  // namespace tk
