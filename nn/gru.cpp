#include "nn/gru.h"

#include <cmath>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/join.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/shape.h"
#include "nn/init.h"

namespace tk {

Gru::Gru(std::int64_t in, std::int64_t hidden)
    : weight_ih({3 * hidden, in}),
      weight_hh({3 * hidden, hidden}),
      bias_ih({3 * hidden}, false),
      bias_hh({3 * hidden}, false) {
  for (const Parameter* parameter : {&weight_ih, &weight_hh, &bias_ih, &bias_hh}) {
    init_uniform(parameter->value(), 1 / std::sqrt(static_cast<double>(hidden)));
  }
}

GruOutput Gru::operator()(const Variable& x, const Variable& h) const {
  TK_CHECK(x.shape().rank() == 3 && x.size(0) >= 1, "gru: expected x [time, batch, in], got ", x.shape());
  const std::int64_t d = weight_hh.value().shape()[1];
  Variable state = h.defined() ? h : Variable(zeros({x.size(1), d}, x.dtype(), x.device()));
  const Variable of_inputs = linear(x, weight_ih.as(x.dtype()), bias_ih.as(x.dtype()));
  Variables states;
  for (std::int64_t t = 0; t < x.size(0); ++t) {
    const Variables in = split(of_inputs[t], d, 1);
    const Variables back = split(linear(state, weight_hh.as(x.dtype()), bias_hh.as(x.dtype())), d, 1);
    const Variable r = sigmoid(in[0] + back[0]), z = sigmoid(in[1] + back[1]), n = tanh(in[2] + r * back[2]);
    state = n + z * (state - n);
    states.push_back(state);
  }
  return {stack(states), state};
}

void Gru::collect(ParameterList& list, const std::string& path) {
  list.push_back({{path + ".weight_ih_l0"}, &weight_ih});
  list.push_back({{path + ".weight_hh_l0"}, &weight_hh});
  list.push_back({{path + ".bias_ih_l0"}, &bias_ih});
  list.push_back({{path + ".bias_hh_l0"}, &bias_hh});
}

}  // namespace tk
