#pragma once

#include <string>

#include "tensor/error.h"

namespace tk {

/// An option that a run cannot have. what() is "option: problem"; a program that sets options by flags says the flag.
class OptionError : public Error {
 public:
  OptionError(std::string option, std::string problem)
      : Error(option + ": " + problem), option_(std::move(option)), problem_(std::move(problem)) {}

  const std::string& option() const { return option_; }
  const std::string& problem() const { return problem_; }

 private:
  std::string option_, problem_;
};

/// Throws OptionError of `option` with the streamed parts unless `condition` holds.
template <class... Parts>
void check_option(bool condition, const char* option, const Parts&... problem) {
  if (!condition) throw OptionError(option, concat(problem...));
}

}  // namespace tk
