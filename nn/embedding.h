#pragma once

#include <string>

#include "nn/init.h"
#include "nn/parameter.h"

namespace tk {

/// Rows of a table [entries, dim] by id. They begin standard normal.
struct Embedding {
  Parameter weight;

  Embedding() = default;
  /// With `sparse` the gradient stays a list of rows, so that its size follows the batch and not the table.
  Embedding(std::int64_t entries, std::int64_t dim, bool sparse = false, Init init = Init::kDefault);

  /// ids [...] int32 or int64: [..., dim]. Throws on an id out of range.
  Variable operator()(const Tensor& ids) const;
  void collect(ParameterList& list, const std::string& path);
};

}  // namespace tk
