#include "autograd/ops/sort.h"

#include "autograd/ops/index.h"
#include "tensor/ops/sort.h"

namespace tk {

SortedVariable sort(const Variable& x, std::int64_t dim, bool descending) {
  const Tensor index = argsort(x.value(), dim, descending);
  return {gather(x, dim, index), index};
}

SortedVariable topk(const Variable& x, std::int64_t k, std::int64_t dim) {
  const Tensor index = topk(x.value(), k, dim).index;
  return {gather(x, dim, index), index};
}

}  // namespace tk
