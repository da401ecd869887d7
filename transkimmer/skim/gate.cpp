#include "transkimmer/skim/gate.h"

#include <iterator>
#include <limits>

namespace tk {
namespace {

constexpr std::int64_t kAllLayers = std::numeric_limits<std::int64_t>::max();

// First biases: published are 5 on either side, a distance of 10 that needs hundreds of updates to cross.
constexpr GateTraits kGates[] = {
    {.gate = SkimGate::kNone,
     .name = "none",
     .decides = GatePlace::kNowhere,
     .gates = 0,
     .outputs = 0,
     .first_bias = 0,
     .layers_without = kAllLayers,
     .counts_full_last_layer = true},
    {.gate = SkimGate::kLayer,
     .name = "layer",
     .decides = GatePlace::kBeforeAttention,
     .gates = 1,
     .outputs = 2,
     .first_bias = 2.5,
     .layers_without = 0,
     .counts_full_last_layer = true},
    {.gate = SkimGate::kStaged,
     .name = "staged",
     .decides = GatePlace::kAfterAttention,
     .gates = 3,
     .outputs = 3,
     .first_bias = 5,
     .layers_without = 1,
     .counts_full_last_layer = false},
};

struct AttentionName {
  SkimAttention attention;
  const char* name;
};
constexpr AttentionName kAttentions[] = {{SkimAttention::kExact, "exact"}, {SkimAttention::kPaper, "paper"}};

}  // namespace

const GateTraits& traits(SkimGate gate) { return *std::ranges::find(kGates, gate, &GateTraits::gate); }

const char* name(SkimGate gate) { return traits(gate).name; }

const char* name(SkimAttention attention) {
  return std::ranges::find(kAttentions, attention, &AttentionName::attention)->name;
}

std::optional<SkimGate> skim_gate_from_name(std::string_view name) {
  for (const GateTraits& gate : kGates) {
    if (name == gate.name) return gate.gate;
  }
  return std::nullopt;
}

std::optional<SkimAttention> skim_attention_from_name(std::string_view name) {
  for (const AttentionName& attention : kAttentions) {
    if (name == attention.name) return attention.attention;
  }
  return std::nullopt;
}

std::vector<std::string> skim_gate_names(bool with_none) {
  std::vector<std::string> names;
  for (const GateTraits& gate : kGates) {
    if (with_none || gate.gate != SkimGate::kNone) names.emplace_back(gate.name);
  }
  return names;
}

std::vector<std::string> skim_attention_names() {
  std::vector<std::string> names;
  for (const AttentionName& attention : kAttentions) names.emplace_back(attention.name);
  return names;
}

}  // namespace tk
