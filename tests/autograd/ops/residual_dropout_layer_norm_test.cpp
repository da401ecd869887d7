#include "autograd/ops/residual_dropout_layer_norm.h"

#include "tests/autograd/packed_rows.h"
#include "tests/support/catch.h"
#include "tests/support/passes.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("residual_dropout_layer_norm: equals its composed twin, forward and backward") {
  const ThreadCount one(1);
  for (const bool bias : {false, true}) {
    for (const bool scale : {false, true}) {
      for (const double p : {0.0, 0.3}) {
        const DropoutKey key = dropout_key(p, packed_rows());
        Tensors inputs = {normal({15, 7}, 1), normal({15, 7}, 2), normal({7}, 3), normal({7}, 4)};
        if (bias) inputs.push_back(normal({7}, 5));
        if (scale) inputs.push_back(normal({15}, 6));
        const auto with = [&](auto op) {
          return [=](const Variables& x) {
            const Variable b = bias ? x[4] : Variable();
            const Variable s = scale ? x.back() : Variable();
            return op(x[0], b, x[1], s, x[2], x[3], 1e-12, key);
          };
        };
        INFO("bias " << bias << ", scale " << scale << ", p " << p);
        CHECK(difference(run(with(residual_dropout_layer_norm), inputs),
                         run(with(residual_dropout_layer_norm_composed), inputs), kSameInFloat64) == "");
      }
    }
  }
}
