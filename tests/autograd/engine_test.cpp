#include "autograd/engine.h"

#include <algorithm>
#include <functional>
#include <map>
#include <stdexcept>

#include "autograd/grad_mode.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "tensor/allocator.h"
#include "tensor/precision.h"
#include "tests/autograd/leaves.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("backward: a value used twice gets the sum of both gradients") {
  const Variable x = leaf({1, 2, 3});
  sum(x * x).backward();
  CHECK(grad(x) == Values{2, 4, 6});
}

TEST_CASE("backward: an inner value used in several places is walked once, after all of them") {
  const Variable x = leaf({1, 2});
  int walks = 0;
  const Variable y = record("counted", affine(x.value(), 3), {x}, [&walks](const Tensor& dy) -> Tensors {
    ++walks;
    return {affine(dy, 3)};
  });
  const Variable early = y * 5.0;
  const Variable late = exp(early * 0.0) + y * y;  // y is also reached along a longer path
  sum(early + late).backward();
  CHECK(walks == 1);
  CHECK(grad(x) == Values{15 + 2 * 9 * 1, 15 + 2 * 9 * 2});
}

TEST_CASE("backward: products are of the precision in which their op was recorded") {
  std::vector<ProductPrecision> seen;
  const Variable x = leaf({1, 2});
  const auto recorded = [&](const Variable& from) {
    return record("asking", affine(from.value(), 1), {from}, [&seen](const Tensor& dy) -> Tensors {
      seen.push_back(product_precision());
      return {dy};
    });
  };
  Variable y;
  {
    const WithProductPrecision precision(ProductPrecision::kBFloat16);
    y = recorded(x);
  }
  y = recorded(y);
  sum(y).backward();
  CHECK(seen == std::vector{ProductPrecision::kFloat32, ProductPrecision::kBFloat16});
  CHECK(product_precision() == ProductPrecision::kFloat32);
}

TEST_CASE("backward: the same variable on both sides of linear gets both gradients") {
  const Variable x(random_normal({4, 3}, 1, DType::kFloat64), true);
  const Variable a(x.value(), true);
  const Variable b(x.value(), true);
  const Tensor dy = random_normal({4, 4}, 2, DType::kFloat64);
  linear(x, x, Variable()).backward(dy);
  linear(a, b, Variable()).backward(dy);
  CHECK(difference(x.grad(), add(a.grad(), b.grad()), kSameInFloat64) == "");
}

TEST_CASE("backward: inputs without a gradient stay without") {
  const Variable x = leaf({1, 2});
  const Variable constant(from_values<float>({3, 4}));
  sum(x * constant).backward();
  CHECK(grad(x) == Values{3, 4});
  CHECK_FALSE(constant.requires_grad());
  CHECK(message_of([&] { constant.grad(); }) == "grad: only a leaf that requires a gradient keeps one");
  CHECK_FALSE((constant * constant).requires_grad());
  CHECK_FALSE((x * constant).detach().requires_grad());
}

TEST_CASE("backward: a value that takes no gradient says so") {
  CHECK(message_of([] { Variable(zeros({})).backward(); }) ==
        "backward: the value takes no gradient (no input required one, or it was made under NoGrad; a gradient has no "
        "past either: gradients of gradients are not recorded)");
}

TEST_CASE("backward: the upstream gradient must fit") {
  const Variable y = leaf({1, 2}) * 2.0;
  CHECK(message_of([&] { y.backward(); }) == "backward: without a gradient the value must have one element, got [2]");
  CHECK(message_of([&] { y.backward(zeros({3})); }) == "backward: expected a gradient of float32 [2], got float32 [3]");
  CHECK(message_of([&] { y.backward(zeros({2}, DType::kFloat64)); }) ==
        "backward: expected a gradient of float32 [2], got float64 [2]");
}

