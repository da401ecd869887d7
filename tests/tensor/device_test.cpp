// Kernels of a device beside the CPU's: products, rows by index, and what the optimizer does.
#include <cmath>

#include "tensor/ops/elementwise.h"
#include "tensor/ops/index.h"
#include "tensor/ops/matmul.h"
#include "tensor/ops/optim.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

using Ints = std::vector<std::int32_t>;

Tensor gpu(const Tensor& x) { return x.to(Device::kCuda); }

SparseRows gpu(const SparseRows& sparse) { return {gpu(sparse.ids), gpu(sparse.rows)}; }

// x from one element behind an address that vector accesses need.
Tensor unaligned(const Tensor& x) {
  const Tensor y = zeros({x.numel() + 1}, x.dtype(), x.device()).narrow(0, 1, x.numel());
  y.copy_from(x.reshape({x.numel()}));
  return y.reshape(x.shape());
}

struct Size {
  std::int64_t m, k, n;
};

// Of sums of k products of normal numbers: k roundings of a sum of size sqrt(k), at random. Inputs are exact.
Tolerance product_tolerance(DType dtype, std::int64_t k) {
  const double size = std::sqrt(static_cast<double>(k));
  if (dtype == DType::kBFloat16) return {0.01 * size, 0.01};  // the result is rounded
  return dtype == DType::kFloat32 ? Tolerance{5e-6 * size, 1e-5} : Tolerance{1e-14 * size, 1e-13};
}

constexpr DType kFloats[] = {DType::kFloat64, DType::kFloat32, DType::kBFloat16};

// n random ids below `different`.
Ints ids_of(std::int64_t n, std::int32_t different, std::uint64_t seed) {
  Generator generator(seed, Purpose::kData);
  Ints ids;
  for (std::int64_t i = 0; i < n; ++i) {
    ids.push_back(static_cast<std::int32_t>(generator.below(static_cast<std::uint32_t>(different))));
  }
  return ids;
}

StepState settings(std::int64_t step) {
  StepState state;
  state.step = step;
  state.learning_rate[0] = 1e-2;
  state.learning_rate[1] = 3e-3;
  state.weight_decay[0] = 0.1;
  state.max_grad_norm = 1;
  state.grad_norm = 3;
  return state;
}

// Segments: rows of begin, end and group, the odd ones without decay.
Tensor table(const std::vector<std::int64_t>& rows) {
  const auto n = static_cast<std::int64_t>(rows.size()) / 3;
  const Tensor segments = full({n, 4}, 1, DType::kInt64);
  segments.narrow(1, 0, 3).copy_from(from_values(rows, {n, 3}));
  for (std::int64_t i = 1; i < n; i += 2) segments.data<std::int64_t>()[4 * i + 3] = 0;
  return segments;
}

}  // namespace

TEST_CASE("cuda matmul: equals the CPU's in every dtype, for odd sizes and transposed operands") {
  if (!has_cuda()) return;
  for (const Size s : {Size{1, 1, 1},
                       {3, 5, 7},
                       {17, 1, 9},
                       {1, 64, 33},
                       {257, 31, 193},
                       {64, 384, 384},
                       {300, 1536, 384},
                       {2, 700, 3},
                       {129, 768, 2}}) {
    for (const DType dtype : kFloats) {
      INFO(dtype << ' ' << s.m << " x " << s.k << " x " << s.n);
      const Tensor a = random_normal({s.m, s.k}, 1, dtype);
      const Tensor b = random_normal({s.k, s.n}, 2, dtype);
      const Tensor at = a.transpose(0, 1).contiguous(), bt = b.transpose(0, 1).contiguous();
      const Tensor expected = matmul(a.to(DType::kFloat64), b.to(DType::kFloat64));
      const Tolerance tolerance = product_tolerance(dtype, s.k);
      const Tensor y = matmul(gpu(a), gpu(b));
      CHECK(y.dtype() == dtype);
      CHECK(difference(y, expected, tolerance) == "");
      CHECK(difference(matmul(gpu(at), gpu(b), true, false), expected, tolerance) == "");
      CHECK(difference(matmul(gpu(a), gpu(bt), false, true), expected, tolerance) == "");
      CHECK(difference(matmul(gpu(at), gpu(bt), true, true), expected, tolerance) == "");
      CHECK(same_bits(matmul(gpu(a), gpu(b)), y));
    }
  }
}

