#include "nn/loss.h"

#include <cmath>

#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

TEST_CASE("losses: cross-entropy is the mean over the rows of what the label's probability costs") {
  const Variable logits(from_values<float>({0, 0, 0, std::log(3.0f)}, {2, 2}));
  const double loss = cross_entropy_loss(logits, from_values<std::int32_t>({0, 1})).item();
  CHECK(loss == Approx((std::log(2.0) - std::log(0.75)) / 2));
}

TEST_CASE("losses: the squared difference is a mean over all elements, and shapes must agree") {
  const Variable prediction(from_values<float>({1, 5}, {2, 1}));
  CHECK(mse_loss(prediction, from_values<float>({3, 5}, {2, 1})).item() == 2);
  CHECK(message_of([&] { mse_loss(prediction, zeros({2})); }) == "mse_loss: expected a target of [2, 1], got [2]");
}

TEST_CASE("losses: distillation is zero for equal logits and its gradient pulls towards the teacher") {
  const Tensor teacher = from_values(std::vector<float>{2, -1, 0.5f, 0}, {2, 2});
  CHECK(distillation_loss(Variable(teacher), teacher, 2).item() == Approx(0).margin(1e-7));
  const Variable student(zeros({2, 2}), true);
  distillation_loss(student, teacher, 2).backward();
  CHECK(student.grad().to_vector<float>()[0] < 0);
  CHECK(student.grad().to_vector<float>()[1] > 0);
}
