#include "tensor/ops/index.h"

#include <cmath>

#include "tensor/ops/elementwise.h"
#include "tensor/ops/reduce.h"
#include "tensor/packed.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

using Ints = std::vector<std::int32_t>;
using Floats = std::vector<float>;

Ints ints(const Tensor& x) { return x.to_vector<std::int32_t>(); }
Floats floats(const Tensor& x) { return x.to_vector<float>(); }

Tensor mask(const std::vector<int>& kept) {
  const Tensor x = empty({static_cast<std::int64_t>(kept.size())}, DType::kBool);
  for (std::size_t i = 0; i < kept.size(); ++i) x.data<bool>()[i] = kept[i] != 0;
  return x;
}

}  // namespace

TEST_CASE("packed: offsets, examples and positions of sentences, empty ones too") {
  const Packed packed = make_packed({3, 0, 2}, {10, 11, 12});
  CHECK(ints(packed.offsets) == Ints{0, 3, 3, 5});
  CHECK(ints(packed.example) == Ints{10, 10, 10, 12, 12});
  CHECK(ints(packed.position) == Ints{0, 1, 2, 0, 1});
  CHECK(packed.tokens == 5);
  CHECK(packed.sentences == 3);
  const Packed none = make_packed({}, {});
  CHECK(ints(none.offsets) == Ints{0});
  CHECK(none.tokens == 0);
  CHECK(message_of([] { make_packed({1}, {}); }) == "make_packed: 1 lengths but 0 example ids");
  CHECK(message_of([] { make_packed({1, -1}, {0, 1}); }) == "make_packed: sentence 1 has length -1");
}

TEST_CASE("keep: compacts all sentences at once, keeping order, examples and original positions") {
  const Packed packed = make_packed({3, 2, 0, 4}, {10, 11, 12, 13});
  const Kept kept = keep(packed, mask({1, 0, 1, 0, 0, 0, 1, 1, 1}));
  CHECK(ints(kept.rows) == Ints{0, 2, 6, 7, 8});
  CHECK(ints(kept.packed.offsets) == Ints{0, 2, 2, 2, 5});
  CHECK(ints(kept.packed.example) == Ints{10, 10, 13, 13, 13});
  CHECK(ints(kept.packed.position) == Ints{0, 2, 1, 2, 3});
  CHECK(kept.packed.tokens == 5);
  CHECK(kept.packed.sentences == 4);

  const Kept again = keep(kept.packed, mask({0, 1, 0, 0, 1}));
  CHECK(ints(again.rows) == Ints{1, 4});
  CHECK(ints(again.packed.position) == Ints{2, 3});
  CHECK(ints(again.packed.offsets) == Ints{0, 1, 1, 1, 2});
}

TEST_CASE("keep: everything, nothing, and from nothing") {
  const Packed packed = make_packed({2, 1}, {4, 5});
  const Kept all = keep(packed, mask({1, 1, 1}));
  CHECK(ints(all.rows) == Ints{0, 1, 2});
  CHECK(ints(all.packed.offsets) == ints(packed.offsets));
  const Kept none = keep(packed, mask({0, 0, 0}));
  CHECK(none.rows.numel() == 0);
  CHECK(none.packed.tokens == 0);
  CHECK(ints(none.packed.offsets) == Ints{0, 0, 0});
  CHECK(none.packed.example.numel() == 0);
  CHECK(keep(none.packed, mask({})).packed.tokens == 0);
  CHECK(keep(make_packed({}, {}), mask({})).packed.tokens == 0);
  CHECK(message_of([&] { keep(packed, mask({1, 1})); }) == "keep: expected a bool mask of [3], got bool [2]");
  CHECK(message_of([&] { keep(packed, zeros({3})); }) == "keep: expected a bool mask of [3], got float32 [3]");
}

TEST_CASE("keep_into: the same without reading back, dummies behind the survivors") {
  const Packed packed = make_packed({3, 2, 0, 4}, {10, 11, 12, 13});
  const Kept kept = room_for(make_packed({12, 0, 0, 0}, {0, 0, 0, 0}));
  keep_into(kept, packed, mask({1, 0, 1, 0, 0, 0, 1, 1, 1}));
  CHECK(kept.packed.count().item() == 5);
  CHECK(ints(kept.rows.narrow(0, 0, 9)) == Ints{0, 2, 6, 7, 8, -1, -1, -1, -1});
  CHECK(ints(kept.packed.offsets) == Ints{0, 2, 2, 2, 5});
  const Kept some = front(kept, 6);
  CHECK(some.packed.tokens == 6);
  CHECK(ints(some.packed.example) == Ints{10, 10, 13, 13, 13, 0});
  CHECK(ints(some.packed.position) == Ints{0, 2, 1, 2, 3, 0});
  CHECK(message_of([&] {
          keep_into(room_for(packed), make_packed({10, 0, 0, 0}, {0, 0, 0, 0}), full({10}, 1, DType::kBool));
        }) == "keep: 10 rows of 4 sentences do not fit room for 9 of 4");
}

