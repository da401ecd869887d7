#pragma once

#include <algorithm>
#include <cstdint>

#include "tensor/choices.h"

namespace tk {

/// What decides whether a layer skims a token.
enum class SkimGate : std::uint8_t {
  kNone,   ///< nothing: the dense model
  kLayer,  ///< the published gate: kept by a layer, or gone
  kStaged  ///< three gates a layer: first the feed-forward goes, then the update, then key and value
};

/// How a skimmed token leaves attention in training: out of the normaliser too, or the published graph.
enum class SkimAttention : std::uint8_t { kExact, kPaper };

/// What the gates may take from the first row of each sentence ([CLS]), which always stays a key.
enum class SkimCls : std::uint8_t {
  kKept,  ///< nothing: it passes all gates, and no predictor is asked for it
  kFree   ///< its update and its feed-forward, as from any row
};
/// Whether first rows pass a gate whatever its score.
inline bool first_rows_pass(SkimCls cls, std::int64_t gate) { return gate == 0 || cls == SkimCls::kKept; }

/// Where in a layer a gate decides.
enum class GatePlace : std::uint8_t {
  kNowhere,
  kBeforeAttention,  ///< by the layer's input: which rows it keeps
  kAfterAttention    ///< by the state after its attention: which rows it feeds forward, and which the next layer has
};

/// What sets a gate apart; what it makes of a layer's rows is docs/model.md's "Gates".
struct GateTraits {
  SkimGate gate;
  GatePlace decides;
  std::int64_t gates;           ///< decisions about a row
  std::int64_t outputs;         ///< rows of a predictor's last matrix: a score for each gate, or those of skim and keep
  double first_bias;            ///< of these rows in a new predictor; of a pair skim starts at the opposite
  std::int64_t layers_without;  ///< how many of the last layers have no predictor
  bool can_free_cls;            ///< whether it may take from [CLS]: SkimCls::kFree
  bool serves_speedups;         ///< whether one model is as good at several budgets as one for each (docs/model.md)
  bool counts_full_last_layer;  ///< whether convention 2 has the last layer compute all its rows

  bool scores_in_pairs() const { return outputs == 2 * gates; }
  std::int64_t predictors(std::int64_t layers) const { return std::max<std::int64_t>(0, layers - layers_without); }
};
const GateTraits& traits(SkimGate gate);

/// What people choose, and "none" for the rest.
inline constexpr Choice<SkimGate> kSkimGates[] = {{SkimGate::kStaged, "staged"}, {SkimGate::kLayer, "layer"}};
inline Choices<SkimGate> choices(SkimGate) { return kSkimGates; }
inline constexpr Choice<SkimAttention> kSkimAttentions[] = {{SkimAttention::kExact, "exact"},
                                                            {SkimAttention::kPaper, "paper"}};
inline Choices<SkimAttention> choices(SkimAttention) { return kSkimAttentions; }

inline constexpr Choice<SkimCls> kSkimClsChoices[] = {{SkimCls::kKept, "kept"}, {SkimCls::kFree, "free"}};
inline Choices<SkimCls> choices(SkimCls) { return kSkimClsChoices; }

/// Their names in config.json, where a gate may be "none".
const char* name(SkimGate gate);
inline const char* name(SkimAttention attention) { return choice_name(attention); }
inline const char* name(SkimCls cls) { return choice_name(cls); }

}  // namespace tk
