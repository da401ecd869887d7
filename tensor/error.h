#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace tk {

/// A caller's mistake or bad input; the message starts with the op, file or flag at fault.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The parts streamed one after the other. Throws std::bad_alloc, where a stream left to itself would cut the text.
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  out.exceptions(std::ios::badbit);
  (out << ... << parts);
  return out.str();
}

}  // namespace tk

/// Throws tk::Error with the streamed parts unless `condition` holds.
#define TK_CHECK(condition, ...)                              \
  do {                                                        \
    if (!(condition)) throw ::tk::Error(::tk::concat(__VA_ARGS__)); \
  } while (false)
