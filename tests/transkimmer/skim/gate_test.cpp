#include "transkimmer/skim/gate.h"

#include "tests/support/catch.h"

using namespace tk;

TEST_CASE("skim gate: each name is that of one gate, and of one attention") {
  using Names = std::vector<std::string>;
  CHECK(choice_names<SkimGate>() == Names{"staged", "layer"});
  CHECK(choice_names<SkimAttention>() == Names{"exact", "paper"});
  for (const std::string& text : choice_names<SkimGate>()) CHECK(name(find_choice<SkimGate>(text).value()) == text);
  for (const std::string& text : choice_names<SkimAttention>()) {
    CHECK(name(find_choice<SkimAttention>(text).value()) == text);
  }
  CHECK(name(SkimGate::kNone) == std::string("none"));
  CHECK_FALSE(find_choice<SkimGate>("none"));  // nobody chooses it
  CHECK_FALSE(find_choice<SkimAttention>("soft"));
}

TEST_CASE("skim gate: the published one has a predictor in each layer, the staged one in all but the last") {
  CHECK(traits(SkimGate::kNone).predictors(6) == 0);
  CHECK(traits(SkimGate::kLayer).predictors(6) == 6);
  CHECK(traits(SkimGate::kStaged).predictors(6) == 5);
  CHECK(traits(SkimGate::kStaged).predictors(1) == 0);
  CHECK(traits(SkimGate::kLayer).scores_in_pairs());
  CHECK_FALSE(traits(SkimGate::kStaged).scores_in_pairs());
}
