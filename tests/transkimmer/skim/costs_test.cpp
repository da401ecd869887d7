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

TEST_CASE("costs: what was executed follows how layers attended, and convention 2 does not") {
  const Packed rows = make_packed({5, 2}, {0, 1});
  const Config config = tiny(SkimGate::kNone, HeadKind::kSequence);  // one head: d = 4 columns for each pair
  std::vector<LayerRows> layers = {{{5, 2}, {5, 2}, {5, 2}, {}}, {{5, 2}, {1, 1}, {1, 1}, {}}};
  const double counted = counted_macs(config, layers, rows);
  layers[0].attending = Attending::kFromTables;
  layers[1].attending = Attending::kUnprojected;
  const double first = 16 * (5 + 2) + 8 * (5 * 5 + 2 * 2) + 64 * (5 + 2);     // output, pairs, feed-forward
  const double last = 4 * 16 * (1 + 1) + 2 * 1 * 4 * (5 + 2) + 64 * (1 + 1);  // four products of a row that asks
  CHECK(executed_macs(config, layers, rows) == first + last + 2 * kSequenceHead);
  CHECK(counted_macs(config, layers, rows) == counted);
}

TEST_CASE("costs: layers do without keys and values where few rows ask, summed over the sentences") {
  Config config = tiny(SkimGate::kNone, HeadKind::kSequence);
  config.hidden_size = 384;
  config.num_attention_heads = 12;
  const auto pays = [&](const std::vector<std::int64_t>& read, const std::vector<std::int64_t>& ask) {
    return unprojected_pays(config, make_packed(read, {0, 1}).offsets, make_packed(ask, {0, 1}).offsets);
  };
  CHECK(pays({25, 8}, {1, 1}));
  CHECK(pays({25, 8}, {2, 8}));
  CHECK_FALSE(pays({25, 8}, {25, 1}));
  CHECK_FALSE(pays({25, 8}, {25, 8}));
  CHECK_FALSE(pays({1, 1}, {1, 1}));
}

TEST_CASE("costs: the rows of each sentence are the differences of its offsets") {
  CHECK(count_rows(from_values<std::int32_t>({0, 3, 3, 10})) == std::vector<double>{3, 0, 7});
}
