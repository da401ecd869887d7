#pragma once

// What the parts of an encoder layer are called in a checkpoint, behind the layer's path.
namespace tk {

struct AttentionNames {
  const char* query;
  const char* key;
  const char* value;
  const char* output;
  const char* norm;
};

struct FeedForwardNames {
  const char* intermediate;
  const char* output;
  const char* norm;
};

struct EncoderLayerNames {
  AttentionNames attention;
  FeedForwardNames feed_forward;
};

}  // namespace tk