TEST_CASE("cuda matmul: into and onto columns of a wider matrix, from columns of wider ones, at odd addresses") {
  if (!has_cuda()) return;
  for (const DType dtype : kFloats) {
    INFO(dtype);
    const Tensor a = random_normal({65, 40}, 1, dtype), b = random_normal({40, 51}, 2, dtype);
    const Tensor product = matmul(a.to(DType::kFloat64), b.to(DType::kFloat64));
    const Tensor wide = full({65, 60}, 5, dtype, Device::kCuda);
    const Tensor y = wide.narrow(1, 3, 51);
    const Tolerance tolerance = product_tolerance(dtype, 40);
    for (const Tensor& x : strided_copies(gpu(a))) {
      for (const Tensor& w : {unaligned(gpu(b)), strided_copies(gpu(b))[1]}) {
        matmul_into(y, false, x, w, false, false);
        CHECK(difference(y, product, tolerance) == "");
        matmul_into(y, true, x, w, false, false);
        CHECK(difference(y, affine(product, 2), {2 * tolerance.absolute, 2 * tolerance.relative}) == "");
      }
    }
    for (const std::int64_t col : {0, 2, 54, 59}) {
      CHECK(difference(wide.narrow(1, col, 1), full({65, 1}, 5), {0, 0}) == "");
    }
  }
}

TEST_CASE("cuda matmul: bfloat16 to float32, written and added") {
  if (!has_cuda()) return;
  const Tensor a = random_normal({700, 65}, 1, DType::kBFloat16), b = random_normal({700, 33}, 2, DType::kBFloat16);
  const Tensor expected = matmul(a.to(DType::kFloat64), b.to(DType::kFloat64), true, false);
  const Tensor y = full({65, 33}, 7, DType::kFloat32, Device::kCuda);
  matmul_into(y, false, gpu(a), gpu(b), true, false);
  CHECK(difference(y, expected, product_tolerance(DType::kFloat32, 700)) == "");
  matmul_into(y, true, gpu(a), gpu(b), true, false);
  CHECK(difference(y, affine(expected, 2), product_tolerance(DType::kFloat32, 4 * 700)) == "");
}

TEST_CASE("cuda matmul: products of nothing are zero, and keep or clear what was there") {
  if (!has_cuda()) return;
  const auto nothing = [](const Shape& shape) { return zeros(shape, DType::kFloat32, Device::kCuda); };
  const Tensor y = full({3, 4}, 7, DType::kFloat32, Device::kCuda);
  matmul_into(y, true, nothing({3, 0}), nothing({0, 4}), false, false);
  CHECK(difference(y, full({3, 4}, 7), {0, 0}) == "");
  matmul_into(y, false, nothing({3, 0}), nothing({0, 4}), false, false);
  CHECK(difference(y, zeros({3, 4}), {0, 0}) == "");
  CHECK(matmul(nothing({0, 3}), nothing({3, 4})).shape() == Shape{0, 4});
  const Tensor bias = full({3}, 2, DType::kFloat32, Device::kCuda);
  CHECK(difference(linear(nothing({2, 0}), nothing({3, 0}), bias), full({2, 3}, 2), {0, 0}) == "");
  CHECK(linear(nothing({0, 5}), nothing({3, 5}), bias).shape() == Shape{0, 3});
}

TEST_CASE("cuda linear: the bias is added in every dtype, from any address") {
  if (!has_cuda()) return;
  for (const Size s : {Size{1, 5, 1}, {7, 384, 2}, {33, 65, 3}, {300, 384, 1536}, {257, 33, 129}}) {
    for (const DType dtype : kFloats) {
      INFO(dtype << ' ' << s.m << " x " << s.k << " x " << s.n);
      const Tensor x = random_normal({s.m, s.k}, 1, dtype), w = random_normal({s.n, s.k}, 2, dtype);
      const Tensor bias = random_normal({s.n}, 3, dtype);
      const auto wide = [](const Tensor& t) { return t.to(DType::kFloat64); };
      const Tensor expected = linear(wide(x), wide(w), wide(bias));
      const Tolerance tolerance = product_tolerance(dtype, s.k + 1);
      CHECK(difference(linear(gpu(x), gpu(w), gpu(bias)), expected, tolerance) == "");
      CHECK(difference(linear(gpu(x), gpu(w), unaligned(gpu(bias))), expected, tolerance) == "");
      CHECK(difference(linear(gpu(x), gpu(w), Tensor()), linear(wide(x), wide(w), Tensor()), tolerance) == "");
    }
  }
}

