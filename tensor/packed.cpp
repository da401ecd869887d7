#include "tensor/packed.h"

#include <limits>

#include "tensor/kernels.h"

namespace tk {

std::int64_t count_tokens(std::span<const std::int64_t> lengths) {
  std::int64_t tokens = 0;
  for (std::size_t b = 0; b < lengths.size(); ++b) {
    TK_CHECK(lengths[b] <= Stream::kPositions, "make_packed: sentence ", b, " has ", lengths[b],
             " tokens; positions are below ", int{Stream::kPositions});
    TK_CHECK(lengths[b] >= 0 && lengths[b] <= std::numeric_limits<std::int32_t>::max() - tokens,
             "make_packed: sentence ", b, " has length ", lengths[b]);
    tokens += lengths[b];
  }
  return tokens;
}

void write_packed(const Packed& packed, std::span<const std::int64_t> lengths, std::span<const std::int32_t> examples) {
  TK_CHECK(lengths.size() == examples.size(), "make_packed: ", lengths.size(), " lengths but ", examples.size(),
           " example ids");
  auto* offsets = packed.offsets.data<std::int32_t>();
  auto* example = packed.example.data<std::int32_t>();
  auto* position = packed.position.data<std::int32_t>();
  std::int32_t row = 0;
  offsets[0] = 0;
  for (std::size_t b = 0; b < lengths.size(); ++b) {
    for (std::int64_t i = 0; i < lengths[b]; ++i, ++row) {
      example[row] = examples[b];
      position[row] = static_cast<std::int32_t>(i);
    }
    offsets[b + 1] = row;
  }
}

Packed make_packed(const std::vector<std::int64_t>& lengths, const std::vector<std::int32_t>& examples) {
  Packed packed;
  packed.tokens = count_tokens(lengths);
  packed.sentences = static_cast<std::int64_t>(lengths.size());
  packed.offsets = empty({packed.sentences + 1}, DType::kInt32);
  packed.example = empty({packed.tokens}, DType::kInt32);
  packed.position = empty({packed.tokens}, DType::kInt32);
  write_packed(packed, lengths, examples);
  return packed;
}

Packed to(const Packed& packed, Device device) {
  Packed moved = packed;
  for (Tensor* part : {&moved.offsets, &moved.example, &moved.position}) *part = part->to(device);
  return moved;
}

namespace {

// Gathers the examples and positions of the rows named; what is not there stays so.
void gather_ids(const Packed& to, const Packed& from, const Tensor& rows) {
  const auto gather = [&](const Tensor& target, const Tensor& source) {
    if (!target.defined() || !source.defined()) return;
    Tensor y = target.narrow(0, 0, rows.numel());
    index_select_kernel(y.device(), y, source, rows);
  };
  gather(to.example, from.example);
  gather(to.position, from.position);
}

Packed room(std::int64_t tokens, const Packed& like, const Tensor& offsets = {}) {
  const Device device = like.offsets.device();
  Packed packed;
  packed.tokens = tokens;
  packed.sentences = like.sentences;
  packed.offsets = offsets.defined() ? offsets : empty({like.sentences + 1}, DType::kInt32, device);
  if (like.example.defined()) packed.example = empty({tokens}, DType::kInt32, device);
  if (like.position.defined()) packed.position = empty({tokens}, DType::kInt32, device);
  return packed;
}

}  // namespace

Kept room_for(const Packed& packed, const Tensor& offsets) {
  return {empty({packed.tokens}, DType::kInt32, packed.offsets.device()), room(packed.tokens, packed, offsets)};
}

void keep_into(const Kept& kept, const Packed& packed, const Tensor& mask) {
  TK_CHECK(mask.dtype() == DType::kBool && mask.shape() == Shape{packed.tokens}, "keep: expected a bool mask of [",
           packed.tokens, "], got ", mask.dtype(), ' ', mask.shape());
  TK_CHECK(packed.tokens <= kept.packed.tokens && packed.sentences == kept.packed.sentences, "keep: ", packed.tokens,
           " rows of ", packed.sentences, " sentences do not fit room for ", kept.packed.tokens, " of ",
           kept.packed.sentences);
  for (const Tensor& tensor : {kept.rows, packed.offsets}) check_device("keep", mask.device(), tensor);
  Tensor rows = kept.rows.narrow(0, 0, packed.tokens);
  Tensor offsets = kept.packed.offsets;
  compact_kernel(mask.device(), rows, offsets, mask.contiguous(), packed.offsets);
  gather_ids(kept.packed, packed, rows);
}

Packed front(const Packed& packed, std::int64_t n) {
  Packed some = packed;
  some.tokens = n;
  for (Tensor* ids : {&some.example, &some.position}) {
    if (ids->defined()) *ids = ids->narrow(0, 0, n);
  }
  return some;
}

Kept front(const Kept& kept, std::int64_t n) { return {kept.rows.narrow(0, 0, n), front(kept.packed, n)}; }

Kept keep(const Packed& packed, const Tensor& mask) {
  const Kept kept = room_for(packed);
  keep_into(kept, packed, mask);
  return front(kept, static_cast<std::int64_t>(kept.packed.count().item()));
}

Kept all_but_first_rows(const Packed& packed) {
  const Device device = packed.offsets.device();
  Tensor mask = full({packed.tokens}, 1, DType::kBool, device);
  index_copy_kernel(device, mask, zeros({packed.sentences}, DType::kBool, device),
                    packed.offsets.narrow(0, 0, packed.sentences));
  const Kept kept = room_for(packed);
  keep_into(kept, packed, mask);
  return front(kept, packed.tokens - packed.sentences);
}

Kept first_rows(const Packed& packed) {
  const Device device = packed.offsets.device();
  if (device == Device::kCpu) {
    const std::int32_t* offsets = packed.offsets.data<std::int32_t>();
    for (std::int64_t b = 0; b < packed.sentences; ++b) {
      TK_CHECK(offsets[b] < offsets[b + 1], "first_rows: sentence ", b, " has no rows");
    }
  }
  Kept first{packed.offsets.narrow(0, 0, packed.sentences), room(packed.sentences, packed)};
  first.packed.offsets = arange(packed.sentences + 1, DType::kInt32, device);
  gather_ids(first.packed, packed, first.rows);
  return first;
}

}  // namespace tk
