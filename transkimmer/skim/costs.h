#pragma once

#include <cstdint>
#include <vector>

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

/// The coefficients of a sentence's cost: of a layer with R rows as keys, U updated, F fed forward and P before a
/// predictor, row (R + U) + pair U R + feed F + predict (P - unasked); of a head that a sentence of n rows passes,
/// head_sentence + head_row n.
struct MacCoefficients {
  double row;            ///< 2 d^2: keys and values of a key row, query and output projection of an updated one
  double pair;           ///< 2 d: score and sum of a query and a key
  double heads_pair;     ///< 2 H d: the same where no keys and values are made
  double feed;           ///< 2 d f
  double predict;        ///< d w + outputs w
  double unasked;        ///< rows of a sentence that no predictor is asked for: 1, its first; 0 where [CLS] is free
  double head_sentence;  ///< d^2 + d C, pooler and classifier, of a head that reads first rows alone; else 0
  double head_row;       ///< d C of a head that reads all rows; else 0
};
MacCoefficients mac_coefficients(const Config& config);

// The formula, for numbers and for Variables of them.

template <class Rows>
Rows layer_macs(const MacCoefficients& c, const Rows& keys, const Rows& updated, const Rows& fed) {
  return (keys + updated) * c.row + (updated * keys) * c.pair + fed * c.feed;
}
/// Of such a layer's attention, projections and all, where no keys and values are made.
template <class Rows>
Rows unprojected_macs(const MacCoefficients& c, const Rows& keys, const Rows& updated) {
  return updated * (2 * c.row) + (updated * keys) * c.heads_pair;
}
/// Of rows that enter a predictor.
template <class Rows>
Rows predictor_macs(const MacCoefficients& c, const Rows& entering) {
  return (entering - c.unasked) * c.predict;
}
/// Of a layer in which R = U = F: layer_macs(c, n, n, n) with one product a coefficient.
template <class Rows>
Rows full_layer_macs(const MacCoefficients& c, const Rows& n) {
  return n * (2 * c.row + c.feed) + (n * n) * c.pair;
}

/// Of the head, for sentences that have so many rows in all.
inline double head_macs(const MacCoefficients& c, double sentences, double rows) {
  return sentences * c.head_sentence + rows * c.head_row;
}

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
