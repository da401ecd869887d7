#include "nn/loss.h"

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "autograd/gradcheck.h"
#include "tensor/ops/join.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"

using namespace tk;
using namespace tk::test;

namespace {

nlohmann::json golden_losses(const std::string& name) {
  std::ifstream file(TK_SOURCE_DIR "/tests/golden/" + name);
  REQUIRE(file);
  nlohmann::json losses = nlohmann::json::parse(file)["losses"];
  REQUIRE(losses.size() == 3);
  return losses;
}

// Value and gradient are those of a golden one.
void check_loss(const Variable& loss, const Variable& logits, const nlohmann::json& expected) {
  loss.backward();
  CHECK(loss.item() == Approx(expected["loss"].get<double>()).epsilon(1e-12));
  const std::vector<double> gradient = logits.grad().to_vector<double>();
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    CHECK(gradient[i] == Approx(expected["gradient"][i].get<double>()).epsilon(0).margin(1e-12));
  }
}

}  // namespace

TEST_CASE("losses: cross-entropy is the mean over the rows of what the label's probability costs") {
  const Variable logits(from_values<float>({0, 0, 0, std::log(3.0f)}, {2, 2}));
  const double loss = cross_entropy_loss(logits, from_values<std::int32_t>({0, 1})).item();
  CHECK(loss == Approx((std::log(2.0) - std::log(0.75)) / 2));
}

TEST_CASE("losses: smoothed cross-entropy and its gradient are PyTorch's") {
  for (const nlohmann::json& one : golden_losses("schedules.json")) {
    const auto numbers = one["logits"].get<std::vector<double>>();
    const auto labels = one["labels"].get<std::vector<std::int32_t>>();
    const auto rows = std::ssize(labels);
    const std::int64_t classes = one["classes"];
    const double smoothing = one["smoothing"];
    const Variable logits(from_values(numbers, {rows, classes}), true);
    const Variable loss = cross_entropy_loss(logits, from_values(labels), smoothing);
    check_loss(loss, logits, one);
    // Rows without a label have no share.
    std::vector<double> more = numbers;
    more.resize(numbers.size() + static_cast<std::size_t>(classes), 3);
    std::vector<std::int32_t> partly = labels;
    partly.push_back(-1);
    const Variable all(from_values(more, {rows + 1, classes}));
    CHECK(labelled_cross_entropy_loss(all, from_values(partly), smoothing).item() ==
          Approx(loss.item()).epsilon(1e-12));
  }
  CHECK(message_of([&] {
          cross_entropy_loss(Variable(zeros({1, 2})), zeros({1}, DType::kInt32), 1);
        }) == "cross_entropy_loss: expected a smoothing in [0, 1), got 1");
}

TEST_CASE("losses: the gradient of smoothed cross-entropy is that of its value") {
  const Tensor labels = from_values<std::int32_t>({2, 0, -1, 1});
  const auto loss = [&](const Variables& in) { return labelled_cross_entropy_loss(in[0], labels, 0.2); };
  CHECK(gradcheck(loss, {from_values<double>({1, -2, 0.5, 3, 0, -1, 2, 2, 0, 0.1, 0.2, 0.3}, {4, 3})}).passed);
}

TEST_CASE("losses: cross-entropy of pairs with a zero is PyTorch's BCEWithLogitsLoss, value and gradient") {
  for (const nlohmann::json& one : golden_losses("several_labels.json")) {
    const auto numbers = one["logits"].get<std::vector<double>>();
    const auto targets = one["targets"].get<std::vector<std::int32_t>>();
    const std::int64_t labels = one["labels"];
    const Variable logits(from_values(numbers, {std::ssize(numbers) / labels, labels}), true);
    const Variable loss = labelled_cross_entropy_loss(logits_of_pairs(logits), from_values(targets));
    check_loss(loss, logits, one);
  }
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

TEST_CASE("distillation loss: rows behind the count have no share, in the value or in the gradient") {
  const std::vector<float> numbers = {1, 2, -1, 0.5, 3, 0};
  const Tensor teacher = from_values<float>({0, 1, 2, 0, 9, -9}, {3, 2});
  const Variable all(from_values(numbers, {3, 2}), true), some(all.value().narrow(0, 0, 2).clone(), true);
  const Tensor count = from_values<std::int32_t>({2}).reshape({});
  const Variable counted = distillation_loss(all, teacher, 2, count);
  const Variable expected = distillation_loss(some, teacher.narrow(0, 0, 2), 2);
  CHECK(counted.item() == Approx(expected.item()).epsilon(1e-6));
  counted.backward();
  expected.backward();
  const std::vector<float> got = all.grad().to_vector<float>(), want = some.grad().to_vector<float>();
  for (std::size_t i = 0; i < 4; ++i) CHECK(got[i] == Approx(want[i]).margin(1e-7));
  CHECK(got[4] == 0);
  CHECK(got[5] == 0);
}

TEST_CASE("labelled squared difference: the mean over elements with a target, 0 without any") {
  const Variable prediction(from_values<float>({1, 5, 2}, {3, 1}), true);
  const Variable loss = labelled_mse_loss(prediction, from_values<float>({3, -1, -0.5}, {3, 1}));
  CHECK(loss.item() == Approx((4 + 6.25) / 2));
  loss.backward();
  CHECK(prediction.grad().to_vector<float>() == std::vector<float>{-2, 0, 2.5});
  CHECK(labelled_mse_loss(prediction, full({3, 1}, -1)).item() == 0);
  const Tensor all = from_values<float>({3, 4, 5}, {3, 1});
  CHECK(labelled_mse_loss(prediction, all).item() == Approx(mse_loss(prediction, all).item()));
  CHECK(message_of([&] { labelled_mse_loss(prediction, zeros({3})); }) ==
        "mse_loss: expected a target of [3, 1], got [3]");
}

TEST_CASE("labelled cross-entropy: the mean over rows with a label, 0 without any") {
  const Variable logits(from_values<float>({1, 2, -1, 0.5, 3, 0}, {3, 2}), true);
  const Variable loss = labelled_cross_entropy_loss(logits, from_values<std::int32_t>({1, -1, 0}));
  const Variable expected =
      cross_entropy_loss(Variable(from_values<float>({1, 2, 3, 0}, {2, 2})), from_values<std::int32_t>({1, 0}));
  CHECK(loss.item() == Approx(expected.item()).epsilon(1e-6));
  loss.backward();
  CHECK(logits.grad().select(0, 1).to_vector<float>() == std::vector<float>{0, 0});
  CHECK(labelled_cross_entropy_loss(logits, from_values<std::int32_t>({-1, -1, -1})).item() == 0);
}

TEST_CASE("losses: rows of the label that is ignored have no share, at any rank") {
  const Variable logits(random_normal({2, 3, 4}, 1), true);
  const Tensor labels = from_values<std::int64_t>({1, -100, 3, -100, 0, 2}, {2, 3});
  const Variable loss = cross_entropy_loss(logits, labels, 0, -100);
  const Variable rows(
      join({logits.value()[0].narrow(0, 0, 1), logits.value()[0].narrow(0, 2, 1), logits.value()[1].narrow(0, 1, 2)}));
  CHECK(loss.item() == Approx(cross_entropy_loss(rows, from_values<std::int32_t>({1, 3, 0, 2})).item()));
  loss.backward();
  CHECK(logits.grad()[0][1].to_vector<float>() == std::vector<float>(4));
  CHECK(cross_entropy_loss(logits, full({2, 3}, -100, DType::kInt64), 0, -100).item() == 0);
}
