#include "nn/embedding.h"

#include "autograd/ops/index.h"

namespace tk {

Embedding::Embedding(std::int64_t entries, std::int64_t dim, bool sparse) : weight({entries, dim}) {
  if (sparse) weight.make_sparse();
}

Variable Embedding::operator()(const Tensor& ids) const { return index_select(weight, ids); }

void Embedding::collect(ParameterList& list, const std::string& path) { list.push_back({{path + ".weight"}, &weight}); }

}  // namespace tk
