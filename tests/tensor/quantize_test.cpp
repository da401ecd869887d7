#include "tensor/ops/quantize.h"

#include <cmath>
#include <limits>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("quantize_rows: the largest of a row is 127, the others are the nearest, the even one of two") {
  const Tensor x = from_values<float>({127,    0.5, 1.5, -2.5, -0.49F, -127,     //
                                       0,      0,   0,   0,    0,      0,        //
                                       1e-37F, 0,   0,   0,    0,      -1e-38F,  //
                                       0,      0,   0,   -2,   1,      0},
                                      {4, 6});
  const QuantizedRows q = quantize_rows(x);
  CHECK(q.values.to_vector<std::int8_t>() == std::vector<std::int8_t>{127, 0, 2, -2, 0, -127, 0, 0, 0, 0,    0,  0,  //
                                                                      0,   0, 0, 0,  0, 0,    0, 0, 0, -127, 64, 0});
  CHECK(q.scale.shape() == Shape{4, 1});
  CHECK(q.scale.to_vector<float>() == std::vector<float>{1, 0, 0, 2.0F / 127});
}

TEST_CASE("quantize_rows: back in float32 each element is within half a step, for every length and of any strides") {
  for (const std::int64_t cols : {1, 7, 16, 33, 384, 1001}) {
    const Tensor x = random_normal({12, cols}, 1).transpose(0, 1).contiguous().transpose(0, 1);
    const QuantizedRows q = quantize_rows(x);
    const Tensor back = dequantize_rows(q), original = x.contiguous();
    for (std::int64_t i = 0; i < x.numel(); ++i) {
      const float step = q.scale.data<float>()[i / cols];
      CHECK(std::fabs(back.data<float>()[i] - original.data<float>()[i]) <= 0.5001F * step);
    }
  }
}

TEST_CASE("quantize_rows: a value that is not finite is refused, with its row") {
  for (const double value : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity(),
                             -std::numeric_limits<double>::infinity()}) {
    const Tensor x = full({4, 9}, 1.0);
    x.narrow(0, 2, 1).narrow(1, 8, 1).fill(value);
    CHECK(message_of([&] { quantize_rows(x); }) == "quantize_rows: row 2 holds a value that is not finite");
  }
  CHECK_THROWS_WITH(quantize_rows(full({4}, 1.0)), ContainsSubstring("expected a float32 matrix"));
}

TEST_CASE("dequantize_rows: those that are named, in their order") {
  const QuantizedRows q = quantize_rows(random_normal({6, 20}, 1));
  const Tensor ids = from_values<std::int32_t>({5, 0, 5});
  CHECK(same_bits(dequantize_rows(q, ids), index_select(dequantize_rows(q), ids)));
  CHECK_THROWS_WITH(dequantize_rows(q, from_values<std::int32_t>({6})), ContainsSubstring("out of range"));
  CHECK_THROWS_WITH(dequantize_rows({q.values, q.scale.narrow(0, 0, 5)}),
                    ContainsSubstring("float32 scales [rows, 1], got int8 [6, 20] and float32 [5, 1]"));
}
