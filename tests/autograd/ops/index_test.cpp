#include "autograd/ops/index.h"

#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("index_select: a sparse gradient is the dense one's rows") {
  const Tensor index = from_values<std::int32_t>({4, 1, 4, 0, 4});
  const Tensor table = random_normal({6, 3}, 1);
  const Variable dense(table, true);
  const Variable sparse(table, true);
  sparse.node()->grad.allow_sparse();
  const Tensor dy = random_normal({5, 3}, 2);
  index_select(dense, index).backward(dy);
  index_select(sparse, index).backward(dy);
  CHECK_FALSE(sparse.grad().defined());
  REQUIRE(sparse.node()->grad.sparse().size() == 1);
  const SparseRows rows = named_rows(coalesce(sparse.node()->grad.sparse()[0]));
  CHECK(rows.ids.to_vector<std::int32_t>() == std::vector<std::int32_t>{0, 1, 4});
  CHECK(same_bits(index_add(rows.rows, rows.ids, 6), dense.grad()));

  index_select(sparse, index).backward(dy);
  CHECK(sparse.node()->grad.sparse().size() == 2);
  sparse.zero_grad();
  CHECK_FALSE(sparse.node()->grad.filled());
}
