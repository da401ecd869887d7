#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "data/example.h"

namespace tk {

class BertClassifier;

/// How probabilities are spread over [0, 1], in buckets of one width; the last has 1, too.
struct ProbabilityHistogram {
  static constexpr std::size_t kBuckets = 50;

  std::array<std::int64_t, kBuckets> counts = {};
  std::int64_t count = 0;
  double least = 1, largest = 0;
  double sum = 0, sum_of_squares = 0;

  void add(double probability);
};

/// What a gate decides of a layer's rows; as LayerShares has it.
enum class GateSet : std::uint8_t { kKeys, kUpdated, kFed };

/// With which probability a gate lets pass the rows that come to it: sigmoid(z), the share of training's samples, of
/// what its predictor says in evaluation.
struct GateProbabilities {
  GateSet set;
  std::int64_t layer;  ///< whose rows these are
  ProbabilityHistogram histogram = {};
};

/// Of each gate of a model that skims, over all examples; rows that no predictor is asked for are not among them. Gates
/// decide as in evaluation, by passes over all rows.
std::vector<GateProbabilities> keep_probabilities(const BertClassifier& model,
                                                  std::span<const TokenizedExample> examples);

}  // namespace tk
