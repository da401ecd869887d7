// Kernels that read on the device how many rows there are, beside the ops that are told.
#include "tensor/ops/counted_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/backend.h"
#include "tensor/capture.h"
#include "tensor/kernels.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/gate.h"
#include "tensor/ops/gate_scores.h"
#include "tensor/ops/index.h"
#include "tensor/ops/layer_norm.h"
#include "tensor/ops/matmul.h"
#include "tensor/ops/residual_dropout_layer_norm.h"
#include "tensor/packed.h"
#include "tensor/step_state.h"
#include "tests/support/activations.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

constexpr double kUnwritten = 77;

bool has_device() {
  if (!has_cuda()) return false;
  const bool has = has_counted_rows(Device::kCuda, DType::kBFloat16, 64, 16);
  if (!has) WARN("cuda: skipped, no device of compute 9.0");
  return has;
}

Tensor on_device(const Shape& shape, std::uint64_t seed, DType dtype = DType::kBFloat16) {
  return random_normal(shape, seed).to(dtype).to(Device::kCuda);
}

Tensor count_of(std::int64_t n) { return full({}, static_cast<double>(n), DType::kInt32, Device::kCuda); }

Tensor unwritten(std::int64_t rows, std::int64_t columns) {
  return full({rows, columns}, kUnwritten, DType::kBFloat16, Device::kCuda);
}

// The largest difference in parts of the largest element.
double relative_difference(const Tensor& got, const Tensor& expected) {
  if (expected.numel() == 0) return 0;
  const auto on_cpu = [](const Tensor& x) { return x.to(DType::kFloat32).to(Device::kCpu); };
  const std::vector<float> a = on_cpu(got).contiguous().to_vector<float>();
  const std::vector<float> b = on_cpu(expected).contiguous().to_vector<float>();
  double largest = 0, scale = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = std::abs(static_cast<double>(a[i]) - b[i]);
    largest = d <= largest ? largest : d;  // NaN stays
    scale = std::max(scale, std::abs(static_cast<double>(b[i])));
  }
  return largest / std::max(scale, 1e-6);
}

bool all_unwritten(const Tensor& rows) {
  return rows.numel() == 0 ||
         relative_difference(rows, full(rows.shape(), kUnwritten, rows.dtype(), rows.device())) == 0;
}

std::vector<std::int32_t> ints(const Tensor& x) { return x.to(Device::kCpu).contiguous().to_vector<std::int32_t>(); }

Tensor rows_from(const Tensor& x, std::int64_t begin, std::int64_t end) { return x.narrow(0, begin, end - begin); }

}  // namespace

TEST_CASE("cuda counted_linear: the first rows alone, any number of them, near the product that is told") {
  if (!has_device()) return;
  struct Case {
    std::int64_t inner, columns;
  };
  constexpr std::int64_t kMost = 700;
  for (const Case& c : {Case{64, 128}, Case{384, 1152}, Case{72, 32}, Case{768, 3072}, Case{8, 96}, Case{3072, 160}}) {
    const Tensor x = on_device({kMost, c.inner}, 1), w = on_device({c.columns, c.inner}, 2);
    const Tensor bias = on_device({c.columns}, 3, DType::kFloat32);
    const Tensor product = linear(x, w, Tensor()).to(DType::kFloat32);
    for (std::size_t i = 0; i <= std::size(kEveryActivation); ++i) {  // behind the last: none, and no bias
      const ActivationCase* each = i < std::size(kEveryActivation) ? &kEveryActivation[i] : nullptr;
      const std::optional<Activation> activation = each ? std::optional(each->activation) : std::nullopt;
      const Tensor expected = each ? unary(each->op, add(product, bias)) : product;
      for (const std::int64_t n : {0, 1, 63, 64, 65, 127, 128, 129, 500, 700}) {
        INFO(c.inner << " -> " << c.columns << ", " << n << " rows"
                     << ", " << (each ? name(each->op) : "no activation"));
        Tensor y = unwritten(kMost, c.columns), again = unwritten(kMost, c.columns), none;
        for (Tensor* to : {&y, &again}) {
          counted_linear_kernel(Device::kCuda, *to, x, count_of(n), none, none, none, w, each ? bias : none,
                                activation);
        }
        CHECK(relative_difference(rows_from(y, 0, n), rows_from(expected, 0, n)) <= kBFloat16);
        CHECK(all_unwritten(rows_from(y, n, kMost)));
        CHECK(same_bits(y.to(Device::kCpu), again.to(Device::kCpu)));
      }
    }
  }
}

