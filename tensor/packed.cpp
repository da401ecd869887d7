#include "tensor/packed.h"

#include <algorithm>
#include <limits>

#include "tensor/kernels.h"

namespace tk {

Packed make_packed(const std::vector<std::int64_t>& lengths, const std::vector<std::int32_t>& examples) {
  TK_CHECK(lengths.size() == examples.size(), "make_packed: ", lengths.size(), " lengths but ", examples.size(),
           " example ids");
  std::vector<std::int32_t> offsets = {0};
  std::vector<std::int32_t> example;
  std::vector<std::int32_t> position;
  Packed packed;
  for (std::size_t b = 0; b < lengths.size(); ++b) {
    TK_CHECK(lengths[b] >= 0 && lengths[b] <= std::numeric_limits<std::int32_t>::max() - packed.tokens,
             "make_packed: sentence ", b, " has length ", lengths[b]);
    packed.tokens += lengths[b];
    packed.longest = std::max(packed.longest, lengths[b]);
    offsets.push_back(static_cast<std::int32_t>(packed.tokens));
    for (std::int64_t i = 0; i < lengths[b]; ++i) {
      example.push_back(examples[b]);
      position.push_back(static_cast<std::int32_t>(i));
    }
  }
  packed.sentences = static_cast<std::int64_t>(lengths.size());
  packed.offsets = from_values(offsets);
  packed.example = from_values(example);
  packed.position = from_values(position);
  return packed;
}

Packed to(const Packed& packed, Device device) {
  Packed moved = packed;
  for (Tensor* part : {&moved.offsets, &moved.example, &moved.position}) *part = part->to(device);
  return moved;
}

namespace {

// The rows whose mask is true; `kept_rows` says how many there are, or is negative to count them (which waits for the
// device).
Kept compacted(const Packed& packed, const Tensor& mask, std::int64_t kept_rows) {
  const Device device = mask.device();
  Tensor rows = empty({packed.tokens}, DType::kInt32, device);
  Kept kept;
  kept.packed = packed;
  kept.packed.offsets = empty({packed.sentences + 1}, DType::kInt32, device);
  compact_kernel(device, rows, kept.packed.offsets, mask.contiguous(), packed.offsets);
  kept.packed.tokens =
      kept_rows >= 0 ? kept_rows : static_cast<std::int64_t>(kept.packed.offsets.select(0, packed.sentences).item());
  kept.rows = rows.narrow(0, 0, kept.packed.tokens);
  kept.packed.example = empty({kept.packed.tokens}, DType::kInt32, device);
  kept.packed.position = empty({kept.packed.tokens}, DType::kInt32, device);
  index_select_kernel(device, kept.packed.example, packed.example, kept.rows);
  index_select_kernel(device, kept.packed.position, packed.position, kept.rows);
  return kept;
}

}  // namespace

Kept all_but_first_rows(const Packed& packed) {
  const Device device = packed.offsets.device();
  Tensor mask = full({packed.tokens}, 1, DType::kBool, device);
  index_copy_kernel(device, mask, zeros({packed.sentences}, DType::kBool, device),
                    packed.offsets.narrow(0, 0, packed.sentences));
  return compacted(packed, mask, packed.tokens - packed.sentences);
}

Kept keep(const Packed& packed, const Tensor& mask) {
  TK_CHECK(mask.dtype() == DType::kBool && mask.shape() == Shape{packed.tokens}, "keep: expected a bool mask of [",
           packed.tokens, "], got ", mask.dtype(), ' ', mask.shape());
  return compacted(packed, mask, -1);
}

Kept first_rows(const Packed& packed) {
  const Device device = packed.offsets.device();
  if (device == Device::kCpu) {
    const std::int32_t* offsets = packed.offsets.data<std::int32_t>();
    for (std::int64_t b = 0; b < packed.sentences; ++b) {
      TK_CHECK(offsets[b] < offsets[b + 1], "first_rows: sentence ", b, " has no rows");
    }
  }
  Kept first;
  first.rows = packed.offsets.narrow(0, 0, packed.sentences);
  first.packed.tokens = first.packed.sentences = packed.sentences;
  first.packed.longest = packed.sentences > 0 ? 1 : 0;
  first.packed.offsets = arange(packed.sentences + 1, DType::kInt32, device);
  first.packed.example = empty({packed.sentences}, DType::kInt32, device);
  first.packed.position = empty({packed.sentences}, DType::kInt32, device);
  index_select_kernel(device, first.packed.example, packed.example, first.rows);
  index_select_kernel(device, first.packed.position, packed.position, first.rows);
  return first;
}

}  // namespace tk