TEST_CASE("backward: a saved tensor that was changed since is named with its op") {
  const Variable x = leaf({1, 2});
  const Variable y = sum(x * x);
  x.value().fill(5);
  CHECK(message_of([&] { y.backward(); }) ==
        "backward of mul: a saved tensor of shape [2] was changed since the forward pass (version 1, saved at 0)");
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("backward: a change through a view is noticed too") {
  const Variable x(random_normal({4, 3}, 1), true);
  const Variable y = sum(square(x));
  x.value().narrow(0, 2, 1).fill(1);
  CHECK_THAT(message_of([&] { y.backward(); }), ContainsSubstring("backward of square: a saved tensor"));
}

TEST_CASE("backward: a value that no backward reads may change") {
  const Variable x = leaf({1, 2});
  const Variable y = sum(x + x);
  x.value().fill(5);  // add needs the shapes alone
  y.backward();
  CHECK(grad(x) == Values{2, 2});
}

TEST_CASE("backward: a second walk over a used graph says how to get one") {
  const Variable x = leaf({1, 2});
  const Variable inner = exp(x);
  const Variable y = sum(inner);
  y.backward();
  const Values once = grad(x);
  CHECK(message_of([&] { y.backward(); }) ==
        "backward of sum: its graph was already used up; pass retain_graph to walk it again");
  CHECK(message_of([&] { sum(inner * inner).backward(); }) ==
        "backward of exp: its graph was already used up; pass retain_graph to walk it again");
  CHECK(grad(x) == once);
}

TEST_CASE("backward: a retained graph can be walked again, and gradients add up") {
  const Variable x = leaf({1, 2});
  const Variable y = sum(x * x);
  y.backward(true);
  CHECK(grad(x) == Values{2, 4});
  y.backward(true);
  CHECK(grad(x) == Values{4, 8});
  y.backward();
  CHECK(grad(x) == Values{6, 12});
  x.zero_grad();
  CHECK_FALSE(x.grad().defined());
}

TEST_CASE("backward: two graphs add to one leaf, and leave the gradient that was passed in alone") {
  const Variable x = leaf({1, 2});
  const Tensor dy = from_values<float>({10, 20});
  x.backward(dy);  // a leaf is its own graph
  (x * 3.0).backward(dy);
  CHECK(grad(x) == Values{40, 80});
  CHECK(dy.to_vector<float>() == Values{10, 20});
}

TEST_CASE("backward: leaves that share an upstream gradient do not share later ones") {
  const Variable a = leaf({1, 2});
  const Variable b = leaf({3, 4});
  sum(a + b).backward();
  sum(a * 10.0).backward();
  CHECK(grad(a) == Values{11, 11});
  CHECK(grad(b) == Values{1, 1});
}

TEST_CASE("backward: an error names the op and leaves no gradient in inner values") {
  for (const bool foreign : {false, true}) {
    const Variable x = leaf({1, 2});
    const Variable inner = x * 2.0;
    bool fails = true;
    const Variable broken =
        record("broken", exp(inner.value()), {inner, inner}, [&](const Tensor& dy, Destinations& to) {
          to.add(0, dy);
          if (fails && foreign) throw std::runtime_error("out of luck");
          TK_CHECK(!fails, "out of luck");
          to.add(1, dy);
        });
    const Variable y = sum(broken) + sum(inner * 3.0);
    CHECK(message_of([&] { y.backward(true); }) == "backward of broken: out of luck");
    CHECK_FALSE(inner.node()->grad.filled());
    CHECK_FALSE(inner.node()->pending);
    CHECK_FALSE(x.grad().defined());
    fails = false;
    y.backward();
    CHECK(grad(x) == Values{10, 10});  // 2 (1 + 1 + 3), nothing left over from the walk that failed
  }
}

TEST_CASE("backward: a gradient of another shape or type than its input is refused") {
  const Variable x = leaf({1, 2});
  const auto gives = [&](const Tensor& dx) {
    return record("odd", x.value(), {x}, [dx](const Tensor&) -> Tensors { return {dx}; });
  };
  const Tensor dy = zeros({2});
  CHECK(message_of([&] { gives(zeros({3})).backward(dy); }) ==
        "backward of odd: gradient of input 0 is float32 [3], expected float32 [2]");
  CHECK(message_of([&] { gives(zeros({2}, DType::kFloat64)).backward(dy); }) ==
        "backward of odd: gradient of input 0 is float64 [2], expected float32 [2]");
  const Variable two = record("two", x.value(), {x}, [](const Tensor& d) -> Tensors { return {d, d}; });
  CHECK(message_of([&] { two.backward(dy); }) == "backward of two: returned 2 gradients for 1 inputs");
}

TEST_CASE("backward: an undefined gradient is zero") {
  const Variable x = leaf({1, 2});
  const Variable none = record("none", x.value(), {x}, [](const Tensor&) -> Tensors { return {Tensor()}; });
  none.backward(zeros({2}));
  CHECK_FALSE(x.grad().defined());
  sum(none.detach() + x).backward();
  CHECK(grad(x) == Values{1, 1});
}

TEST_CASE("graph: a chain of 100,000 nodes neither overflows backward nor release") {
  const Variable x = leaf({1});
  const auto chain = [&] {
    Variable y = x;
    for (int i = 0; i < 100000; ++i) y = neg(y);
    return y;
  };
  chain().backward();
  CHECK(grad(x) == Values{1});
  { const Variable unused = chain(); }
  {
    const Variable kept = chain();
    kept.backward(true);
  }
  CHECK(grad(x) == Values{2});
}

TEST_CASE("graph: values that only backwards keep are freed as the walk goes") {
  const ThreadCount one(1);
  release_cached(Device::kCpu);
  const Variable x(zeros({1 << 16}), true);
  const std::int64_t before = allocator_stats(Device::kCpu).allocated;
  Variable y = x;
  for (int i = 0; i < 10; ++i) y = exp(y);
  const std::int64_t forward = allocator_stats(Device::kCpu).allocated - before;
  reset_peak(Device::kCpu);
  y.backward(full({1 << 16}, 1));
  const std::int64_t size = 4 << 16;
  CHECK(forward >= 10 * size);
  CHECK(allocator_stats(Device::kCpu).peak_allocated - before <= forward + 3 * size);
  CHECK(allocator_stats(Device::kCpu).allocated - before <= 3 * size);  // y, x's gradient
}

TEST_CASE("graph: a second identical step asks the system for no memory") {
  const ThreadCount one(1);  // with more, which buffers live at once depends on timing
  const Variable w(random_normal({33, 65}, 1), true);
  const Variable x(random_normal({50, 65}, 2));
  const auto step = [&] {
    sum(gelu(linear(x, w, Variable()))).backward();
    w.zero_grad();
    return allocator_stats(Device::kCpu).system_allocations;
  };
  const std::int64_t first = step();
  CHECK(step() == first);
  CHECK(step() == first);
}

TEST_CASE("engine: who watches a walk knows after which op a leaf's gradient is finished") {
  const Variable a(full({2}, 3), true), b(full({2}, 5), true);
  const Variable early = a * b, late = exp(b), root = sum(early + late * a);
  const std::map<const Node*, std::uint64_t> last = last_ops(*root.node());
  CHECK(last.size() == 2);
  CHECK(last.at(a.node().get()) == early.node()->sequence);
  CHECK(last.at(b.node().get()) == early.node()->sequence);
  CHECK(last_ops(*late.node()).at(b.node().get()) == late.node()->sequence);

  const Node* begun = nullptr;
  std::vector<std::uint64_t> order;
  std::vector<float> of_a;
  walk_back(root.node(), full({}, 1), false,
            {.begin = [&](const Node& node) { begun = &node; },
             .after =
                 [&](const Node& op) {
                   order.push_back(op.sequence);
                   if (op.sequence == last.at(a.node().get())) of_a = a.grad().to_vector<float>();
                 }});
  CHECK(begun == root.node().get());
  CHECK(std::ranges::is_sorted(order, std::greater()));
  CHECK(of_a == a.grad().to_vector<float>());
}

TEST_CASE("cuda backward: gradients that products make beside the walk and others that ops add are there at its end") {
  if (!has_cuda()) return;
  const auto gradient_on = [](Device device) {
    const Variable w(affine(random_normal({512, 512}, 1), 0.03).to(device), true);
    Variable y(random_normal({600, 512}, 2).to(device));
    for (int i = 0; i < 12; ++i) y = linear(tanh(y), w, Variable()) + y * 0.5;
    const Variable all = sum(y * y * 1e-3) + sum(w * 3.0);  // the last is walked back first, and once more at the end
    sum(all + sum(w * w)).backward();
    return w.grad().to(Device::kCpu);
  };
  CHECK(difference(gradient_on(Device::kCuda), gradient_on(Device::kCpu), kFloat32LongSums) == "");
}
