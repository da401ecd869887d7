#pragma once

#include <string>

#include "nn/parameter.h"

namespace tk {

/// Rows of a table [entries, dim] by id.
struct Embedding {
  Parameter weight;

  Embedding() = default;
  /// With `sparse` the gradient stays a list of rows, so that its size follows the batch and not the table.
  Embedding(std::int64_t entries, std::int64_t dim, bool sparse = false);

  /// ids [n] int32: [n, dim]. Throws on an id out of range.
  Variable operator()(const Tensor& ids) const;
  void collect(ParameterList& list, const std::string& path);
};

}  // namespace tk