TEST_CASE("cuda counted_linear: GELU is right to bfloat16, small values and NaN too") {
  if (!has_device()) return;
  constexpr std::int64_t kInner = 8, kColumns = 32;
  std::vector<float> values;
  for (int i = -1024; i <= 1024; ++i) values.push_back(static_cast<float>(i) / 128);
  values.push_back(std::numeric_limits<float>::quiet_NaN());
  const std::int64_t n = std::ssize(values);
  const Tensor x = zeros({n, kInner}), w = zeros({kColumns, kInner});
  x.narrow(1, 0, 1).copy_from(from_values(values).reshape({n, 1}));
  w.narrow(1, 0, 1).fill(1);
  const auto given = [](const Tensor& t) { return t.to(DType::kBFloat16).to(Device::kCuda); };
  const Tensor y = counted_linear(given(x), count_of(n), given(w), Tensor(), Activation::kGelu);
  const std::vector<float> got = y.to(DType::kFloat32).to(Device::kCpu).to_vector<float>();
  const std::vector<float> rounded = x.to(DType::kBFloat16).to(DType::kFloat32).to_vector<float>();
  CHECK(std::isnan(got[static_cast<std::size_t>((n - 1) * kColumns)]));
  double worst = 0;  // in parts of what may be: half a unit of bfloat16, the function's error beside it, and its tail's
  for (std::size_t i = 0; i + 1 < values.size(); ++i) {
    const double value = rounded[i * kInner], expected = 0.5 * value * std::erfc(-value * std::sqrt(0.5));
    const double allowed = (1.0 / 256 + 1e-4) * std::abs(expected) + 2e-5;
    worst = std::max(worst, std::abs(got[i * kColumns] - expected) / allowed);
  }
  CHECK(worst <= 1);
}

TEST_CASE("cuda counted_linear: two sets of rows meet their own parts of one matrix") {
  if (!has_device()) return;
  constexpr std::int64_t kInner = 384, kFirst = 384, kColumns = 1152;
  const Tensor x = on_device({300, kInner}, 1), more = on_device({520, kInner}, 2);
  const Tensor w = on_device({kColumns, kInner}, 3), bias = on_device({kColumns}, 4, DType::kFloat32);
  for (const auto& [n, m] : {std::pair(0, 5), std::pair(5, 0), std::pair(129, 513), std::pair(300, 520)}) {
    const TwoProducts got = counted_linear(x, count_of(n), kFirst, more, count_of(m), w, bias);
    const auto expected = [&](const Tensor& rows, std::int64_t begin, std::int64_t end) {
      return add(linear(rows, rows_from(w, begin, end), Tensor()).to(DType::kFloat32), rows_from(bias, begin, end));
    };
    CHECK(relative_difference(rows_from(got.y, 0, n), rows_from(expected(x, 0, kFirst), 0, n)) <= kBFloat16);
    CHECK(relative_difference(rows_from(got.more_y, 0, m), rows_from(expected(more, kFirst, kColumns), 0, m)) <=
          kBFloat16);
  }
}

TEST_CASE("cuda counted_linear: one recorded product follows its count, and a row's bits do not depend on it") {
  if (!has_device()) return;
  struct Case {
    std::int64_t inner, columns;
  };
  constexpr std::int64_t kMost = 6000;  // of which a block has up to nine tiles
  for (const Case& c : {Case{64, 3072}, Case{256, 768}, Case{768, 384}}) {
    INFO(c.inner << " -> " << c.columns);
    const Tensor x = on_device({kMost, c.inner}, 1), w = on_device({c.columns, c.inner}, 2), count = count_of(kMost);
    const Tensor all = counted_linear(x, count, w, Tensor()).clone();
    CHECK(relative_difference(all, linear(x, w, Tensor())) <= kBFloat16);
    Tensor y = unwritten(kMost, c.columns), none;
    const Capture capture = Capture::record(
        Device::kCuda, [&] { counted_linear_kernel(Device::kCuda, y, x, count, none, none, none, w, none, {}); });
    for (const std::int64_t n : {6000, 1, 640, 0, 129, 1200, 2500, 3300, 4900}) {
      count.copy_from(count_of(n));
      y.fill(kUnwritten);
      capture.replay();
      CHECK(same_bits(rows_from(y, 0, n).to(Device::kCpu), rows_from(all, 0, n).to(Device::kCpu)));
      CHECK(all_unwritten(rows_from(y, n, kMost)));
    }
  }
}

