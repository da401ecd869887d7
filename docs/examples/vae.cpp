// A variational autoencoder (Kingma & Welling, arXiv 1312.6114) of 4 x 4 images with one bar in one of four rows: two
// numbers of code for ln 4 = 1.39 nats.
#include <cstdio>

#include "nn/nn.h"

int main() {
  using namespace tk;
  const std::int64_t n = 256;
  const Tensor bar = one_hot(multinomial(ones({4}), n, {.seed = 1}), 4);
  const Tensor images = bar.unsqueeze(2).expand({n, 4, 4}).reshape({n, 16});

  Sequential encoder(Linear(16, 32), UnaryOp::kRelu, Linear(32, 4));
  Sequential decoder(Linear(2, 32), UnaryOp::kRelu, Linear(32, 16));
  Adam adam(parameters_of(encoder, decoder), 0.01);
  double nats = 0;
  for (int step = 1; step <= 400; ++step) {
    const Variables code = split(encoder(Variable(images)), 2, 1);  // mean and log variance
    const Variable z = code[0] + exp(0.5 * code[1]) * randn({n, 2}, {.seed = 2, .step = step});
    const Variable divergence = 0.5 * sum(exp(code[1]) + square(code[0]) - 1 - code[1]) / double(n);
    const Variable loss = 16 * binary_cross_entropy_with_logits(decoder(z), images) + divergence;
    loss.backward();
    adam.step();
    nats = loss.item();
  }
  std::printf("%.2f nats an image\n", nats);
  return nats < 2.7 ? 0 : 1;
}
