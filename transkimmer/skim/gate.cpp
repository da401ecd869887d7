#include "transkimmer/skim/gate.h"

#include <limits>

namespace tk {
namespace {

constexpr std::int64_t kAllLayers = std::numeric_limits<std::int64_t>::max();

// First biases: published are 5 on either side, a distance of 10 that needs hundreds of updates to cross.
constexpr GateTraits kGates[] = {
    {.gate = SkimGate::kNone,
     .decides = GatePlace::kNowhere,
     .gates = 0,
     .outputs = 0,
     .first_bias = 0,
     .layers_without = kAllLayers,
     .can_free_cls = false,
     .serves_speedups = false,
     .counts_full_last_layer = true},
    {.gate = SkimGate::kLayer,
     .decides = GatePlace::kBeforeAttention,
     .gates = 1,
     .outputs = 2,
     .first_bias = 2.5,
     .layers_without = 0,
     .can_free_cls = false,
     .serves_speedups = false,
     .counts_full_last_layer = true},
    {.gate = SkimGate::kStaged,
     .decides = GatePlace::kAfterAttention,
     .gates = 3,
     .outputs = 3,
     .first_bias = 5,
     .layers_without = 1,
     .can_free_cls = true,
     .serves_speedups = true,
     .counts_full_last_layer = false},
};

}  // namespace

const GateTraits& traits(SkimGate gate) { return *std::ranges::find(kGates, gate, &GateTraits::gate); }

const char* name(SkimGate gate) { return gate == SkimGate::kNone ? "none" : choice_name(gate); }

}  // namespace tk
