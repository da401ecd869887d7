#pragma once

#include <string>

#include "data/data_loader.h"
#include "tensor/device.h"
#include "transkimmer/cli/run/options.h"

namespace tk {

/// How much a command evaluates at once; 0: not said.
struct BatchFlags {
  std::int64_t sentences = 0;
  std::int64_t tokens = 0;

  bool is_given() const { return sentences > 0 || tokens > 0; }
};

/// Flags of these names for the two bounds.
void add_batch_flags(Flags& flags, BatchFlags& batch, const std::string& sentences, const std::string& tokens);

/// --exact_transforms, of evaluation.
void add_exact_transforms_flag(Flags& flags, bool& exact_transforms);

/// The flags' choice; where there is none, kBatchSize sentences on the CPU and kBatchTokens tokens elsewhere.
BatchBounds batch_bounds(const BatchFlags& flags, Device device);

/// "32" or "8192 tokens", and both where both are bounded.
std::string text_of(const BatchBounds& bounds);

}  // namespace tk