TEST_CASE("cuda counted_residual_norm: near the op that is told, each row in its place and copied to another") {
  if (!has_device()) return;
  constexpr std::int64_t kMost = 50;
  for (const std::int64_t d : {8, 384, 768, 1024}) {
    const ResidualNorm norm{.bias = on_device({d}, 1, DType::kFloat32),
                            .gamma = on_device({d}, 2, DType::kFloat32),
                            .beta = on_device({d}, 3, DType::kFloat32),
                            .epsilon = 1e-3};
    const Tensor residual = on_device({kMost, d}, 4), branch = on_device({kMost, d}, 5);
    const Tensor expected = residual_dropout_layer_norm(branch, norm.bias, residual, Tensor(), norm.gamma, norm.beta,
                                                        norm.epsilon, {}, false)
                                .y;
    std::vector<std::int32_t> place, copy_place;
    for (std::int32_t i = 0; i < kMost; ++i) {
      place.push_back((i * 7 + 3) % kMost);
      copy_place.push_back(i % 3 == 0 ? i / 3 : -1);
    }
    const Tensor places = from_values(place).to(Device::kCuda), copies = from_values(copy_place).to(Device::kCuda);
    for (const std::int64_t n : {0, 1, 8, 9, 50}) {
      INFO(d << " columns, " << n << " rows");
      const Tensor own = counted_residual_norm(residual, branch, norm, count_of(n));
      CHECK(relative_difference(rows_from(own, 0, n), rows_from(expected, 0, n)) <= kBFloat16);
      const Tensor y = unwritten(kMost, d), copy = unwritten(kMost, d);
      counted_residual_norm_into(y, copy, residual, branch, norm, count_of(n), places, copies);
      for (std::int64_t i = 0; i < kMost; ++i) {
        const std::int64_t to = place[static_cast<std::size_t>(i)];
        const Tensor row = rows_from(y, to, to + 1);
        if (i >= n) {
          CHECK(all_unwritten(row));
        } else {
          CHECK(same_bits(row.to(Device::kCpu), rows_from(own, i, i + 1).to(Device::kCpu)));
        }
        const std::int64_t copied = copy_place[static_cast<std::size_t>(to)];
        if (copied < 0) continue;
        CHECK(same_bits(rows_from(copy, copied, copied + 1).to(Device::kCpu), row.to(Device::kCpu)));
      }
    }
  }
}

namespace {

PredictorWeights random_predictor(std::int64_t hidden, std::int64_t width, std::int64_t outputs) {
  const auto columns = [](std::int64_t n, std::uint64_t seed) { return on_device({n}, seed, DType::kFloat32); };
  return {.input_gamma = columns(hidden, 21),
          .input_beta = columns(hidden, 22),
          .w = on_device({width, hidden}, 23),
          .b = columns(width, 24),
          .hidden_gamma = columns(width, 25),
          .hidden_beta = columns(width, 26),
          .output_w = on_device({outputs, width}, 27, DType::kFloat32),
          .output_b = zeros({outputs}, DType::kFloat32, Device::kCuda)};
}

RowRoom room(std::int64_t rows, std::int64_t hidden, std::int64_t sentences) {
  return {.x = unwritten(rows, hidden),
          .offsets = full({sentences + 1}, -7, DType::kInt32, Device::kCuda),
          .position = full({rows}, -7, DType::kInt32, Device::kCuda),
          .place = full({rows}, -7, DType::kInt32, Device::kCuda)};
}

ChosenRows rooms(std::int64_t rows, std::int64_t hidden) {
  ChosenRows to;
  to.state = unwritten(rows, hidden);
  to.scan = zeros({choice_scan_size(rows)}, DType::kInt64, Device::kCuda);
  return to;
}

// What is kept of rows, as tensor/packed.h does it.
struct Expected {
  std::vector<std::int32_t> rows, offsets, positions;

