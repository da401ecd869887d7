#include "autograd/ops/cumsum.h"

#include "tensor/ops/cumsum.h"

namespace tk {

Variable cumsum(const Variable& x, std::int64_t dim) {
  return record("cumsum", cumsum(x.value(), dim), {x}, [dim](const Tensor& dy) -> Tensors {
    return {cumsum(dy, dim, true)};  // dx[i] = dy[i] + ... + dy[n - 1]
  });
}

}  // namespace tk
