#pragma once

#include <exception>
#include <string>

namespace tk {

/// What went wrong, in this library's words: of the standard library's own errors the path and the system's reason.
std::string problem_text(const std::exception& error);

}  // namespace tk
