// The rows of tests/support/op_cases.h on a device, beside the CPU's results, which other tests hold against formulas.
#include <algorithm>
#include <cmath>

#include "autograd/gradcheck.h"
#include "autograd/ops/dropout.h"
#include "autograd/ops/to.h"
#include "tensor/ops/gate.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/op_cases.h"
#include "tests/support/passes.h"

using namespace tk;
using namespace tk::test;

namespace {

constexpr Device kDevice = Device::kCuda;

Tensors on_device(const Tensors& inputs) {
  Tensors moved;
  for (const Tensor& input : inputs) moved.push_back(input.to(kDevice));
  return moved;
}

// Inputs of a dtype; beside bfloat16, what belongs to rows or columns is float32.
Tensors in(DType dtype, const OpCase& row) {
  Tensors converted;
  for (std::size_t i = 0; i < row.inputs.size(); ++i) {
    const bool column = i + row.columns >= row.inputs.size();
    converted.push_back(row.inputs[i].to(column && dtype == DType::kBFloat16 ? DType::kFloat32 : dtype));
  }
  return converted;
}

Tensors in_float64(const Tensors& inputs) {
  Tensors converted;
  for (const Tensor& input : inputs) converted.push_back(input.to(DType::kFloat64));
  return converted;
}

// Fails for every row for which f(row) says what is wrong, or throws.
template <class F>
void check_rows(F&& f) {
  const ThreadCount one(1);
  for (const OpCase& row : op_cases()) {
    if (row.cpu_only) continue;
    std::string text;
    try {
      text = f(row);
    } catch (const Error& error) {
      text = error.what();
    }
    if (!text.empty()) FAIL_CHECK(row.name << ": " << text);
  }
}

double largest(const Tensor& x) {
  double most = 0;
  for (const double value : x.to(DType::kFloat64).to_vector<double>()) most = std::max(most, std::fabs(value));
  return most;
}

// What differs first by more than a part of the tensor's largest element, or of 1 if all are smaller.
std::string apart(const Tensor& got, const Tensor& expected, double part) {
  if (!got.defined()) return "nothing came";
  return difference(got, expected, {part * std::max(1.0, largest(expected)), part});
}

std::string apart(const Pass& got, const Pass& expected, double part) {
  const std::string text = apart(got.value, expected.value, part);
  if (!text.empty()) return "value, " + text;
  for (std::size_t i = 0; i < got.grads.size(); ++i) {
    const std::string in_grad = apart(got.grads[i], expected.grads[i], part);
    if (!in_grad.empty()) return concat("gradient of input ", i, ", ", in_grad);
  }
  return "";
}

std::string bit_difference(const Pass& a, const Pass& b) {
  if (!same_bits(a.value, b.value)) return "the value differs";
  for (std::size_t i = 0; i < a.grads.size(); ++i) {
    if (!same_bits(a.grads[i], b.grads[i])) return concat("the gradient of input ", i, " differs");
  }
  return "";
}

}  // namespace

TEST_CASE("cuda op cases: the gradient is the central difference") {
  if (!has_cuda()) return;
  check_rows([](const OpCase& row) -> std::string {
    if (row.large) return "";
    const auto moved = [&](const Variables& x) {
      Variables inputs;
      for (const Variable& input : x) inputs.push_back(to(input, kDevice));
      return to((row.relaxed ? row.relaxed : row.f)(inputs), Device::kCpu);
    };
    return gradcheck(moved, row.inputs).message;
  });
}

TEST_CASE("cuda op cases: float64 and float32 are near the CPU's float64, forward and backward") {
  if (!has_cuda()) return;
  check_rows([](const OpCase& row) -> std::string {
    const Pass expected = run(row.f, row.inputs);
    const std::string wide = apart(run(row.f, on_device(row.inputs)), expected, kSameInFloat64.relative);
    if (!wide.empty()) return "float64, " + wide;
    const Tensors single = in(DType::kFloat32, row);
    const Pass got = run(row.f, on_device(single));
    if (got.value.device() != kDevice) return "the value left the device";
    if (got.value.dtype() != DType::kFloat32) return "the value is no float32";
    const std::string text = difference(got, run(row.f, in_float64(single)), row.float32);
    return text.empty() ? "" : "float32, " + text;
  });
}

TEST_CASE("cuda op cases: bfloat16 is near the CPU's float64, forward and backward") {
  if (!has_cuda()) return;
  check_rows([](const OpCase& row) -> std::string {
    if (row.relaxed) return "";  // a rounded score may choose otherwise
    const Tensors inputs = in(DType::kBFloat16, row);
    return apart(run(row.f, on_device(inputs)), run(row.f, in_float64(inputs)), kBFloat16);
  });
}

TEST_CASE("cuda op cases: strided inputs give what contiguous ones give") {
  if (!has_cuda()) return;
  check_rows([](const OpCase& row) -> std::string {
    for (const DType dtype : {DType::kFloat64, DType::kBFloat16}) {
      if (dtype == DType::kBFloat16 && row.relaxed) continue;
      const Tensors inputs = on_device(in(dtype, row));
      const Pass expected = run(row.f, inputs);
      for (std::size_t way : {0, 1}) {
        Tensors strided;
        for (const Tensor& input : inputs) {
          const Tensors copies = strided_copies(input);
          strided.push_back(copies[way % copies.size()]);
        }
        const double part = dtype == DType::kFloat64 ? kSameInFloat64.relative : kBFloat16;
        const std::string text = apart(run(row.f, strided), expected, part);
        if (!text.empty()) return concat(dtype, ", way ", way, ": ", text);
      }
    }
    return "";
  });
}

TEST_CASE("cuda op cases: two runs give the same bits") {
  if (!has_cuda()) return;
  check_rows([](const OpCase& row) -> std::string {
    for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
      const Tensors inputs = on_device(in(dtype, row));
      const std::string text = bit_difference(run(row.f, inputs), run(row.f, inputs));
      if (!text.empty()) return concat(dtype, ", ", text);
    }
    return "";
  });
}

TEST_CASE("cuda: dropout and noise take the CPU's random words") {
  if (!has_cuda()) return;
  const Packed rows = make_packed({5, 1, 9, 70}, {3, 14, 15, 1000000});
  for (const std::int64_t cols : {1, 7, 64, 130}) {
    INFO(cols << " columns");
    const DropoutKey key = dropout_key(0.4, rows, {Purpose::kHiddenDropout, 3, 1});
    const Tensor x = random_normal({rows.tokens, cols}, 1);
    CHECK(same_bits(dropout(Variable(x.to(kDevice)), to(key, kDevice)).value(), dropout(Variable(x), key).value()));
    CHECK(difference(logistic_noise(to(key, kDevice), cols), logistic_noise(key, cols), kFloat32) == "");
    CHECK(difference(gumbel_noise(to(key, kDevice), cols), gumbel_noise(key, cols), kFloat32) == "");
  }
}
