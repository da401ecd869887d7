#pragma once

#include <cstdint>
#include <vector>

#include "tensor/mac_coefficients.h"
#include "tensor/packed.h"
#include "transkimmer/config.h"

// Multiply-accumulates of a model, counted as in transkimmer's convention 2: products with weights and attention,
// against a dense model that computes every row of every layer.
namespace tk {

/// How a layer's rows attend: the same numbers, to rounding.
enum class Attending : std::uint8_t {
  kProjected,    ///< queries, keys and values are products
  kUnprojected,  ///< no keys and values are made: queries ask the rows (tensor/ops/unprojected_attention.h)
  kFromTables    ///< all three were gathered (transkimmer/embedding_tables.h)
};

MacCoefficients mac_coefficients(const Config& config);

/// How many rows each sentence has in the sets of one layer.
struct LayerRows {
  std::vector<double> keys;
  std::vector<double> updated;
  std::vector<double> fed;
  std::vector<double> predicted;  ///< those before its predictor, or empty
  Attending attending = Attending::kProjected;
};

/// Rows of each sentence; brings the offsets to the host.
std::vector<double> count_rows(const Tensor& offsets);

/// MACs of a dense model that computes every row of every layer, for one sentence of n tokens.
double dense_macs(const Config& config, std::int64_t n);
double dense_macs(const Config& config, const Packed& rows);

/// MACs that a forward pass executed for the batch `rows`, from the rows of each layer.
double executed_macs(const Config& config, const std::vector<LayerRows>& layers, const Packed& rows);

/// The same in convention 2. They differ for the published gate and the dense model alone, whose last layer counts as
/// if it computed all its rows, and for layers that attend in another way than kProjected, which do not count.
double counted_macs(const Config& config, const std::vector<LayerRows>& layers, const Packed& rows);

/// Whether a layer is faster without keys and values, by the rows of each sentence that are read and that ask: offsets
/// on the CPU.
bool unprojected_pays(const Config& config, const Tensor& keys, const Tensor& asking);

}  // namespace tk