  Expected(const Packed& packed, const std::vector<bool>& mask) {
    const std::vector<std::int32_t> begins = ints(packed.offsets), all = ints(packed.position);
    offsets.push_back(0);
    for (std::size_t s = 0; s + 1 < begins.size(); ++s) {
      for (std::int32_t row = begins[s]; row < begins[s + 1]; ++row) {
        if (!mask[static_cast<std::size_t>(row)]) continue;
        rows.push_back(row);
        positions.push_back(all[static_cast<std::size_t>(row)]);
      }
      offsets.push_back(static_cast<std::int32_t>(rows.size()));
    }
  }

  Tensor index() const { return from_values(rows).to(Device::kCuda); }
  std::int64_t count() const { return std::ssize(rows); }
};

void check_set(const RowRoom& got, const Expected& expected) {
  if (got.offsets.defined()) CHECK(ints(got.offsets) == expected.offsets);
  CHECK(ints(rows_from(got.position, 0, expected.count())) == expected.positions);
  CHECK(all_unwritten(rows_from(got.x, expected.count(), got.x.shape()[0])));
}

struct Sizes {
  std::vector<std::int64_t> lengths;
  std::int64_t hidden, width;
};

const std::vector<Sizes>& sizes() {
  static const std::vector<Sizes> all = [] {
    std::vector<Sizes> sizes = {{{}, 64, 16}, {{1}, 64, 16}, {{31}, 64, 16}, {{32}, 384, 96}, {{1, 32}, 384, 96}};
    for (const auto& [sentences, hidden, width] :
         {std::tuple(40, 768, 192), std::tuple(300, 384, 96), std::tuple(300, 1024, 384)}) {
      Sizes& added = sizes.emplace_back(Sizes{{}, hidden, width});
      for (std::int64_t s = 0; s < sentences; ++s) added.lengths.push_back(1 + s * 37 % 45);
    }
    return sizes;
  }();
  return all;
}

Packed packed_rows(const Sizes& c, std::int64_t dummies) {
  std::vector<std::int32_t> examples(c.lengths.size());
  Packed packed = make_packed(c.lengths, examples);
  std::vector<std::int32_t> positions = packed.position.to_vector<std::int32_t>();
  positions.resize(positions.size() + static_cast<std::size_t>(dummies));
  packed.position = from_values(positions).to(Device::kCuda);
  packed.offsets = packed.offsets.to(Device::kCuda);
  packed.tokens += dummies;
  return packed;
}

}  // namespace

