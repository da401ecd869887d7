#pragma once

#include <string>

#include "transkimmer/config.h"

namespace tk::test {

/// What a model skims by.
struct Skimming {
  SkimGate gate;
  SkimCls cls;

  constexpr Skimming(SkimGate gate, SkimCls cls = SkimCls::kKept) : gate(gate), cls(cls) {}
  bool operator==(const Skimming&) const = default;
};
inline std::string name(const Skimming& skimming) {
  return name(skimming.gate) + std::string(skimming.cls == SkimCls::kFree ? ", [CLS] free" : "");
}

constexpr Skimming kStagedFree{SkimGate::kStaged, SkimCls::kFree};
constexpr Skimming kSkimming[] = {SkimGate::kLayer, SkimGate::kStaged, kStagedFree};
constexpr Skimming kDenseAndSkimming[] = {SkimGate::kNone, SkimGate::kLayer, SkimGate::kStaged, kStagedFree};

/// Predictors of eight columns, or none.
inline void set_skimming(Config& config, const Skimming& skimming) {
  config.skim_gate = skimming.gate;
  config.skim_cls = skimming.cls;
  config.skim_width = skimming.gate == SkimGate::kNone ? 0 : 8;
}

}  // namespace tk::test
