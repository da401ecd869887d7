#include <unistd.h>

#include <fstream>

#include "data/glue_task.h"
#include "data/tokenizer.h"
#include "data/toy_corpus.h"
#include "tensor/allocator.h"
#include "tensor/threads.h"
#include "tests/support/catch.h"
#include "transkimmer/training/trainer.h"

using namespace tk;

namespace {

// Bytes of this process that lie in memory.
std::int64_t resident_bytes() {
  std::int64_t total = 0;
  std::int64_t resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

Config tiny_config(std::int64_t tokens) {
  Config config;
  config.vocab_size = tokens;
  config.hidden_size = 16;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 2;
  config.intermediate_size = 32;
  config.max_position_embeddings = 64;
  config.skim_gate = SkimGate::kStaged;
  config.skim_width = 4;
  return config;
}

}  // namespace

TEST_CASE("trainer: ten thousand steps hold memory flat", "[slow]") {
  const int threads = num_threads();
  set_num_threads(1);
  const ToyCorpus corpus = make_toy_corpus({.seed = 3, .train = 64, .dev = 1});
  const Tokenizer tokenizer(Vocabulary(corpus.vocabulary));
  const std::vector<TokenizedExample> examples = tokenize_examples(tokenizer, corpus.train.examples, 64);
  BertClassifier model(tiny_config(tokenizer.vocabulary().size()));
  model.initialize(1);
  TrainerOptions options;
  options.max_steps = 10'000;
  options.batch_size = 8;
  options.skim_target = 0.5;
  Trainer trainer(model, find_glue_task("sst2").task, examples, options);

  // Random batches have ever new shapes, so for a while the cache of blocks still fills up.
  while (trainer.steps_done() < 2'000) trainer.step();
  const AllocatorStats before = allocator_stats(Device::kCpu);
  const std::int64_t resident = resident_bytes();
  reset_peak(Device::kCpu);
  while (!trainer.finished()) trainer.step();
  const AllocatorStats after = allocator_stats(Device::kCpu);
  set_num_threads(threads);

  CHECK(after.allocated == before.allocated);
  CHECK(after.reserved <= before.reserved * 11 / 10);
  CHECK(after.peak_allocated <= after.reserved);
  REQUIRE(resident > 0);
  CHECK(resident_bytes() - resident < 2 << 20);
}
