#pragma once

#include <string>
#include <string_view>

namespace tk {

/// Untrusted text for a one-line message: in quotes, control characters as '?', cut behind 80 bytes.
std::string in_quotes(std::string_view text);
/// The same without quotes and without a cut.
std::string printable(std::string_view text);

}  // namespace tk
