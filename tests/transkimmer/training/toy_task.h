#pragma once

#include <vector>

#include "data/example.h"
#include "data/glue_task.h"
#include "data/tokenizer.h"
#include "data/toy_corpus.h"
#include "tests/transkimmer/skimming.h"

namespace tk::test {

/// Invented reviews with their labels, and models small enough for them.
struct ToyTask {
  ToyTask() : corpus(make_toy_corpus({.seed = 3, .train = 256, .dev = 64})) {
    const Tokenizer tokenizer(Vocabulary(corpus.vocabulary));
    train = tokenize_examples(tokenizer, corpus.train.examples, 64);
    dev = tokenize_examples(tokenizer, corpus.dev.examples, 64);
  }

  Config config(const Skimming& skimming) const {
    Config config;
    config.vocab_size = static_cast<std::int64_t>(corpus.vocabulary.size());
    config.hidden_size = 32;
    config.num_hidden_layers = 2;
    config.num_attention_heads = 2;
    config.intermediate_size = 64;
    config.max_position_embeddings = 64;
    config.initializer_range = 0.08;
    set_skimming(config, skimming);
    return config;
  }

  const Task& task = find_glue_task("sst2").task;
  ToyCorpus corpus;
  std::vector<TokenizedExample> train;
  std::vector<TokenizedExample> dev;
};

/// The examples cut or filled up with padding to one length, so that batches have one shape.
inline std::vector<TokenizedExample> of_one_length(std::vector<TokenizedExample> examples, std::size_t length) {
  for (TokenizedExample& example : examples) {
    example.ids.resize(length, 0);
    example.token_types.resize(length, 0);
  }
  return examples;
}

}  // namespace tk::test
