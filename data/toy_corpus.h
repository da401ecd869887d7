#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/example.h"

namespace tk {

/// Generated sentences with a class each and, for each, the words that decide it.
struct ToySplit {
  std::vector<Example> examples;
  /// For each example the places of its deciding words among the text's words, which single spaces separate; in BERT's
  /// input the word at place i is token i + 1, as every word is one token.
  std::vector<std::vector<std::int64_t>> deciding_words;
};

struct ToyCorpus {
  std::vector<std::string> vocabulary;  ///< the tokens in the order of their ids, special ones first
  ToySplit train;
  ToySplit dev;
};

struct ToyCorpusOptions {
  std::uint64_t seed = 1;
  std::int64_t train = 8192;
  std::int64_t dev = 512;
};

/// Short film reviews of 8 to 24 words, class 1 for praise and 0 for blame, half of each, none twice.
///
/// One opinion word decides the class, together with a negation if one stands right before it ("the plot was not
/// dull"). All else is filler, with negations of its own ("the cinema was never crowded"), so that counting words does
/// not suffice: a model must look at the neighbour. The same options give the same corpus everywhere.
ToyCorpus make_toy_corpus(const ToyCorpusOptions& options = {});

}  // namespace tk