TEST_CASE("cuda matmul: batches, each alone") {
  if (!has_cuda()) return;
  for (const DType dtype : kFloats) {
    INFO(dtype);
    const Tensor a = random_normal({3, 5, 7}, 1, dtype), b = random_normal({3, 7, 4}, 2, dtype);
    const Tensor expected = matmul(a.to(DType::kFloat64), b.to(DType::kFloat64));
    const Tolerance tolerance = product_tolerance(dtype, 7);
    CHECK(difference(matmul(gpu(a), gpu(b)), expected, tolerance) == "");
    CHECK(difference(matmul(gpu(a.transpose(1, 2)), gpu(b), true, false), expected, tolerance) == "");
    CHECK(difference(matmul(gpu(a), gpu(b.transpose(1, 2)), false, true), expected, tolerance) == "");
  }
}

TEST_CASE("cuda index_select and index_copy: rows of every dtype, length and address, of a repeated index the last") {
  if (!has_cuda()) return;
  const Ints ids = ids_of(300, 70, 1);
  const Tensor index = from_values(ids);
  for (const DType dtype :
       {DType::kBool, DType::kInt8, DType::kInt32, DType::kInt64, DType::kBFloat16, DType::kFloat32, DType::kFloat64}) {
    for (const Shape& shape : std::vector<Shape>{{70}, {70, 1}, {70, 3}, {70, 64}, {70, 2, 100}, {70, 0}}) {
      INFO(dtype << ' ' << shape);
      Shape rows_shape = shape;
      rows_shape[0] = 300;
      const Tensor x = random_normal(shape, 2).to(dtype), rows = random_normal(rows_shape, 3).to(dtype);
      for (const Tensor& of : {index, index.to(DType::kInt64)}) {
        CHECK(same_bits(index_select(gpu(x), gpu(of)), index_select(x, of)));
        CHECK(same_bits(index_select(unaligned(gpu(x)), gpu(of)), index_select(x, of)));
        CHECK(same_bits(index_copy(gpu(x), gpu(of), gpu(rows)), index_copy(x, of, rows)));
        CHECK(same_bits(index_copy(gpu(x), gpu(of), unaligned(gpu(rows))), index_copy(x, of, rows)));
      }
    }
  }
}

TEST_CASE("cuda index_add and coalesce: near the CPU's sums, the same bits again, long and short runs of an index") {
  if (!has_cuda()) return;
  for (const std::int32_t different : {1, 2, 40, 512, 30000}) {
    for (const std::int64_t cols : {1, 5, 130, 384}) {
      INFO(different << " ids, " << cols << " columns");
      const Tensor index = from_values(ids_of(3000, different, 1));
      const Tensor x = random_normal({3000, cols}, 2, DType::kFloat64);
      const Tensor expected = index_add(x, index, different);
      for (const DType dtype : kFloats) {
        const Tensor rows = gpu(x.to(dtype));
        // Up to 3000 terms that were rounded on their own; float32 sums lose less.
        const Tolerance tolerance = dtype == DType::kFloat64   ? Tolerance{1e-11, 1e-12}
                                    : dtype == DType::kFloat32 ? kFloat32LongSums
                                                               : Tolerance{0.5, 0.01};
        const Tensor sums = index_add(rows, gpu(index.to(DType::kInt64)), different);
        CHECK(difference(sums, expected, tolerance) == "");
        CHECK(same_bits(index_add(rows, gpu(index), different), sums));
        CHECK(same_bits(index_add(unaligned(rows), gpu(index), different), sums));
        const SparseRows padded = coalesce({gpu(index), rows});
        const SparseRows of_cpu = coalesce({index, x});
        CHECK(same_bits(padded.ids, of_cpu.ids));
        CHECK(difference(padded.rows, of_cpu.rows, tolerance) == "");
        const SparseRows named = named_rows(padded);
        CHECK(same_bits(index_select(sums, named.ids), named.rows));
        CHECK(difference(padded.rows.narrow(0, named.ids.numel(), 3000 - named.ids.numel()),
                         zeros({3000 - named.ids.numel(), cols}), {0, 0}) == "");
      }
    }
  }
  const SparseRows none = coalesce(gpu(SparseRows{zeros({0}, DType::kInt32), zeros({0, 2})}));
  CHECK(none.rows.shape() == Shape{0, 2});
  const Tensor y = full({2, 3}, 1, DType::kFloat32, Device::kCuda);
  index_add_to(y, full({4, 3}, 2, DType::kFloat32, Device::kCuda), gpu(from_values<std::int32_t>({1, 1, 1, 1})));
  CHECK(y.to_vector<float>() == std::vector<float>{1, 1, 1, 9, 9, 9});
}

