#pragma once

#include <cstdint>
#include <vector>

#include "data/example.h"
#include "data/task.h"

namespace tk {

/// Where a task's rows come from. A reader knows files and formats; whoever asks it knows neither.
class Reader {
 public:
  virtual ~Reader() = default;

  virtual const Task& task() const = 0;
  /// The files of a part, the first `limit` examples of each (all when negative): none where there is no such part, two
  /// for MNLI's dev and test. Throws tk::Error that names file and line.
  virtual std::vector<Split> read(Part part, std::int64_t limit = -1) const = 0;
};

}  // namespace tk
