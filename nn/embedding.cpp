#include "nn/embedding.h"

#include "autograd/ops/index.h"
#include "autograd/ops/shape.h"

namespace tk {

Embedding::Embedding(std::int64_t entries, std::int64_t dim, bool sparse, Init init)
    : weight(init == Init::kInt8Zeros ? Parameter::int8({entries, dim}) : Parameter({entries, dim})) {
  if (sparse) weight.make_sparse();
  if (init == Init::kDefault) init_normal(weight.value(), 1);
}

Variable Embedding::operator()(const Tensor& ids) const {
  if (weight.is_quantized() && ids.rank() == 1) return Variable(dequantize_rows(weight.quantized(), ids));
  if (ids.rank() == 1) return index_select(weight, ids);
  Shape shape = ids.shape();
  shape.push_back(weight.value().shape()[1]);
  return reshape((*this)(ids.reshape({ids.numel()})), shape);
}

void Embedding::collect(ParameterList& list, const std::string& path) { list.push_back({{path + ".weight"}, &weight}); }

}  // namespace tk
