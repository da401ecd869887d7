#pragma once

#include <string>
#include <utility>
#include <vector>

namespace tk {

/// "0.1.0".
const char* version();

/// What the program was made of: version, git commit, compiler, build type, BLAS and its core, backends.
std::vector<std::pair<std::string, std::string>> build_info();

/// The processor's own name, or "unknown".
std::string processor_name();

}  // namespace tk
