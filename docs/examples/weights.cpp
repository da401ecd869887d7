// Weights to a file that PyTorch reads, and from one that it wrote: the names are those of its modules.
#include <cstdio>
#include <filesystem>

#include "nn/nn.h"

int main() {
  using namespace tk;
  Sequential net(Linear(3, 4), UnaryOp::kTanh, Linear(4, 2));
  save_safetensors("net.safetensors", named_values(net.parameters()));

  Sequential other(Linear(3, 4), UnaryOp::kTanh, Linear(4, 2));
  const char* path = std::filesystem::exists("from_torch.safetensors") ? "from_torch.safetensors" : "net.safetensors";
  const SafetensorsFile file = SafetensorsFile::open(path);
  for (const NamedTensor& named : named_values(other.parameters())) named.tensor.copy_from(file.tensor(named.name));

  const Variable x(randn({5, 3}, {}));
  const double apart = norm(net(x).value() - other(x).value()).item();
  std::printf("%s: outputs are %.0e apart\n", path, apart);
  return apart == 0 ? 0 : 1;
}
