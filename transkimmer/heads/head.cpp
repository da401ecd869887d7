#include "transkimmer/heads/head.h"

#include "transkimmer/heads/sequence_head.h"
#include "transkimmer/heads/token_head.h"

namespace tk {

std::unique_ptr<Head> make_head(const Config& config) {
  if (config.head() == HeadKind::kToken) return std::make_unique<TokenHead>(config);
  return std::make_unique<SequenceHead>(config);
}

}  // namespace tk
