#include "transkimmer/cli/run/batch_flags.h"

#include <fmt/format.h>

namespace tk {

void add_batch_flags(Flags& flags, BatchFlags& batch, const std::string& sentences, const std::string& tokens) {
  flags
      .add(sentences, batch.sentences,
           fmt::format("sentences of a batch at most; 0: {} on cpu, no bound on cuda or beside {}", kBatchSize, tokens))
      .at_least(0);
  flags
      .add(tokens, batch.tokens,
           fmt::format("tokens of a batch at most; 0: no bound on cpu or beside {}, {} on cuda", sentences,
                       kBatchTokens))
      .at_least(0);
}

void add_exact_transforms_flag(Flags& flags, bool& exact_transforms) {
  flags.add("--exact_transforms", exact_transforms,
            "on cpu attend with fewer multiply-accumulates where that is faster; the same results to rounding");
}

BatchBounds batch_bounds(const BatchFlags& flags, Device device) {
  if (flags.is_given()) return {flags.sentences, flags.tokens};
  return device == Device::kCpu ? BatchBounds{kBatchSize, 0} : BatchBounds{0, kBatchTokens};
}

std::string text_of(const BatchBounds& bounds) {
  if (bounds.tokens == 0) return fmt::format("{}", bounds.sentences);
  if (bounds.sentences == 0) return fmt::format("{} tokens", bounds.tokens);
  return fmt::format("{}, {} tokens at most", bounds.sentences, bounds.tokens);
}

}  // namespace tk
