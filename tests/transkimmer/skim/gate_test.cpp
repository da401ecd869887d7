#include "transkimmer/skim/gate.h"

#include "tests/support/catch.h"

using namespace tk;

TEST_CASE("skim gate: each name is that of one gate, and of one attention") {
  using Names = std::vector<std::string>;
  CHECK(skim_gate_names() == Names{"none", "layer", "staged"});
  CHECK(skim_gate_names(false) == Names{"layer", "staged"});
  CHECK(skim_attention_names() == Names{"exact", "paper"});
  for (const std::string& text : skim_gate_names()) CHECK(name(skim_gate_from_name(text).value()) == text);
  for (const std::string& text : skim_attention_names()) CHECK(name(skim_attention_from_name(text).value()) == text);
  CHECK_FALSE(skim_gate_from_name("all"));
  CHECK_FALSE(skim_attention_from_name("soft"));
}

TEST_CASE("skim gate: the published one has a predictor in each layer, the staged one in all but the last") {
  CHECK(traits(SkimGate::kNone).predictors(6) == 0);
  CHECK(traits(SkimGate::kLayer).predictors(6) == 6);
  CHECK(traits(SkimGate::kStaged).predictors(6) == 5);
  CHECK(traits(SkimGate::kStaged).predictors(1) == 0);
  CHECK(traits(SkimGate::kLayer).scores_in_pairs());
  CHECK_FALSE(traits(SkimGate::kStaged).scores_in_pairs());
}
