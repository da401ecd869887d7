#include "nn/embedding.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "tests/support/catch.h"
#include "tests/support/golden.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("embedding: a sparse gradient is the dense one, row by row") {
  Embedding sparse(5, 2, true, Init::kZeros);
  Embedding dense(5, 2, false, Init::kZeros);
  const Tensor ids = from_values(std::vector<std::int32_t>{3, 1, 3});
  const Variable weight(arange(3).to(DType::kFloat32).reshape({3, 1}));
  sum(sparse(ids) * weight).backward();
  sum(dense(ids) * weight).backward();
  ParameterList sparse_list, dense_list;
  sparse.collect(sparse_list, "e");
  dense.collect(dense_list, "e");
  CHECK_FALSE(sparse.weight.grad().dense().defined());
  CHECK(largest_difference(named_gradients(sparse_list)[0].tensor, named_gradients(dense_list)[0].tensor) == 0);
}

TEST_CASE("embedding: of int8 rows, those that ids name, in float32") {
  Embedding embedding(5, 3);
  const QuantizedRows rows = quantize_rows(embedding.weight.value());
  embedding.weight.quantize();
  const Tensor ids = from_values<std::int64_t>({0, 4, 2, 2, 1, 0}, {2, 3});
  CHECK(same_bits(embedding(ids).value(), dequantize_rows(rows, ids.reshape({6})).reshape({2, 3, 3})));
}

TEST_CASE("embedding: ids of any shape, int32 or int64") {
  const Embedding embedding(5, 3);
  const Tensor ids = from_values<std::int64_t>({0, 4, 2, 2, 1, 0}, {2, 3});
  const Tensor rows = embedding(ids).value();
  CHECK(rows.shape() == Shape{2, 3, 3});
  CHECK(rows.to_vector<float>() == embedding(ids.reshape({6})).value().to_vector<float>());
  CHECK(rows[1][1].to_vector<float>() == embedding.weight.value()[1].to_vector<float>());
}
