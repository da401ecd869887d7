#include "transkimmer/skim/costs.h"

#include <numeric>

namespace tk {
namespace {

double batch_macs(const Config& config, const std::vector<LayerRows>& layers, const Packed& rows,
                  bool full_last_layer) {
  const MacCoefficients c = mac_coefficients(config);
  double total = 0;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const LayerRows& layer = layers[i];
    const bool full = full_last_layer && i + 1 == layers.size();
    for (std::size_t s = 0; s < layer.keys.size(); ++s) {
      const double keys = layer.keys[s];
      total += full ? layer_macs(c, keys, keys, keys) : layer_macs(c, keys, layer.updated[s], layer.fed[s]);
      if (!layer.predicted.empty()) total += predictor_macs(c, layer.predicted[s]);
    }
  }
  const std::vector<double> all = count_rows(rows.offsets);
  return total + head_macs(c, static_cast<double>(all.size()), std::accumulate(all.begin(), all.end(), 0.0));
}

}  // namespace

MacCoefficients mac_coefficients(const Config& config) {
  const auto d = static_cast<double>(config.hidden_size);
  const auto w = static_cast<double>(config.skim_width);
  const double classifier = d * static_cast<double>(config.num_labels());
  const bool for_tokens = config.head() == HeadKind::kToken;
  return {.row = 2 * d * d,
          .pair = 2 * d,
          .feed = 2 * d * static_cast<double>(config.intermediate_size),
          .predict = d * w + static_cast<double>(traits(config.skim_gate).outputs) * w,
          .unasked = config.skim_cls == SkimCls::kFree ? 0.0 : 1.0,
          .head_sentence = for_tokens ? 0 : d * d + classifier,
          .head_row = for_tokens ? classifier : 0};
}

std::vector<double> count_rows(const Tensor& offsets) {
  std::vector<double> rows;
  const std::vector<std::int32_t> bounds = offsets.to_vector<std::int32_t>();
  for (std::size_t s = 0; s + 1 < bounds.size(); ++s) rows.push_back(bounds[s + 1] - bounds[s]);
  return rows;
}

double dense_macs(const Config& config, std::int64_t n) {
  const MacCoefficients c = mac_coefficients(config);
  const auto rows = static_cast<double>(n);
  return static_cast<double>(config.num_hidden_layers) * full_layer_macs(c, rows) + head_macs(c, 1, rows);
}

double dense_macs(const Config& config, const Packed& rows) {
  double total = 0;
  for (const double n : count_rows(rows.offsets)) total += dense_macs(config, static_cast<std::int64_t>(n));
  return total;
}

double executed_macs(const Config& config, const std::vector<LayerRows>& layers, const Packed& rows) {
  return batch_macs(config, layers, rows, false);
}

double counted_macs(const Config& config, const std::vector<LayerRows>& layers, const Packed& rows) {
  return batch_macs(config, layers, rows, traits(config.skim_gate).counts_full_last_layer);
}

}  // namespace tk
