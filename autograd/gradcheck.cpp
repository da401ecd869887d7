#include "autograd/gradcheck.h"

#include <algorithm>
#include <cmath>

#include "autograd/grad_mode.h"
#include "tensor/random.h"

namespace tk {
namespace {

Tensor random_like(const Tensor& x, std::uint64_t seed) {
  Generator generator(seed, Purpose::kUser);
  Tensor y = empty(x.shape(), DType::kFloat64);
  for (std::int64_t i = 0; i < y.numel(); ++i) y.data<double>()[i] = generator.normal();
  return y;
}

double dot(const Tensor& a, const Tensor& b) {
  const std::vector<double> x = a.to_vector<double>();
  const std::vector<double> y = b.to_vector<double>();
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
  return sum;
}

}  // namespace

GradcheckResult gradcheck(const std::function<Variable(const Variables&)>& f, const Tensors& inputs,
                          const GradcheckOptions& options) {
  Variables variables;
  for (const Tensor& input : inputs) {
    TK_CHECK(input.dtype() == DType::kFloat64, "gradcheck: expected float64 inputs, got ", input.dtype());
    variables.emplace_back(input, true);
  }
  const Variable y = f(variables);
  const Tensor dy = random_like(y.value(), options.seed);
  if (y.requires_grad()) y.backward(dy);

  GradcheckResult result;
  const NoGrad no_grad;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    const Tensor& grad = variables[k].grad();
    const std::vector<double> analytic =
        grad.defined() ? grad.to_vector<double>() : std::vector<double>(static_cast<std::size_t>(inputs[k].numel()));
    for (std::int64_t i = 0; i < inputs[k].numel(); ++i) {
      const auto moved = [&](double by) {
        Variables at;
        for (const Tensor& input : inputs) at.emplace_back(input);
        const Tensor copy = inputs[k].clone();
        copy.data<double>()[i] += by;
        at[k] = Variable(copy);
        return dot(f(at).value(), dy);
      };
      const double numeric = (moved(options.step) - moved(-options.step)) / (2 * options.step);
      const double error = std::fabs(analytic[static_cast<std::size_t>(i)] - numeric);
      result.largest_error = std::max(result.largest_error, error);
      if (error <= options.absolute_tolerance + options.relative_tolerance * std::fabs(numeric)) continue;
      if (result.passed) {
        result.message = concat("input ", k, ", element ", i, ": analytic ", analytic[static_cast<std::size_t>(i)],
                                ", numeric ", numeric);
      }
      result.passed = false;
    }
  }
  return result;
}

}  // namespace tk
