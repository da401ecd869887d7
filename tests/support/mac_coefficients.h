#pragma once

#include "tensor/mac_coefficients.h"

namespace tk::test {

/// No two alike, so that a term in another's place shows.
inline constexpr MacCoefficients kMacCoefficients{.row = 0.3,
                                                  .pair = 0.02,
                                                  .heads_pair = 0,
                                                  .feed = 0.5,
                                                  .predict = 0.1,
                                                  .unasked = 1,
                                                  .head_sentence = 0.7,
                                                  .head_row = 0.05};

}  // namespace tk::test