TEST_CASE("index_select and index_copy: -1 names no row") {
  const Tensor x = from_values<float>({1, 2, 3, 4, 5, 6}, {3, 2});
  const Tensor index = from_values<std::int32_t>({2, -1, 0});
  CHECK(floats(index_select(x, index)) == Floats{5, 6, 0, 0, 1, 2});
  CHECK(floats(index_copy(x, index, full({3, 2}, 9))) == Floats{9, 9, 3, 4, 9, 9});
  const Tensor y = full({3, 2}, 7);
  index_select_into(y, x, index);
  CHECK(floats(y) == Floats{5, 6, 0, 0, 1, 2});
  index_copy_to(y, index, full({3, 2}, 9));
  CHECK(floats(y) == Floats{9, 9, 0, 0, 9, 9});
  CHECK(message_of([&] {
          index_select_into(zeros({2, 2}), x, index);
        }) == "index_select: expected 3 rows like those of float32 [3, 2] to write, got float32 [2, 2]");
}

TEST_CASE("index_add and coalesce: -1 names no row") {
  const Tensor rows = from_values<float>({1, 2, 3, 4, 5, 6, 7, 8}, {4, 2});
  for (const DType dtype : {DType::kInt32, DType::kInt64}) {
    const Tensor index = from_values<std::int32_t>({1, -1, 0, 1}).to(dtype);
    CHECK(floats(index_add(rows, index, 3)) == Floats{5, 6, 8, 10, 0, 0});
  }
  const SparseRows sums = coalesce({from_values<std::int32_t>({1, -1, 0, 1}), rows});
  CHECK(ints(sums.ids) == Ints{0, 1, -1, -1});
  CHECK(floats(sums.rows) == Floats{5, 6, 8, 10, 0, 0, 0, 0});
  const SparseRows none = coalesce({full({2}, -1, DType::kInt32), full({2, 2}, 3)});
  CHECK(ints(none.ids) == Ints{-1, -1});
  CHECK(floats(none.rows) == Floats{0, 0, 0, 0});
  CHECK(message_of([&] {
          index_add(rows, from_values<std::int32_t>({0, 1, -2, 0}), 3);
        }) == "index_add: index -2 is out of range for dimension 0 of size 3");
}

TEST_CASE("first_rows: one row a sentence, with its example and position") {
  const Packed packed = make_packed({3, 1, 2}, {10, 11, 12});
  const Kept first = first_rows(packed);
  CHECK(ints(first.rows) == Ints{0, 3, 4});
  CHECK(ints(first.packed.offsets) == Ints{0, 1, 2, 3});
  CHECK(ints(first.packed.example) == Ints{10, 11, 12});
  CHECK(ints(first.packed.position) == Ints{0, 0, 0});
  CHECK(first.packed.tokens == 3);
  CHECK(ints(first_rows(keep(packed, mask({0, 1, 1, 1, 0, 1})).packed).packed.position) == Ints{1, 0, 1});
  CHECK(first_rows(make_packed({}, {})).packed.tokens == 0);
  CHECK(message_of([] { first_rows(make_packed({2, 0}, {0, 1})); }) == "first_rows: sentence 1 has no rows");
}

TEST_CASE("index_select and index_add: rows of every dtype, added in order") {
  const Tensor x = arange(6).reshape({3, 2});
  const Tensor index = from_values<std::int32_t>({2, 0, 2});
  for (const DType dtype : {DType::kInt64, DType::kBFloat16, DType::kFloat32, DType::kFloat64}) {
    CHECK(ints(index_select(x.to(dtype), index).to(DType::kInt32)) == Ints{4, 5, 0, 1, 4, 5});
  }
  CHECK(floats(index_add(from_values<float>({1, 2, 3, 4, 5, 6}, {3, 2}), index, 4)) == Floats{3, 4, 0, 0, 6, 8, 0, 0});
  // (1e8 + 1) - 1e8 is 0 and (1e8 - 1e8) + 1 is 1 in float32: the order shows.
  const Tensor same = zeros({3}, DType::kInt32);
  CHECK(floats(index_add(from_values<float>({1e8f, 1, -1e8f}, {3, 1}), same, 1)) == Floats{0});
  CHECK(floats(index_add(from_values<float>({1e8f, -1e8f, 1}, {3, 1}), same, 1)) == Floats{1});
}

