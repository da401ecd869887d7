#include "tensor/ops/unprojected_attention.h"

#include "tensor/ops/attention.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/matmul.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("unprojected_attention: gives what packed_attention over projected keys and values gives") {
  const Packed rows = make_packed({5, 40, 1, 17}, {0, 1, 2, 3});
  const Packed some = make_packed({1, 7, 1, 0}, {0, 1, 2, 3}), first = make_packed({1, 1, 1, 1}, {0, 1, 2, 3});
  for (const auto& [heads, head_size] : {std::pair<std::int64_t, std::int64_t>(1, 8), {4, 8}, {3, 5}, {12, 32}}) {
    const std::int64_t d = heads * head_size;
    const Tensor x = random_normal({rows.tokens, d}, 1), w_key = random_normal({d, d}, 2),
                 w_value = random_normal({d, d}, 3), b_key = random_normal({d}, 4), b_value = random_normal({d}, 5);
    for (const Packed& asking : {some, first, rows}) {
      INFO(heads << " heads of " << head_size << ", " << asking.tokens << " rows ask");
      const Tensor q = affine(random_normal({asking.tokens, d}, 6), 0.1);
      const AttentionKey key = attention_key(heads, asking, rows);
      const Tensor expected =
          packed_attention(q, linear(x, w_key, b_key), linear(x, w_value, b_value), Tensor(), key).y;
      CHECK(difference(unprojected_attention(q, x, w_key, w_value, b_value, key), expected, kFloat32LongSums) == "");
    }
  }
}

TEST_CASE("unprojected_attention: what does not fit is refused") {
  const Packed rows = make_packed({3}, {0});
  const Tensor x = zeros({3, 8}), w = zeros({8, 8}), b = zeros({8});
  AttentionKey key = attention_key(2, rows, rows);
  CHECK(message_of([&] {
          unprojected_attention(zeros({3, 6}), x, w, w, b, key);
        }) == "unprojected_attention: expected q [n, d] and x [m, d], got [3, 6] and [3, 8]");
  CHECK(message_of([&] {
          unprojected_attention(x, x, w, zeros({4, 8}), b, key);
        }) == "unprojected_attention: expected weights [d, d] and a bias [d] of d = 8, got [8, 8], [4, 8] and [8]");
  key.weighting = KeyWeighting::kPaper;
  CHECK(message_of([&] { unprojected_attention(x, x, w, w, b, key); }) ==
        "unprojected_attention: its probabilities add up to one: exact weighting without dropout");
}
