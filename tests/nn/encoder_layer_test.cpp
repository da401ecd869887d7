#include "nn/encoder_layer.h"

#include "autograd/ops/index.h"
#include "tests/nn/layer_names.h"
#include "tests/support/catch.h"
#include "tests/support/golden.h"

using namespace tk;
using namespace tk::test;

namespace {

EncoderLayer golden_layer(const SafetensorsFile& file, ParameterList& parameters) {
  EncoderLayer layer({.hidden = 32, .heads = 4}, {.hidden = 32, .intermediate = 64});
  parameters.clear();
  layer.collect(parameters, "layer", kNames);
  for (const NamedTensor& named : named_values(parameters)) {
    named.tensor.copy_from(file.tensor(named.name.substr(std::string("layer.").size())));
  }
  return layer;
}

}  // namespace

TEST_CASE("encoder layer: output and all gradients equal PyTorch's") {
  const SafetensorsFile file = golden("encoder_layer");
  const Packed rows = golden_packed(file);
  ParameterList parameters;
  EncoderLayer layer = golden_layer(file, parameters);
  parameters.clear();
  layer.collect(parameters, "layer", kNames);
  const Variable x(file.tensor("x"), true);
  const Variable y = layer(x, rows, nullptr, Variable(), {});
  CHECK(largest_difference(y.value(), file.tensor("y")) < 1e-5);
  y.backward(file.tensor("dy"));
  CHECK(largest_difference(x.grad(), file.tensor("dx")) < 1e-5);
  std::vector<NamedTensor> gradients = named_gradients(parameters);
  for (NamedTensor& named : gradients) named.name = named.name.substr(std::string("layer.").size());
  CHECK(first_difference(gradients, file, "grad.", 1e-5) == "");
}

TEST_CASE("encoder layer: asking with some rows gives the same rows as asking with all") {
  const SafetensorsFile file = golden("encoder_layer");
  const Packed rows = golden_packed(file);
  ParameterList parameters;
  const EncoderLayer layer = golden_layer(file, parameters);
  const Variable x(file.tensor("x"));
  const Kept first = first_rows(rows);
  const Variable some = layer(x, rows, &first, Variable(), {});
  const Variable all = layer(x, rows, nullptr, Variable(), {});
  CHECK(largest_difference(some.value(), index_select(all, first.rows).value()) < 1e-5);
}
