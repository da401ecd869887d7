#pragma once

#include <string>

#include "nn/parameter.h"

namespace tk {

struct GruOutput {
  Variable y;  ///< [time, batch, hidden]: the state after each step
  Variable h;  ///< [batch, hidden]: the last one
};

/// A gated recurrent unit (Cho et al., arXiv 1406.1078) in PyTorch's form, with its names and first values:
///   r = sigmoid(W_r x + b_r + U_r h + c_r), z likewise, n = tanh(W_n x + b_n + r (U_n h + c_n)), h' = (1 - z) n + z h.
class Gru {
 public:
  Gru() = default;
  Gru(std::int64_t in, std::int64_t hidden);

  /// x [time, batch, in], time >= 1; the state before it, [batch, hidden], is zeros if undefined.
  GruOutput operator()(const Variable& x, const Variable& h = {}) const;
  void collect(ParameterList& list, const std::string& path);

  Parameter weight_ih, weight_hh;  ///< [3 hidden, in], [3 hidden, hidden]: r, z, n one after the other
  Parameter bias_ih, bias_hh;      ///< [3 hidden]
};

}  // namespace tk