TEST_CASE("cuda index_add and coalesce: -1 names no row, one or many of them") {
  if (!has_cuda()) return;
  for (const std::int32_t every : {1, 2, 700}) {
    for (const std::int64_t cols : {5, 130}) {
      INFO("an index of -1 in " << every << ", " << cols << " columns");
      Ints ids = ids_of(3000, 40, 1);
      for (std::size_t i = 0; i < ids.size(); i += static_cast<std::size_t>(every)) ids[i] = -1;
      const Tensor index = from_values(ids), x = random_normal({3000, cols}, 2, DType::kFloat64);
      CHECK(difference(index_add(gpu(x), gpu(index), 40), index_add(x, index, 40), {1e-11, 1e-12}) == "");
      const SparseRows sums = coalesce({gpu(index), gpu(x)}), expected = coalesce({index, x});
      CHECK(same_bits(sums.ids, expected.ids));
      CHECK(difference(sums.rows, expected.rows, {1e-11, 1e-12}) == "");
    }
  }
  CHECK(message_of([] { synchronize(Device::kCuda); }) == "no error");
}

TEST_CASE("cuda row_runs: sums by runs that were made before have the bits of those that make their own") {
  if (!has_cuda()) return;
  for (const bool some_name_none : {false, true}) {
    Ints ids = ids_of(3000, 40, 1);
    for (std::size_t i = 0; some_name_none && i < ids.size(); i += 7) ids[i] = -1;
    const Tensor index = gpu(from_values(ids)), x = gpu(random_normal({3000, 130}, 2));
    const RowRuns runs = row_runs(index, 40);
    const SparseRows own = coalesce({index, x}), given = coalesce({index, x}, runs);
    CHECK(same_bits(given.ids, own.ids));
    CHECK(same_bits(given.rows, own.rows));
    const Tensor sums = gpu(full({40, 130}, 3));
    index_add_into({sums, false}, x, runs);
    CHECK(same_bits(sums, index_add(x, index, 40)));
    const Tensor more = sums.clone(), expected = sums.clone();
    index_add_into({more, true}, x, runs);
    index_add_to(expected, x, index);
    CHECK(same_bits(more, expected));
  }
  CHECK(message_of([] {
          index_add_into({gpu(zeros({4, 2})), false}, gpu(zeros({3, 2})), row_runs(gpu(zeros({2}, DType::kInt32)), 4));
        }) == "index_add: expected 2 rows of float32, got float32 [3, 2]");
  CHECK_FALSE(row_runs(from_values<std::int32_t>({1}), 2).defined());
}

TEST_CASE("cuda index: what is out of range is said when the host waits") {
  if (!has_cuda()) return;
  const Tensor x = zeros({5, 2}, DType::kFloat32, Device::kCuda);
  const Tensor bad = gpu(from_values<std::int32_t>({0, 5}));
  const auto after = [&](auto f) {
    return message_of([&] {
      f();
      synchronize(Device::kCuda);
    });
  };
  const std::string message = "cuda: an index was out of range in a kernel that ran before this point";
  CHECK(after([&] { index_select(x, bad); }) == message);
  CHECK(after([&] { index_select(x, gpu(from_values<std::int64_t>({-2}))); }) == message);
  CHECK(after([&] { index_add(x.narrow(0, 0, 2), bad, 5); }) == message);
  CHECK(after([&] { index_copy(x, bad, x.narrow(0, 0, 2)); }) == message);
  CHECK(after([] {}) == "no error");
}

