#include "transkimmer/skim/row_sets.h"

#include "autograd/grad_mode.h"
#include "tensor/backend.h"
#include "tensor/precision.h"

namespace tk {
namespace {

// A gate before attention chooses one set a layer, one after it F, and R and U of the next layer. The last layer has no
// other U and F than R, or the first rows where the head reads no others.
std::vector<RowSetTable::Layer> numbered_sets(const GateTraits& gate, std::int64_t layers, HeadReads reads) {
  std::vector<RowSetTable::Layer> sets;
  std::int64_t next = 0;
  for (std::int64_t i = 0; i < layers; ++i) {
    const bool last = i + 1 == layers;
    RowSetTable::Layer layer;
    if (gate.decides == GatePlace::kBeforeAttention) {
      layer.predicted = i == 0 ? RowSetTable::kAll : sets.back().keys;
      layer.keys = layer.updated = layer.fed = next++;
    } else if (gate.decides == GatePlace::kAfterAttention) {
      if (i > 0) layer.keys = layer.updated = layer.fed = next++;
      if (i > 0 && !last) layer.updated = next++;
      if (!last) layer.fed = next++;
      if (!last) layer.predicted = layer.keys;
    }
    if (last && reads == HeadReads::kFirstRows) layer.updated = layer.fed = RowSetTable::kFirst;
    sets.push_back(layer);
  }
  return sets;
}

// The first rows; what names their random numbers is for training.
Kept first_rows_of(const PassInputs& in) {
  Packed rows = in.rows;
  if (!in.context.training) rows.example = rows.position = Tensor();
  return first_rows(rows);
}

}  // namespace

RowSets::RowSets(const PassInputs& in) : in_(in), gate_(traits(in.config.skim_gate)), first_(first_rows_of(in)) {
  out_.sets.layers = numbered_sets(gate_, in.config.num_hidden_layers, in.options.reads);
  out_.rows = reads_all() ? in.rows : first_.packed;
}

bool RowSets::attends_unprojected(std::size_t layer, const Packed& keys, const Packed& asking) {
  const Linear& query_key_value = in_.layers[layer].attention.query_key_value;
  const bool may = in_.options.exact_transforms && !products_outrun_memory(query_key_value.factor_dtype()) &&
                   !in_.context.training && !grad_enabled() && in_.config.skim_attention == SkimAttention::kExact &&
                   keys.offsets.device() == Device::kCpu;
  if (!may || !unprojected_pays(in_.config, keys.offsets, asking.offsets)) return false;
  out_.sets.layers[layer].attending = Attending::kUnprojected;
  return true;
}

bool RowSets::attends_from_tables(std::size_t layer) {
  if (layer > 0 || !in_.options.projected.defined()) return false;
  out_.sets.layers[layer].attending = Attending::kFromTables;
  return true;
}

// A row's example names random numbers, of which evaluation has none; its position is for who asks what became of a
// token, and nobody asks a recorded pass.
std::vector<Kept> RowSets::make_rooms() {
  std::vector<Kept> rooms;
  const std::int64_t sets = out_.sets.size();
  if (sets == 0) return rooms;
  Packed rows = in_.rows;
  const Device device = rows.offsets.device();
  rows.example = Tensor();
  if (is_recording(device)) rows.position = Tensor();
  out_.sets.offsets = empty({sets, rows.sentences + 1}, DType::kInt32, device);
  for (std::int64_t i = 0; i < sets; ++i) {
    rooms.push_back(room_for(rows, out_.sets.offsets.select(0, i)));
    out_.sets.positions.push_back(rooms.back().packed.position);
  }
  return rooms;
}

}  // namespace tk
