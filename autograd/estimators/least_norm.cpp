#include "autograd/estimators/least_norm.h"

#include "tensor/ops/cumsum.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/reduce.h"

namespace tk {

CentralMoments binomial_moments(const Tensor& z, std::int64_t n) {
  const Tensor p = sigmoid(z), q = sigmoid(neg(z)), pq = mul(p, q);
  const auto count = static_cast<double>(n);
  const Tensor m2 = affine(pq, count);
  return {.mean = affine(p, count), .m2 = m2, .m3 = mul(m2, sub(q, p)), .m4 = mul(m2, affine(pq, 3 * (count - 2), 1))};
}

CentralMoments poisson_moments(const Tensor& log_rate) {
  const Tensor rate = exp(log_rate);
  return {.mean = rate, .m2 = rate, .m3 = rate, .m4 = add(rate, affine(square(rate), 3))};
}

Variable least_norm(const Variable& parameter, const Tensor& counts, const CentralMoments& m, int order) {
  TK_CHECK(order == 2 || order == 3, "least_norm: expected an order of 2 or 3, got ", order);
  TK_CHECK(counts.shape() == parameter.shape() && counts.dtype() == parameter.dtype(), "least_norm: expected counts ",
           parameter.dtype(), ' ', parameter.shape(), ", got ", counts.dtype(), ' ', counts.shape());
  const Tensor y = sub(counts, m.mean);
  const Tensor skew = div(m.m3, m.m2);
  Tensor w = add(m.m2, mul(affine(skew, 0.5), y));
  if (order == 3) {
    const Tensor m3_skew = mul(m.m3, skew), m2_squared = square(m.m2);
    const Tensor above = sub(sub(affine(m.m4, 1.0 / 3), affine(m3_skew, 0.5)), m2_squared);
    const Tensor below = sub(sub(m.m4, m3_skew), m2_squared);
    w = add(w, mul(div(above, below), sub(sub(square(y), mul(skew, y)), m.m2)));
  }
  return record("least_norm", counts, {parameter},
                [w = Saved(w)](const Tensor& dy) -> Tensors { return {mul(dy, w.get())}; });
}

Variable least_norm_binomial(const Variable& z, const Tensor& noise, int order) {
  const std::int64_t last = z.shape().rank();
  TK_CHECK(noise.rank() == last + 1, "least_norm_binomial: expected logits [...] and noise [..., n], got ", z.shape(),
           " and ", noise.shape());
  const std::int64_t n = noise.shape().back();
  TK_CHECK(n >= order - 1, "least_norm_binomial: order ", order, " needs counts of at least ", order - 1, ", got ", n);
  const Tensor counts = sum(greater(add(z.value().unsqueeze(last), noise), 0).to(z.dtype()), last);
  return least_norm(z, counts, binomial_moments(z.value(), n), order);
}

Tensor poisson_counts(const Tensor& log_rate, const Tensor& noise) {
  const std::int64_t last = log_rate.rank();
  TK_CHECK(noise.rank() == last + 1, "poisson_counts: expected logarithms of rates [...] and noise [..., most], got ",
           log_rate.shape(), " and ", noise.shape());
  const Tensor times = cumsum(exp(neg(noise)), last);
  return sum(greater(sub(exp(log_rate).unsqueeze(last), times), 0).to(log_rate.dtype()), last);
}

Variable least_norm_poisson(const Variable& log_rate, const Tensor& noise, int order) {
  const Tensor counts = poisson_counts(log_rate.value(), noise);
  return least_norm(log_rate, counts, poisson_moments(log_rate.value()), order);
}

}  // namespace tk
