#pragma once

#include "tensor/device.h"

// The formula of a skimming encoder's multiply-accumulates (docs/model.md), for the host and for kernels.
namespace tk {

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
TK_HOST_DEVICE double layer_macs(const MacCoefficients& c, double keys, double updated, double fed) {
  return (keys + updated) * c.row + (updated * keys) * c.pair + fed * c.feed;
}
/// Of such a layer's attention, projections and all, where no keys and values are made.
TK_HOST_DEVICE double unprojected_macs(const MacCoefficients& c, double keys, double updated) {
  return updated * (2 * c.row) + (updated * keys) * c.heads_pair;
}
/// Of rows that enter a predictor.
TK_HOST_DEVICE double predictor_macs(const MacCoefficients& c, double entering) {
  return (entering - c.unasked) * c.predict;
}
/// Of a layer in which R = U = F: layer_macs(c, n, n, n) with one product a coefficient.
TK_HOST_DEVICE double full_layer_macs(const MacCoefficients& c, double n) {
  return n * (2 * c.row + c.feed) + (n * n) * c.pair;
}

/// Of the head, for sentences that have so many rows in all.
TK_HOST_DEVICE double head_macs(const MacCoefficients& c, double sentences, double rows) {
  return sentences * c.head_sentence + rows * c.head_row;
}

}  // namespace tk
