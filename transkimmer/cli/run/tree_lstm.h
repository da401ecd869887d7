#pragma once

#include <functional>

#include "nn/embedding.h"
#include "nn/linear.h"

namespace tk {

/// Which of neighbouring nodes become one: scores [rows, pairs] to a choice of one pair a row, [rows, pairs], one-hot
/// or soft. `merge` counts the calls of a pass from 0.
using ChoosePair = std::function<Variable(const Variable& scores, std::int64_t merge)>;

/// A tree LSTM (Tai et al., arXiv 1503.00075) that makes its own binary tree (Choi, Yoo and Lee, arXiv 1707.02786): of
/// all neighbours composed the chosen pair is replaced by its composition, until one node is left, which a linear layer
/// reads.
class TreeLstm {
 public:
  TreeLstm(std::int64_t tokens, std::int64_t hidden, std::int64_t outputs);
  TreeLstm(const TreeLstm&) = delete;
  TreeLstm& operator=(const TreeLstm&) = delete;

  ParameterList parameters() { return parameters_of(embedding_, leaf_, compose_, score_, output_); }
  /// tokens [rows, length], all of one length; [rows, outputs].
  Variable operator()(const Tensor& tokens, const ChoosePair& choose) const;

 private:
  Variable composed(const Variable& left, const Variable& right) const;

  std::int64_t hidden_;
  Embedding embedding_;
  Linear leaf_, compose_, score_, output_;
};

}  // namespace tk
