#include "autograd/node.h"

#include "autograd/ops/elementwise.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/shape.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/matmul.h"
#include "tensor/ops/reduce.h"
#include "tests/autograd/leaves.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("gradient buffer: the first gradient is written over it and later ones are added") {
  const Tensor flat = zeros({10});
  const Variable w(random_normal({2, 3}, 1), true);
  const Tensor range = flat.narrow(0, 2, 6).reshape({2, 3});
  w.node()->grad.use_buffer(range);
  const Variable x(random_normal({4, 3}, 2));
  const auto loss = [&] { return linear(x, w, Variable()); };
  const Tensor dy = random_normal({4, 2}, 3);

  CHECK_FALSE(w.node()->grad.filled());
  range.fill(7);  // must not be read
  loss().backward(dy);
  CHECK(w.grad().shares_storage(flat));
  const Tensor once = w.grad().clone();
  CHECK(same_bits(once, tk::matmul(dy, x.value(), true, false)));
  loss().backward(dy);
  CHECK(difference(w.grad(), affine(once, 2), kFloat32) == "");
  (w * 1.0).backward(full({2, 3}, 1));
  CHECK(difference(w.grad(), affine(once, 2, 1), kFloat32) == "");
  CHECK(flat.narrow(0, 0, 2).to_vector<float>() == Values{0, 0});
  CHECK(flat.narrow(0, 8, 2).to_vector<float>() == Values{0, 0});

  w.zero_grad();
  CHECK_FALSE(w.node()->grad.filled());
  (w * 2.0).backward(full({2, 3}, 1));  // a whole gradient is copied in
  CHECK(w.grad().shares_storage(flat));
  CHECK(grad(w) == Values(6, 2.0f));
  w.zero_grad();
  narrow(w, 0, 1, 1).backward(full({1, 3}, 4));  // a range is added to zeros
  CHECK(grad(w) == Values{0, 0, 0, 4, 4, 4});
}

TEST_CASE("gradient buffer: what had arrived before is copied there") {
  const Variable x = leaf({1, 2});
  sum(x * 3.0).backward();
  const Tensor buffer = zeros({2});
  x.node()->grad.use_buffer(buffer);
  CHECK(buffer.to_vector<float>() == Values{3, 3});
  sum(x * 1.0).backward();
  CHECK(buffer.to_vector<float>() == Values{4, 4});
}

TEST_CASE("gradient ranges: narrow adds to its part, whatever came before") {
  for (const int order : {0, 1}) {
    const Variable x = leaf({1, 2, 3, 4});
    const Variable inner = x * 1.0;
    const Variable whole = sum(inner * 10.0);
    const Variable part = sum(narrow(inner, 0, 1, 2));
    const Variable again = sum(narrow(inner, 0, 2, 2) * 5.0);
    (order == 0 ? whole + part + again : again + part + whole).backward();
    CHECK(grad(x) == Values{10, 11, 16, 15});
  }
}

TEST_CASE("gradient ranges: columns of a matrix") {
  const Variable x(zeros({2, 4}), true);
  narrow(x, 1, 1, 2).backward(from_values<float>({1, 2, 3, 4}, {2, 2}));
  narrow(x, 1, 2, 2).backward(from_values<float>({10, 20, 30, 40}, {2, 2}));
  CHECK(grad(x) == Values{0, 1, 12, 20, 0, 3, 34, 40});
}

TEST_CASE("gradients: one that nobody else looks at is added to where it lies") {
  const Variable x = leaf({1, 2});
  const Variable y = x * 1.0;
  GradSlot& slot = y.node()->grad;
  Tensor first = full({2}, 3);
  const void* const place = first.raw_data();
  slot.add(first);
  first = Tensor();
  slot.add(full({2}, 4));
  CHECK(slot.dense().raw_data() == place);
  CHECK(slot.take().to_vector<float>() == Values{7, 7});

  const Tensor seen = full({2}, 3);
  slot.add(seen);
  const SumTarget target = slot.target({2}, DType::kFloat32, Device::kCpu);
  CHECK(target.add);
  CHECK_FALSE(target.out.shares_storage(seen));
  target.out.fill(9);
  CHECK(seen.to_vector<float>() == Values{3, 3});
  slot.clear();
}

TEST_CASE("gradients: a single row of any strides can be added to by a product") {
  const Variable x = leaf({1, 2});
  const Variable row = reshape(x, {1, 2}) * 1.0;
  const Variable w(random_normal({3, 2}, 1));
  const Variable y = sum(linear(row, w, Variable())) + sum(transpose(row, 0, 1));
  y.backward();
  CHECK(difference(x.grad(), affine(tk::sum(w.value(), 0), 1, 1), kFloat32) == "");
}
