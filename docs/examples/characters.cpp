// A recurrent network that learns a sentence letter by letter, and then says it.
#include <cstdio>
#include <string>

#include "nn/nn.h"

int main() {
  using namespace tk;
  const std::string text = "she sells sea shells by the sea shore, and the shells she sells are sea shells.";
  std::vector<std::int64_t> letters(text.begin(), text.end());
  const Tensor ids = from_values(letters).unsqueeze(1);  // [time, batch of one]
  const std::int64_t n = ids.size(0) - 1;

  Embedding embedding(128, 16);
  Gru gru(16, 64);
  Linear output(64, 128);
  Adam adam(parameters_of(embedding, gru, output), 0.01);
  for (int step = 0; step < 150; ++step) {
    const Variable logits = output(gru(embedding(ids.narrow(0, 0, n))).y);
    cross_entropy_loss(logits, ids.narrow(0, 1, n)).backward();
    adam.step();
  }

  std::string said = text.substr(0, 1);
  Tensor letter = ids.narrow(0, 0, 1);
  for (GruOutput state; std::ssize(said) <= n;) {
    state = gru(embedding(letter), state.h);
    letter = argmax(output(state.y).value(), -1);
    said += static_cast<char>(letter.item());
  }
  std::printf("%s\n", said.c_str());
  return said == text ? 0 : 1;
}
