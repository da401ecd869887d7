#pragma once

#include <string>

#include "nn/attention.h"
#include "nn/feed_forward.h"

namespace tk {

/// A transformer encoder layer on row sets: all rows are keys; `queries` (null: all) are updated. Its two halves are
/// public, since skimming decides between them.
struct EncoderLayer {
  Attention attention;
  FeedForward feed_forward;

  EncoderLayer() = default;
  EncoderLayer(const AttentionOptions& attention, const FeedForwardOptions& feed_forward)
      : attention(attention), feed_forward(feed_forward) {}

  Variable operator()(const Variable& x, const Packed& rows, const Kept* queries, const Variable& key_weight,
                      const Context& context) const {
    const Variable y = attention(x, rows, queries, key_weight, context);
    return feed_forward(y, queries != nullptr ? queries->packed : rows, Variable(), context);
  }

  void collect(ParameterList& list, const std::string& path, const EncoderLayerNames& names) {
    attention.collect(list, path, names.attention);
    feed_forward.collect(list, path, names.feed_forward);
  }
};

}  // namespace tk