TEST_CASE("cuda choose_rows: a gate before attention keeps the rows that ops in turn keep, with and without a branch") {
  if (!has_device()) return;
  for (const Sizes& c : sizes()) {
    for (const bool has_branch : {false, true}) {
      for (const bool asks : {false, true}) {
        const Packed packed = packed_rows(c, 5);
        const std::int64_t n = packed.tokens;
        INFO(n << " rows of " << packed.sentences << " sentences, " << c.hidden << " -> " << c.width
               << (has_branch ? ", a branch" : "") << (asks ? ", first rows ask" : ""));
        RowChoice from;
        from.x = on_device({n, c.hidden}, 1);
        from.predictor = random_predictor(c.hidden, c.width, 2);
        from.state = make_step_state({}, Device::kCuda);
        from.offsets = packed.offsets;
        from.position = packed.position;
        if (has_branch) {
          from.branch = on_device({n, c.hidden}, 2);
          from.norm = {.bias = on_device({c.hidden}, 3, DType::kFloat32),
                       .gamma = on_device({c.hidden}, 4, DType::kFloat32),
                       .beta = on_device({c.hidden}, 5, DType::kFloat32),
                       .epsilon = 1e-5};
        }
        const auto run = [&] {
          ChosenRows to = rooms(n, c.hidden);
          to.keys = room(n, c.hidden, packed.sentences);
          if (asks) {
            to.asking = room(n, c.hidden, packed.sentences);
            to.asking.offsets = Tensor();
          }
          choose_rows(to, from);
          return to;
        };
        const std::int64_t there = n - 5;
        const auto median_of = [&](const Tensor& z) {
          std::vector<float> values = rows_from(z, 0, there).to(Device::kCpu).to_vector<float>();
          std::ranges::nth_element(values, values.begin() + there / 2);
          return static_cast<double>(values[static_cast<std::size_t>(there / 2)]);
        };
        if (there > 0) {  // half of the rows stay
          const double median = median_of(gate_scores(has_branch ? run().state : from.x, from.predictor));
          from.state = make_step_state({.skim_threshold = median}, Device::kCuda);
        }
        const ChosenRows to = run();
        Tensor state = from.x;
        if (has_branch) {
          state = to.state;
          const Tensor expected =
              residual_dropout_layer_norm(from.branch, from.norm.bias, from.x, Tensor(), from.norm.gamma,
                                          from.norm.beta, from.norm.epsilon, {}, false)
                  .y;
          CHECK(relative_difference(rows_from(state, 0, there), rows_from(expected, 0, there)) <= kBFloat16);
          CHECK(all_unwritten(rows_from(state, there, n)));
        }
        const Tensor z = gate_scores(state, from.predictor);
        const std::vector<bool> passing =
            passing_rows(z.select(1, 0), from.state, packed.offsets).to(Device::kCpu).to_vector<bool>();
        const Expected keys(packed, passing);
        if (there > 100) {
          CHECK(keys.count() > there / 3);
          CHECK(keys.count() < there * 2 / 3);
        }
        check_set(to.keys, keys);
        CHECK(same_bits(rows_from(to.keys.x, 0, keys.count()).to(Device::kCpu),
                        index_select(state, keys.index()).to(Device::kCpu)));
        if (asks) {
          const Tensor first = index_select(state, rows_from(packed.offsets, 0, packed.sentences));
          CHECK(same_bits(rows_from(to.asking.x, 0, packed.sentences).to(Device::kCpu), first.to(Device::kCpu)));
        }
        const ChosenRows again = run();
        CHECK(same_bits(again.keys.x.to(Device::kCpu), to.keys.x.to(Device::kCpu)));
      }
    }
  }
}

