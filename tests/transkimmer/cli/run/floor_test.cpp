#include "transkimmer/cli/run/floor.h"

#include "tensor/allocator.h"
#include "tests/support/catch.h"

namespace tk {
namespace {

// d = 4, f = 8, two layers and labels: 32 for each row as key and each as updated, 8 a pair, 64 a row fed forward, 24 a
// head.
Config small_config(SkimGate gate) {
  Config config;
  config.hidden_size = 4;
  config.intermediate_size = 8;
  config.num_hidden_layers = 2;
  config.num_attention_heads = 1;
  config.labels = {"a", "b"};
  config.skim_gate = gate;
  config.skim_width = gate == SkimGate::kNone ? 0 : 2;
  return config;
}

TEST_CASE("floor: a training step's arithmetic is three products for each of the forward's, counted by hand") {
  const Packed rows = make_packed({3, 2}, {0, 1});
  const double first_layer = (32 * (3 + 3) + 8 * 9 + 64 * 3) + (32 * (2 + 2) + 8 * 4 + 64 * 2);
  const double last_layer = (32 * (3 + 1) + 8 * 3 + 64) + (32 * (2 + 1) + 8 * 2 + 64);  // one row a sentence updated
  const double dense = first_layer + last_layer + 2 * 24;
  CHECK(training_macs(small_config(SkimGate::kNone), rows) == 3 * dense);
  // Every row is computed, and predictors read all but the first of a sentence: 4 x 2 + outputs x 2 each.
  CHECK(training_macs(small_config(SkimGate::kLayer), rows) == 3 * (dense + 2 * 3 * (8 + 2 * 2)));
  CHECK(training_macs(small_config(SkimGate::kStaged), rows) == 3 * (dense + 1 * 3 * (8 + 3 * 2)));
  Config free_cls = small_config(SkimGate::kStaged);
  free_cls.skim_cls = SkimCls::kFree;
  CHECK(training_macs(free_cls, rows) == 3 * (dense + 1 * 5 * (8 + 3 * 2)));
}

TEST_CASE("floor: a head that reads all rows has the last layer update them all") {
  Config config = small_config(SkimGate::kNone);
  config.set_head(HeadKind::kToken);
  const double layer = (32 * (3 + 3) + 8 * 9 + 64 * 3) + (32 * (2 + 2) + 8 * 4 + 64 * 2);
  CHECK(training_macs(config, make_packed({3, 2}, {0, 1})) == 3 * (2 * layer + 5 * 8));
}

TEST_CASE("floor: an optimizer step moves eight numbers a weight, and six a touched number of a table") {
  Parameter weight({4, 4}), table({10, 3});
  table.make_sparse();
  const FlatParameters parameters({{{"weight"}, &weight}, {{"table"}, &table}});
  CHECK(optimizer_bytes(parameters, 5) == 16 * 32 + 5 * 3 * 24);
}

TEST_CASE("floor: arithmetic and memory take their time one after the other") {
  CHECK(floor_seconds({.macs = 6e9, .bytes = 3e9}, {.macs_per_second = 2e9, .bytes_per_second = 1e9}) == 6);
}

TEST_CASE("floor: measuring this machine leaves no memory behind") {
  release_cached(Device::kCpu);
  const std::int64_t before = allocator_stats(Device::kCpu).reserved;
  const MachineRates rates = measure_rates(Device::kCpu, DType::kFloat32);
  CHECK(rates.macs_per_second > 0);
  CHECK(rates.bytes_per_second > 0);
  CHECK(allocator_stats(Device::kCpu).reserved == before);
  CHECK(allocator_stats(Device::kCpu).peak_reserved == before);
}

}  // namespace
}  // namespace tk
