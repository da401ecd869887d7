#include "transkimmer/skim/costs.h"

#include "tests/support/catch.h"

using namespace tk;

namespace {

// d = 4, f = 8, w = 2: 32 for each row as key and each as updated, 8 a pair, 64 a row fed forward.
Config tiny(SkimGate gate, HeadKind head) {
  Config config;
  config.hidden_size = 4;
  config.intermediate_size = 8;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 1;
  config.labels = {"a", "b", "c"};
  config.skim_gate = gate;
  config.skim_width = 2;
  config.set_head(head);
  return config;
}

constexpr double kSequenceHead = 4 * 4 + 4 * 3;
constexpr double kTokenHead = 4 * 3;

}  // namespace

TEST_CASE("costs: a dense model's are those of all rows in all layers, and of what its head reads") {
  const double layer = 32 * (5 + 5) + 8 * 25 + 64 * 5;
  CHECK(dense_macs(tiny(SkimGate::kNone, HeadKind::kSequence), 5) == 2 * layer + kSequenceHead);
  CHECK(dense_macs(tiny(SkimGate::kNone, HeadKind::kToken), 5) == 2 * layer + 5 * kTokenHead);
}

TEST_CASE(
    "costs: of a layer by its sets, counted by hand, and the published gate's last one counts as if it were full") {
  const Packed rows = make_packed({5, 2}, {0, 1});
  const std::vector<LayerRows> layers = {{{5, 2}, {4, 2}, {2, 1}, {5, 2}}, {{3, 1}, {1, 1}, {1, 1}, {}}};
  const double first = (32 * (5 + 4) + 8 * 5 * 4 + 64 * 2) + (32 * (2 + 2) + 8 * 2 * 2 + 64 * 1);
  const double last = (32 * (3 + 1) + 8 * 3 * 1 + 64) + (32 * (1 + 1) + 8 + 64);
  const double full_last = (32 * (3 + 3) + 8 * 9 + 64 * 3) + (32 * (1 + 1) + 8 + 64);
  const double asked = 4 + 1;
  const Config staged = tiny(SkimGate::kStaged, HeadKind::kSequence),
               layer = tiny(SkimGate::kLayer, HeadKind::kSequence);
  const double staged_predictors = asked * (4 * 2 + 3 * 2), layer_predictors = asked * (4 * 2 + 2 * 2);
  CHECK(executed_macs(staged, layers, rows) == first + last + staged_predictors + 2 * kSequenceHead);
  CHECK(counted_macs(staged, layers, rows) == first + last + staged_predictors + 2 * kSequenceHead);
  CHECK(executed_macs(layer, layers, rows) == first + last + layer_predictors + 2 * kSequenceHead);
  CHECK(counted_macs(layer, layers, rows) == first + full_last + layer_predictors + 2 * kSequenceHead);
  CHECK(executed_macs(tiny(SkimGate::kStaged, HeadKind::kToken), layers, rows) ==
        first + last + staged_predictors + 7 * kTokenHead);
}

TEST_CASE("costs: predictors are asked for one row more of each sentence where [CLS] is free") {
  const Packed rows = make_packed({5, 2}, {0, 1});
  const std::vector<LayerRows> layers = {{{5, 2}, {4, 0}, {2, 0}, {5, 2}}, {{3, 1}, {1, 1}, {1, 1}, {}}};
  const double first = (32 * (5 + 4) + 8 * 5 * 4 + 64 * 2) + 32 * 2;
  const double last = (32 * (3 + 1) + 8 * 3 * 1 + 64) + (32 * (1 + 1) + 8 + 64);
  Config config = tiny(SkimGate::kStaged, HeadKind::kSequence);
  const double both = first + last + 2 * kSequenceHead;
  CHECK(counted_macs(config, layers, rows) == both + (4 + 1) * (4 * 2 + 3 * 2));
  config.skim_cls = SkimCls::kFree;
  CHECK(counted_macs(config, layers, rows) == both + (5 + 2) * (4 * 2 + 3 * 2));
  CHECK(executed_macs(config, layers, rows) == both + (5 + 2) * (4 * 2 + 3 * 2));
}

TEST_CASE("costs: the rows of each sentence are the differences of its offsets") {
  CHECK(count_rows(from_values<std::int32_t>({0, 3, 3, 10})) == std::vector<double>{3, 0, 7});
}