TEST_CASE("cuda keep: equals the CPU's, empty sentences and many rows too") {
  if (!has_cuda()) return;
  for (const std::int64_t sentences : {0, 1, 5, 300}) {
    for (const double share : {0.0, 0.3, 1.0}) {
      INFO(sentences << " sentences, " << share);
      Generator generator(3, Purpose::kData);
      std::vector<std::int64_t> lengths;
      Ints examples;
      for (std::int64_t i = 0; i < sentences; ++i) {
        lengths.push_back(generator.below(100));
        examples.push_back(static_cast<std::int32_t>(i));
      }
      const Packed packed = make_packed(lengths, examples);
      const Tensor mask = empty({packed.tokens}, DType::kBool);
      for (std::int64_t i = 0; i < packed.tokens; ++i) mask.data<bool>()[i] = generator.uniform() < share;
      const Kept expected = keep(packed, mask);
      const Kept kept = keep(to(packed, Device::kCuda), gpu(mask));
      CHECK(same_bits(kept.rows, expected.rows));
      CHECK(same_bits(kept.packed.offsets, expected.packed.offsets));
      CHECK(same_bits(kept.packed.example, expected.packed.example));
      CHECK(same_bits(kept.packed.position, expected.packed.position));
    }
  }
}

TEST_CASE("cuda adamw and sgd: near the CPU's, whatever the segments and addresses") {
  if (!has_cuda()) return;
  constexpr std::int64_t kN = 100003;
  std::vector<std::int64_t> many;  // 700 segments that are no multiple of anything, with gaps, the last of them first
  for (std::int64_t i = 699; i >= 0; --i) many.insert(many.end(), {i * 140, i * 140 + 130 + i % 11, i % 2});
  for (const bool aligned : {true, false}) {
    const std::vector<std::vector<std::int64_t>> cuts = {many, {0, kN, 0}, {17, 50001, 1, 50001, kN - 1, 0}, {}};
    for (const std::vector<std::int64_t>& rows : cuts) {
      const auto place = [&](const Tensor& x) { return aligned ? gpu(x) : unaligned(gpu(x)); };
      const Tensor value = random_normal({kN}, 1);
      const Tensor m = zeros({kN}), v = zeros({kN}), momentum = zeros({kN}), moved = value.clone();
      const Tensor copy = zeros({kN}, DType::kBFloat16);
      const Tensor value2 = place(value), m2 = place(m), v2 = place(v), copy2 = place(copy);
      const Tensor momentum2 = place(momentum), moved2 = place(moved);
      for (std::int64_t step = 1; step <= 3; ++step) {
        const Tensor state = make_step_state(settings(step)), state2 = gpu(state);
        const Tensor grad = random_normal({kN}, 10 + static_cast<std::uint64_t>(step));
        const Tensor grad2 = place(grad), other = grad.clone(), other2 = place(grad);
        adamw(value, grad, m, v, copy, table(rows), state, {});
        adamw(value2, grad2, m2, v2, copy2, gpu(table(rows)), state2, {});
        sgd(moved, other, momentum, table(rows), state, 0.8);
        sgd(moved2, other2, momentum2, gpu(table(rows)), state2, 0.8);
        CHECK(same_bits(grad2, grad));  // cleared where it was used
        CHECK(same_bits(other2, other));
      }
      INFO("aligned " << aligned << ", segments " << rows.size() / 3);
      CHECK(difference(value2, value, kFloat32) == "");
      CHECK(difference(m2, m, kFloat32) == "");
      CHECK(difference(v2, v, kFloat32) == "");
      CHECK(difference(moved2, moved, kFloat32) == "");
      CHECK(difference(momentum2, momentum, kFloat32) == "");
      const bool everything = rows.size() == 3;
      CHECK(same_bits(copy2, value2.to(DType::kBFloat16)) == everything);
      CHECK(same_bits(value2.narrow(0, kN - 1, 1), random_normal({kN}, 1).narrow(0, kN - 1, 1)) != everything);
    }
  }
}

