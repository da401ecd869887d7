#pragma once

#include <cstdint>
#include <vector>

#include "tensor/packed.h"
#include "transkimmer/config.h"

// Multiply-accumulates of a classifier, counted as in transkimmer's convention 2: products with weights and attention,
// against a dense BERT that computes every row of every layer.
namespace tk {

/// The coefficients of a layer's cost with R rows as keys, U updated, F fed forward, P rows before a predictor:
/// row (R + U) + pair U R + feed F + predict P.
struct MacCoefficients {
  double row;      ///< 2 d^2: keys and values of a key row, query and output projection of an updated one
  double pair;     ///< 2 d: score and sum of a query and a key
  double feed;     ///< 2 d f
  double predict;  ///< d w + outputs w
  double head;     ///< pooler and classifier of a sentence: d^2 + d C
};
MacCoefficients mac_coefficients(const Config& config);

/// The rows that one layer worked on; offsets count them.
struct LayerRows {
  Packed keys;
  Packed updated;
  Packed fed;
  /// Those before its predictor, which is asked for all but the first of each sentence; empty without one.
  Packed predicted;

  /// Those that the layer before left.
  const Packed& entering() const { return predicted.offsets.defined() ? predicted : keys; }
};

/// MACs of a dense model that computes every row of every layer, for one sentence of n tokens.
double dense_macs(const Config& config, std::int64_t n);
double dense_macs(const Config& config, const Packed& rows);

/// MACs that a forward pass executed for the batch, from the rows of each layer.
double executed_macs(const Config& config, const std::vector<LayerRows>& layers);

/// The same in convention 2. They differ for the published gate and the dense model alone, whose last layer counts as
/// if it computed all its rows.
double counted_macs(const Config& config, const std::vector<LayerRows>& layers);

}  // namespace tk
