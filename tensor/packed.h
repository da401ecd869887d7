#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace tk {

/// The row structure of a packed batch: all sentences' tokens one after the other, no padding. Row r of sentence b has
/// offsets[b] <= r < offsets[b + 1]. Rows behind the last sentence are dummies, which a recorded step may have: they
/// belong to no sentence, and attention writes zeros for them.
struct Packed {
  Tensor offsets;   ///< [sentences + 1] int32, offsets[0] = 0, the last = tokens but for dummies
  Tensor example;   ///< [tokens] int32: the id of the example that a row belongs to (names its random numbers);
                    ///< undefined where nothing is random
  Tensor position;  ///< [tokens] int32: the row's position in the original sentence
  std::int64_t tokens = 0;
  std::int64_t sentences = 0;

  /// How many rows are no dummies, where the rows lie: int32 of rank 0.
  Tensor count() const { return offsets.select(0, sentences); }
};

/// Packed sentences as token ids: what a batch holds and a model reads.
struct PackedTokens {
  Packed rows;
  Tensor input_ids;    ///< [tokens] int32
  Tensor token_types;  ///< [tokens] int32: 0 for the first sentence of a pair, 1 for the second
};

/// The same rows on another device.
Packed to(const Packed& packed, Device device);

/// Rows of sentences of these lengths; throws when a length is negative, or there are too many.
std::int64_t count_tokens(std::span<const std::int64_t> lengths);
/// Packs sentences of the given lengths, positions counted from 0. `examples` holds one id a sentence; throws when the
/// counts differ, or a length is negative or above Stream::kPositions.
Packed make_packed(const std::vector<std::int64_t>& lengths, const std::vector<std::int32_t>& examples);
/// The same into tensors that are there, on the CPU: packed.tokens and packed.sentences say what they have room for.
void write_packed(const Packed& packed, std::span<const std::int64_t> lengths, std::span<const std::int32_t> examples);

/// Some rows of a batch and their structure.
struct Kept {
  Tensor rows;    ///< [kept] int32: indices into the rows before; -1 for a dummy
  Packed packed;  ///< offsets, examples and positions of the survivors
};

/// Compacts the rows whose mask [tokens] bool is true, for all sentences at once; order, examples and original
/// positions stay. The count of survivors is read back.
Kept keep(const Packed& packed, const Tensor& mask);

/// Room for what is kept of a batch's rows; its offsets in `offsets` where that is given.
Kept room_for(const Packed& packed, const Tensor& offsets = {});
/// keep without reading back: writes to the front of `kept`, which has room for as many rows and more. There are
/// packed.tokens rows then, dummies behind the survivors.
void keep_into(const Kept& kept, const Packed& packed, const Tensor& mask);
/// The first n rows, which all others but dummies are among.
Packed front(const Packed& packed, std::int64_t n);
Kept front(const Kept& kept, std::int64_t n);

/// All rows but the first of every sentence, dummies too. No sentence may be empty.
Kept all_but_first_rows(const Packed& packed);

/// The first row of every sentence ([CLS]); on the CPU it throws if a sentence is empty.
Kept first_rows(const Packed& packed);

}  // namespace tk