TEST_CASE("cuda adamw_rows: the same bits as the dense update of the scattered gradient") {
  if (!has_cuda()) return;
  constexpr std::int64_t kRows = 50;
  for (const double decay : {0.0, 0.1}) {
    for (const std::int64_t cols : {1, 5, 64, 384}) {
      const Tensor start = random_normal({kRows, cols}, 1);
      const Tensor dense = gpu(start), sparse = gpu(start), moved = gpu(start), moved_on_cpu = start.clone();
      const Tensor m = zeros_like(dense), v = zeros_like(dense), m2 = zeros_like(dense), v2 = zeros_like(dense);
      const Tensor touched = zeros({kRows}, DType::kBool, Device::kCuda);
      const auto flat = [](const Tensor& x) { return x.reshape({x.numel()}); };
      for (std::int64_t step = 1; step <= 4; ++step) {
        StepState now = settings(step);
        now.weight_decay[1] = decay;
        const Tensor state = make_step_state(now, Device::kCuda);
        const auto seed = static_cast<std::uint64_t>(step);
        const SparseRows of_cpu = coalesce({from_values(ids_of(12, 30, seed)), random_normal({12, cols}, seed)});
        const SparseRows grad = gpu(of_cpu);
        const SparseRows named = named_rows(grad);
        adamw_rows(sparse, m, v, touched, grad, {1}, state, {});
        adamw(flat(dense), flat(index_add(named.rows, named.ids, kRows)), flat(m2), flat(v2), Tensor(),
              gpu(table({0, kRows * cols, 1})), state, {});
        sgd_rows(moved, grad, 1, state);
        sgd_rows(moved_on_cpu, of_cpu, 1, make_step_state(now));
      }
      INFO("decay " << decay << ", cols " << cols);
      CHECK(same_bits(sparse, dense));
      CHECK(same_bits(m, m2));
      CHECK(same_bits(v, v2));
      CHECK(same_bits(sparse.narrow(0, 30, 20), start.narrow(0, 30, 20)) == (decay == 0));
      CHECK(difference(moved, moved_on_cpu, kFloat32) == "");
      const std::vector<bool> seen = touched.to_vector<bool>();
      for (std::size_t row = 30; row < kRows; ++row) CHECK_FALSE(seen[row]);
    }
  }
}

TEST_CASE("cuda grad_norm: in double, the same bits again") {
  if (!has_cuda()) return;
  for (const std::int64_t n : {0, 1, 7, 16384, 16385, 500009}) {
    INFO(n);
    const Tensor x = random_normal({n}, 1);
    CHECK(norm_of(gpu(x)) == Approx(norm_of(x)).epsilon(1e-12));
    CHECK(norm_of(unaligned(gpu(x))) == norm_of(gpu(x)));
    CHECK(norm_of(gpu(x.to(DType::kFloat64))) == Approx(norm_of(x)).epsilon(1e-12));
    CHECK(norm_of(gpu(x.to(DType::kBFloat16))) == Approx(norm_of(x)).epsilon(4e-3));
  }
}

TEST_CASE("cuda budget: loss, slope and controller equal the CPU's") {
  if (!has_cuda()) return;
  StepState state;
  state.budget = 0.5;
  state.multiplier = 2;
  const Tensor on_cpu = make_step_state(state), on_device = gpu(on_cpu);
  for (const double cost : {0.7, 0.4, 0.5}) {
    for (const DType dtype : {DType::kFloat64, DType::kFloat32}) {
      const Tensor c = full({}, cost, dtype);
      const BudgetOutput expected = budget_loss(c, on_cpu), got = budget_loss(gpu(c), on_device);
      CHECK(got.loss.item() == Approx(expected.loss.item()).epsilon(1e-6));
      CHECK(got.dcost.item() == Approx(expected.dcost.item()).epsilon(1e-6));
      budget_controller(on_cpu, c);
      budget_controller(on_device, gpu(c));
      CHECK(read_step_state(on_device).multiplier == Approx(step_state(on_cpu).multiplier).epsilon(1e-12));
    }
  }
  for (const double cost : {1.0, 0.0}) {
    for (int i = 0; i < 1500; ++i) budget_controller(on_device, full({}, cost, DType::kFloat32, Device::kCuda));
    CHECK(read_step_state(on_device).multiplier == (cost > 0.5 ? 10 : 0));
  }
}
