#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/example.h"
#include "data/tokenizer.h"
#include "transkimmer/classifier.h"
#include "transkimmer/cli/report/report.h"

namespace tk {

/// How far the words of one example came.
struct Trace {
  std::int64_t index = 0;  ///< of the example in its split
  std::vector<ReportWord> words = {};
  double cost_share = 1;  ///< MACs over those of the dense model
};

/// Runs the examples at `indices` one by one through the model in evaluation.
std::vector<Trace> trace_words(const BertClassifier& model, const Tokenizer& tokenizer, const Split& split,
                               const std::vector<std::int64_t>& indices);

/// At most `count` indices of examples short enough to be read at a glance, taken evenly from the split.
std::vector<std::int64_t> readable_examples(const Split& split, std::int64_t count);

}  // namespace tk