TEST_CASE("cuda choose_rows: three gates choose keys, rows that ask and rows that are fed, and norm the rest") {
  if (!has_device()) return;
  for (const Sizes& c : sizes()) {
    for (const bool has_places : {false, true}) {
      for (const bool first_ask : {false, true}) {
        for (const std::pair<bool, bool>& how :
             {std::pair(false, false), std::pair(false, true), std::pair(true, false)}) {
          const bool forced = how.first, free = how.second;
          const Packed packed = packed_rows(c, 3);
          const std::int64_t n = packed.tokens, there = n - 3;
          INFO(n << " rows of " << packed.sentences << " sentences, " << c.hidden << " -> " << c.width
                 << (has_places ? ", some frozen" : "") << (first_ask ? ", first rows ask" : "")
                 << (forced ? ", shares" : "") << (free ? ", first rows free" : ""));
          RowChoice from;
          from.x = on_device({n, c.hidden}, 1);
          from.branch = on_device({n, c.hidden}, 2);
          from.predictor = random_predictor(c.hidden, c.width, 3);
          from.norm = {.bias = on_device({c.hidden}, 3, DType::kFloat32),
                       .gamma = on_device({c.hidden}, 4, DType::kFloat32),
                       .beta = on_device({c.hidden}, 5, DType::kFloat32),
                       .epsilon = 1e-5};
          from.state = make_step_state({.skim_threshold = -0.2}, Device::kCuda);
          from.offsets = from.original_offsets = packed.offsets;
          from.position = packed.position;
          from.unfed_gamma = on_device({c.hidden}, 6, DType::kFloat32);
          from.unfed_beta = on_device({c.hidden}, 7, DType::kFloat32);
          from.unfed_epsilon = 1e-5;
          from.forces_shares = forced;
          from.frees_first = free;
          from.shares[0] = 0.6;
          from.shares[2] = 0.4;
          const std::vector<std::int32_t> begins = ints(packed.offsets);
          std::vector<std::int32_t> places(static_cast<std::size_t>(n), -1);
          std::int32_t place = 0;
          for (std::size_t s = 0; s + 1 < begins.size(); ++s) {
            for (std::int32_t row = begins[s]; row < begins[s + 1]; ++row) {
              if ((row == begins[s] && !(free && s % 2 == 0)) || row % 3 != 0)
                places[static_cast<std::size_t>(row)] = place++;
            }
          }
          if (has_places) from.place = from_values(places).to(Device::kCuda);
          ChosenRows to = rooms(n, c.hidden);
          for (RowRoom* set : {&to.keys, &to.asking, &to.fed}) *set = room(n, c.hidden, packed.sentences);
          if (first_ask) to.asking.offsets = Tensor();
          choose_rows(to, from);

          const Tensor z = gate_scores(to.state, from.predictor);
          const auto passing = [&](std::int64_t gate) {
            const Tensor mask = forced
                                    ? evenly_spread_rows(n, packed.offsets, packed.offsets, from.shares[gate])
                                    : passing_rows(z.select(1, gate), from.state, packed.offsets, gate == 0 || !free);
            return mask.to(Device::kCpu).to_vector<bool>();
          };
          const std::vector<bool> key = passing(0), ask = passing(1), feed = passing(2);
          std::vector<bool> asking(key.size()), fed(key.size()), unfed(key.size());
          for (std::size_t s = 0; s + 1 < begins.size(); ++s) {
            for (auto row = static_cast<std::size_t>(begins[s]); row < static_cast<std::size_t>(begins[s + 1]); ++row) {
              const bool is_updated = !has_places || places[row] >= 0;
              const bool is_first = row == static_cast<std::size_t>(begins[s]);
              asking[row] = key[row] && (first_ask ? is_first : ask[row]);
              fed[row] = key[row] && is_updated && feed[row];
              unfed[row] = key[row] && is_updated && !feed[row];
            }
          }
          const Expected keys(packed, key), askers(packed, asking), eaters(packed, fed);
          check_set(to.asking, askers);
          check_set(to.fed, eaters);
          CHECK(ints(to.keys.offsets) == keys.offsets);
          CHECK(ints(rows_from(to.keys.position, 0, keys.count())) == keys.positions);
          if (there == 0) continue;
          CHECK(same_bits(rows_from(to.fed.x, 0, eaters.count()).to(Device::kCpu),
                          index_select(to.state, eaters.index()).to(Device::kCpu)));
          const Tensor normed =
              layer_norm(to.state, from.unfed_gamma, from.unfed_beta, from.unfed_epsilon).y.to(Device::kCpu);
          const Tensor state = to.state.to(Device::kCpu), keys_x = to.keys.x.to(Device::kCpu);
          const Tensor asking_x = to.asking.x.to(Device::kCpu);
          const std::vector<std::int32_t> ask_places = ints(to.asking.place), fed_places = ints(to.fed.place);
          for (std::size_t i = 0; i < keys.rows.size(); ++i) {
            const auto row = static_cast<std::size_t>(keys.rows[i]);
            const auto at = static_cast<std::int64_t>(i);
            const Tensor got = rows_from(keys_x, at, at + 1);
            const auto in = [&](const Expected& set) {
              const auto found = std::ranges::lower_bound(set.rows, keys.rows[i]);
              return found != set.rows.end() && *found == keys.rows[i] ? found - set.rows.begin() : std::ptrdiff_t{-1};
            };
            CHECK(ask_places[i] == in(askers));
            if (fed[row]) {
              CHECK(all_unwritten(got));
              CHECK(fed_places[static_cast<std::size_t>(in(eaters))] == static_cast<std::int32_t>(i));
              continue;
            }
            const Tensor expected = rows_from(unfed[row] ? normed : state, keys.rows[i], keys.rows[i] + 1);
            CHECK(relative_difference(got, expected) <= (unfed[row] ? kBFloat16 : 0));
            if (!asking[row]) continue;
            CHECK(same_bits(rows_from(asking_x, in(askers), in(askers) + 1), got));
          }
        }
      }
    }
  }
}

TEST_CASE("counted rows: none on the CPU, in float32 or where there is no predictor's kernel") {
  CHECK_FALSE(has_counted_rows(Device::kCpu, DType::kBFloat16, 384, 96));
  CHECK_FALSE(has_counted_rows(Device::kCuda, DType::kFloat32, 384, 96));
  CHECK_FALSE(has_counted_rows(Device::kCuda, DType::kBFloat16, 2048, 96));
}
