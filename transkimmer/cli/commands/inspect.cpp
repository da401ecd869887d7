#include "transkimmer/cli/commands/inspect.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <ostream>
#include <string>
#include <vector>

#include "tensor/error.h"
#include "tensor/io/in_quotes.h"
#include "transkimmer/checkpoint.h"
#include "transkimmer/weight_files.h"

namespace tk {
namespace {

using Row = std::array<std::string, 4>;  // name, dtype, shape, megabytes

std::string megabytes(std::int64_t bytes) { return fmt::format("{:.3f}", static_cast<double>(bytes) * 1e-6); }

// 22713216 as "22,713,216".
std::string grouped(std::int64_t n) {
  std::string digits = std::to_string(n);
  for (std::ptrdiff_t i = std::ssize(digits) - 3; i > 0; i -= 3) digits.insert(digits.begin() + i, ',');
  return digits;
}

Row row_of(const SafetensorsEntry& entry) {
  std::string shape;
  for (const std::int64_t extent : entry.shape) {
    if (!shape.empty()) shape += " x ";
    shape += std::to_string(extent);
  }
  return {printable(entry.name), entry.dtype, shape.empty() ? "scalar" : shape, megabytes(entry.end - entry.begin)};
}

// "layer.2" before "layer.10".
bool natural_order(const SafetensorsEntry& a, const SafetensorsEntry& b) {
  return ::strverscmp(a.name.c_str(), b.name.c_str()) < 0;
}

void print_table(const std::vector<Row>& rows, std::ostream& out) {
  std::array<std::size_t, 4> widths = {};
  for (const Row& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  const auto padding = [&](const Row& row, std::size_t i) { return std::string(widths[i] - row[i].size(), ' '); };
  for (const Row& row : rows) {
    out << row[0] << padding(row, 0) << "  " << row[1] << padding(row, 1) << "  " << row[2] << padding(row, 2) << "  "
        << padding(row, 3) << row[3] << '\n';
  }
}

void print_weights(const WeightFiles& file, std::ostream& out) {
  std::vector<SafetensorsEntry> entries = file.entries();
  std::ranges::sort(entries, natural_order);
  std::vector<Row> rows = {{"name", "dtype", "shape", "MB"}};
  std::int64_t elements = 0;
  std::int64_t bytes = 0;
  for (const SafetensorsEntry& entry : entries) {
    rows.push_back(row_of(entry));
    elements += entry.numel();
    bytes += entry.end - entry.begin;
  }
  print_table(rows, out);
  out << entries.size() << " tensors, " << grouped(elements) << " elements, " << megabytes(bytes) << " MB\n";
}

}  // namespace

void inspect(const std::filesystem::path& folder_or_file, std::ostream& out) {
  const WeightFiles file = WeightFiles::open(folder_or_file);
  if (std::filesystem::is_directory(folder_or_file)) {
    const Config config = load_config(folder_or_file);
    out << summary(config) << '\n' << grouped(parameter_count(config)) << " parameters with a classifier\n\n";
  }
  for (const auto& [key, value] : file.metadata()) out << printable(key) << ": " << printable(value) << '\n';
  print_weights(file, out);
}

}  // namespace tk