TEST_CASE("index_select and index_add: what is out of range or does not fit says so") {
  const Tensor x = zeros({5, 2});
  CHECK(message_of([&] {
          index_select(x, from_values<std::int32_t>({0, 9}));
        }) == "index_select: index 9 is out of range for dimension 0 of size 5");
  CHECK(message_of([&] { index_select(x, from_values<std::int64_t>({-2})); }) ==
        "index_select: index -2 is out of range for dimension 0 of size 5");
  CHECK(message_of([&] { index_select(x, zeros({1})); }) ==
        "index_select: expected int32 or int64 indices, got float32");
  CHECK(message_of([&] {
          index_select(x, arange(4).reshape({2, 2}));
        }) == "index_select: expected x [n, ...] and index [m], got [5, 2] and [2, 2]");
  CHECK(message_of([&] { index_add(x, arange(5), 4); }) ==
        "index_add: index 4 is out of range for dimension 0 of size 4");
  CHECK(message_of([&] {
          index_add_to(x, zeros({3, 2}), arange(2));
        }) == "index_add: expected rows of float32 [5, 2] for 2 indices, got float32 [3, 2]");
  CHECK(message_of([&] {
          index_add_to(x, zeros({2, 2}, DType::kFloat64), arange(2));
        }) == "index_add: expected rows of float32 [5, 2] for 2 indices, got float64 [2, 2]");
  CHECK(message_of([&] { index_add_to(zeros({}), zeros({2, 2}), arange(2)); }) != "no error");
}

TEST_CASE("coalesce: ascending distinct ids, each with its rows' sum in their order") {
  const SparseRows sparse{from_values<std::int32_t>({7, 2, 7, 0, 7}),
                          from_values<float>({1e8f, 10, 5, 20, 1, 30, 6, 40, -1e8f, 50}, {5, 2})};
  const SparseRows padded = coalesce(sparse);
  CHECK(ints(padded.ids) == Ints{0, 2, 7, -1, -1});
  CHECK(floats(padded.rows.narrow(0, 3, 2)) == Floats{0, 0, 0, 0});
  const SparseRows sums = named_rows(padded);
  CHECK(ints(sums.ids) == Ints{0, 2, 7});
  CHECK(floats(sums.rows) == Floats{6, 40, 5, 20, 0, 90});  // (1e8 + 1) - 1e8 is 0 in float32
  const SparseRows none = coalesce({zeros({0}, DType::kInt32), zeros({0, 2})});
  CHECK(none.ids.numel() == 0);
  CHECK(none.rows.shape() == Shape{0, 2});
  CHECK(message_of([] {
          coalesce({zeros({2}, DType::kInt32), zeros({3, 2})});
        }) == "coalesce: expected int32 ids [n] and rows [n, cols], got [2] and [3, 2]");
}

TEST_CASE("coalesce and index_add: the same bits for one and two threads") {
  const Tensor ids = empty({3000}, DType::kInt32);
  for (std::int32_t i = 0; i < 3000; ++i) ids.data<std::int32_t>()[i] = i * 37 % 101;
  const Tensor rows = random_normal({3000, 130}, 1);
  const auto both = [&](int n) {
    const ThreadCount threads(n);
    const SparseRows sums = named_rows(coalesce({ids, rows}));
    return std::pair(sums.rows, index_add(rows, ids, 101));
  };
  const auto [sums1, added1] = both(1);
  const auto [sums2, added2] = both(2);
  CHECK(same_bits(sums1, sums2));
  CHECK(same_bits(added1, added2));
  CHECK(same_bits(sums1, added1));  // every id occurs
}

