#include "transkimmer/training/recorder.h"

namespace tk {

std::int64_t rows_in_bucket(std::int64_t rows, Device device) {
  constexpr std::int64_t kRows = 64;  // few shapes, and few dummy rows
  return Capture::is_possible(device) ? (rows + kRows - 1) / kRows * kRows : 0;
}

Batch in_bucket(const Batch& batch, Device device) {
  const std::int64_t rows = rows_in_bucket(batch.tokens.rows.tokens, device);
  return rows > 0 ? with_dummy_rows(batch, rows) : batch;
}

std::vector<std::int64_t> shape_of(const Batch& batch) { return {batch.tokens.rows.tokens, batch.sentences()}; }

}  // namespace tk
