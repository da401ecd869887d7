#include "transkimmer/skim/pass.h"

#include <algorithm>

namespace tk {

std::int64_t RowSetTable::size() const {
  std::int64_t sets = 0;
  for (const Layer& layer : layers) sets = std::max({sets, layer.keys + 1, layer.updated + 1, layer.fed + 1});
  return sets;
}

std::vector<LayerRows> count_rows(const RowSetTable& sets, const Packed& batch, const Tensor& offsets) {
  const std::vector<double> all = count_rows(batch.offsets);
  const std::vector<double> first(all.size(), 1);
  const auto count = [&](std::int64_t set) {
    if (set == RowSetTable::kAll) return all;
    if (set == RowSetTable::kFirst) return first;
    return set == RowSetTable::kNone ? std::vector<double>() : count_rows(offsets.select(0, set));
  };
  std::vector<LayerRows> layers;
  for (const RowSetTable::Layer& layer : sets.layers) {
    layers.push_back(
        {count(layer.keys), count(layer.updated), count(layer.fed), count(layer.predicted), layer.attending});
  }
  return layers;
}

std::vector<LayerRows> count_rows(const RowSetTable& sets, const Packed& batch) {
  return count_rows(sets, batch, sets.offsets.to(Device::kCpu));
}

std::vector<std::int32_t> positions(const RowSetTable& sets, std::int64_t set, const Packed& batch) {
  if (set == RowSetTable::kNone) return {};
  if (set == RowSetTable::kFirst) return first_rows(batch).packed.position.to_vector<std::int32_t>();
  const bool all = set == RowSetTable::kAll;
  const Tensor count = all ? batch.count() : sets.offsets.select(0, set).select(0, batch.sentences);
  const Tensor& rows = all ? batch.position : sets.positions[static_cast<std::size_t>(set)];
  return rows.narrow(0, 0, static_cast<std::int64_t>(count.item())).to_vector<std::int32_t>();
}

}  // namespace tk