TEST_CASE("reductions: sums and maxima over any dimension, of any layout") {
  const Tensor x = arange(24, DType::kFloat32).reshape({2, 3, 4});
  CHECK(sum(x).item() == 276);
  CHECK(floats(sum(x, 0)) == Floats{12, 14, 16, 18, 20, 22, 24, 26, 28, 30, 32, 34});
  CHECK(floats(sum(x, 1)) == Floats{12, 15, 18, 21, 48, 51, 54, 57});
  CHECK(floats(sum(x, -1)) == Floats{6, 22, 38, 54, 70, 86});
  CHECK(floats(sum(x.transpose(0, 2), 0)) == Floats{6, 54, 22, 70, 38, 86});
  CHECK(floats(max(x, 0)) == Floats{12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23});
  CHECK(floats(max(x, -1)) == Floats{3, 7, 11, 15, 19, 23});
  CHECK(sum(zeros({0})).item() == 0);
  CHECK(sum(zeros({3, 0}), 1).to_vector<float>() == Floats{0, 0, 0});
  CHECK(sum(zeros({0, 2}), 0).to_vector<float>() == Floats{0, 0});
  CHECK(floats(sum_to(x, {3, 1})) == Floats{60, 92, 124});
  CHECK(sum_to(x, {}).item() == 276);
  CHECK(sum_to(x, {2, 3, 4}).shares_storage(x));
  CHECK(message_of([&] { max(zeros({2, 0}), 1); }) == "max: the dimensions to go over have no entries in [2, 0]");
  CHECK(message_of([&] { sum(x, 3); }) == "sum: dimension 3 is out of range for rank 3");
  CHECK(message_of([&] { sum_to(x, {2, 2, 3, 4}); }) == "sum_to: [2, 2, 3, 4] does not expand to [2, 3, 4]");
  CHECK(message_of([] { sum(arange(3)); }) == "sum: expected float32 or float64, got int32");
}

TEST_CASE("max: NaN where there is one, wherever it lies") {
  const float nan = std::nanf("");
  const Tensor x = from_values<float>({nan, 1, 2, 1, nan, 2, 1, 2, nan, 1, 2, 0}, {4, 3});
  for (const Tensor& y : {max(x, 1), max(x.to(DType::kFloat64), 1).to(DType::kFloat32), max(x.transpose(0, 1), 0)}) {
    CHECK(difference(y, from_values<float>({nan, nan, nan, 2}), {0, 0}) == "");
  }
  CHECK(std::isnan(max(full({3000}, nan), 0).item()));
}

TEST_CASE("reductions: long float32 sums lose little") {
  const Tensor x = full({1000003}, 0.1);
  CHECK(sum(x).item() == Approx(1000003 * double{0.1f}).epsilon(1e-4));  // one after the other it would be 1e-2
}

TEST_CASE("segments: sums and their spreading back") {
  const Tensor offsets = from_values<std::int32_t>({0, 2, 2, 5});
  CHECK(floats(segment_sum(from_values<float>({1, 2, 3, 4, 5}), offsets)) == Floats{3, 0, 12});
  CHECK(floats(segment_broadcast(from_values<float>({7, 8, 9}), offsets, 5)) == Floats{7, 7, 9, 9, 9});
  const auto sum_of = [](const std::vector<std::int32_t>& bounds) {
    return message_of([&] { segment_sum(zeros({5}), from_values(bounds)); });
  };
  CHECK(sum_of({0, 4}) == "segment_sum: offsets must run from 0 to 5, got 0 to 4");
  CHECK(sum_of({0, 6}) == "segment_sum: offsets must run from 0 to 5, got 0 to 6");
  CHECK(sum_of({1, 5}) == "segment_sum: offsets must run from 0 to 5, got 1 to 5");
  CHECK(sum_of({0, 3, 2, 5}) == "segment_sum: offsets descend at segment 1");
  CHECK(message_of([&] { segment_broadcast(zeros({2}), offsets, 5); }) == "segment_broadcast: expected [3], got [2]");
}

TEST_CASE("elementwise: in place, comparisons and what does not fit") {
  const Tensor y = from_values<float>({1, 2, 3});
  add_to(y, from_values<float>({10, 20, 30}));
  CHECK(floats(y) == Floats{11, 22, 33});
  CHECK(y.version() == 1);
  CHECK(floats(affine(y, 2, -1)) == Floats{21, 43, 65});
  CHECK(greater(y, 11).to_vector<bool>() == std::vector<bool>{false, true, true});
  CHECK(message_of([&] { add_to(y, zeros({2})); }) ==
        "add_to: expected a contiguous float32 [2] to add to, got float32 [3]");
  CHECK(message_of([&] { add(y, zeros({3}, DType::kFloat64)); }) == "add: dtypes differ: float32 and float64");
  CHECK(message_of([&] { add(y, zeros({2})); }) == "add: shapes do not broadcast: [3] and [2]");
  CHECK(message_of([&] { exp(arange(3)); }) == "exp: expected float32 or float64, got int32");
}
