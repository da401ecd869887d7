#include "transkimmer/training/keep_probabilities.h"

#include <cmath>
#include <numeric>

#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/transkimmer/mixing_gates.h"
#include "tests/transkimmer/training/toy_task.h"
#include "transkimmer/training/evaluation.h"

using namespace tk;
using namespace tk::test;

namespace {

// How many values are at least that.
std::int64_t above(const ProbabilityHistogram& h, double probability) {
  const auto first = static_cast<std::size_t>(std::llround(probability * ProbabilityHistogram::kBuckets));
  return std::accumulate(h.counts.begin() + static_cast<std::ptrdiff_t>(first), h.counts.end(), std::int64_t{0});
}

// The rows that pass by their probabilities are those that evaluation keeps.
void check_against_evaluation(const Skimming& gate, double probability, Device device) {
  INFO(name(gate) << ", threshold at " << probability);
  const ToyTask toy;
  Config config = toy.config(gate);
  config.num_hidden_layers = 3;
  BertClassifier model(config);
  initialize_with_mixing_gates(model);
  model.place(device);
  model.set_skim_threshold(std::log(probability / (1 - probability)));
  const Evaluation evaluation = evaluate(model, toy.task, toy.dev);
  const auto first_rows = static_cast<std::int64_t>(toy.dev.size());
  const auto rows = [&](std::int64_t layer) {
    const double share = evaluation.layers[static_cast<std::size_t>(layer)].keys;
    return std::llround(share * static_cast<double>(evaluation.tokens));
  };
  std::int64_t gates = 0, mixed = 0;
  for (const GateProbabilities& one : keep_probabilities(model, toy.dev)) {
    const ProbabilityHistogram& h = one.histogram;
    INFO("set " << static_cast<int>(one.set) << ", layer " << one.layer);
    ++gates;
    CHECK(h.count == std::accumulate(h.counts.begin(), h.counts.end(), std::int64_t{0}));
    CHECK(h.least >= 0);
    CHECK(h.least <= h.sum / static_cast<double>(h.count));
    CHECK(h.largest <= 1);
    CHECK(h.sum_of_squares <= h.sum);
    const bool fed = one.set == GateSet::kFed;
    const std::int64_t before = fed ? rows(one.layer) : one.layer == 0 ? evaluation.tokens : rows(one.layer - 1);
    CHECK(h.count == before - first_rows);  // no predictor is asked for first rows
    if (one.set != GateSet::kKeys) continue;
    CHECK(above(h, probability) == rows(one.layer) - first_rows);
    mixed += rows(one.layer) < before ? 1 : 0;
  }
  CHECK(gates == (gate == SkimGate::kLayer ? 3 : 6));
  CHECK(mixed > 0);
}

}  // namespace

TEST_CASE("keep probabilities: the rows that come to a gate, and those that it lets pass, are evaluation's") {
  for (const Skimming& gate : {Skimming(SkimGate::kLayer), Skimming(SkimGate::kStaged)}) {
    for (const double probability : {0.5, 0.6}) check_against_evaluation(gate, probability, Device::kCpu);
  }
}

TEST_CASE("cuda keep probabilities: the rows that come to a gate, and those that it lets pass, are evaluation's") {
  if (!has_cuda()) return;
  check_against_evaluation(SkimGate::kStaged, 0.6, Device::kCuda);
}

TEST_CASE("keep probabilities: where [CLS] is free predictors are asked for it, too, and a dense model has none") {
  const ToyTask toy;
  BertClassifier model(toy.config(kStagedFree)), dense(toy.config(SkimGate::kNone));
  initialize_with_mixing_gates(model);
  dense.initialize(1);
  const std::vector<GateProbabilities> gates = keep_probabilities(model, toy.dev);
  REQUIRE(gates.size() == 3);
  CHECK(gates[0].set == GateSet::kKeys);
  CHECK(gates[0].layer == 1);
  CHECK(gates[2].set == GateSet::kFed);
  CHECK(gates[2].layer == 0);
  CHECK(gates[0].histogram.count == evaluate(model, toy.task, toy.dev).tokens);
  CHECK(keep_probabilities(dense, toy.dev).empty());
}

TEST_CASE("keep probabilities: buckets are equally wide, and 1 is in the last") {
  ProbabilityHistogram h;
  for (const double p : {0.0, 0.019, 0.02, 0.5, 0.99, 1.0}) h.add(p);
  CHECK(h.counts.front() == 2);
  CHECK(h.counts[1] == 1);
  CHECK(h.counts[25] == 1);
  CHECK(h.counts.back() == 2);
  CHECK(h.least == 0);
  CHECK(h.largest == 1);
  CHECK(h.sum == Approx(2.529));
}
