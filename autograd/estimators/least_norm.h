#pragma once

#include "autograd/variable.h"

namespace tk {

/// Central moments of a count x whose mean's natural parameter is estimated, like the parameter: m2 = E y^2, y = x -
/// mean.
struct CentralMoments {
  Tensor mean, m2, m3, m4;
};
/// Of a binomial count of n with logit z: n p, n p q, n p q (q - p), n p q (1 + 3 (n - 2) p q), p = sigmoid(z), q = 1 -
/// p.
CentralMoments binomial_moments(const Tensor& z, std::int64_t n);
/// Of a Poisson count with this logarithm of its rate r: r, r, r, r + 3 r^2.
CentralMoments poisson_moments(const Tensor& log_rate);

/// The least-norm estimator of order 2 or 3, Fini-D (He and Wu): forward the counts x, backward dx w(x), where w is the
/// function of least E w^2 for which E f'(x) w(x) is the gradient of E f(x) in the natural parameter for all
/// polynomials f of degree up to the order: a polynomial of degree order - 1, in y = x - mean
///   order 2: w = m2 + m3 / (2 m2) y
///   order 3: + c (y^2 - m3 / m2 y - m2), c = (m4 / 3 - m3^2 / (2 m2) - m2^2) / (m4 - m3^2 / m2 - m2^2).
/// No temperature, and no noise in the backward. `parameter` and `counts` have the same shape. Where a count has fewer
/// values than the order asks for (a binomial of n < order - 1) there is no such function; order 3 of n = 1 throws in
/// least_norm_binomial. A Bernoulli gate of order 2 is GateSlope::kLeastNorm.
Variable least_norm(const Variable& parameter, const Tensor& counts, const CentralMoments& moments, int order);

/// Binomial counts, how many of z + noise are above 0 of logistic noise [..., n] for z [...], with their least-norm
/// gradient: w = n p / 2 + (1 - 2 p) x / 2 of order 2.
Variable least_norm_binomial(const Variable& z, const Tensor& noise, int order);

/// How many events of a Poisson process of rate exp(log_rate) [...] come within one unit of time, up to as many as
/// there are Gumbel numbers [..., most]: with E = exp(-G) exponential gaps in units of 1 / rate, the first k of them
/// take (E_1 + ... + E_k) / rate. Exact where the rate is well below `most`.
Tensor poisson_counts(const Tensor& log_rate, const Tensor& noise);

/// poisson_counts with their least-norm gradient: w = rate / 2 + x / 2 of order 2.
Variable least_norm_poisson(const Variable& log_rate, const Tensor& noise, int order);

}  // namespace tk
