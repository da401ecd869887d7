#pragma once

#include "transkimmer/families/family.h"

namespace tk {

/// BERT (Devlin et al., arXiv 1810.04805) as Hugging Face publishes it, and its small relatives such as MiniLM.
extern const Family kBert;

}  // namespace tk
