#pragma once

#include <cstdlib>
#include <initializer_list>
#include <utility>
#include <vector>

namespace tk::test {

/// The process has these environment variables as long as this lives; null: it has none of that name.
class Variables {
 public:
  Variables(std::initializer_list<std::pair<const char*, const char*>> variables) : variables_(variables) {
    for (const auto& [name, value] : variables_) value == nullptr ? ::unsetenv(name) : ::setenv(name, value, 1);
  }
  ~Variables() {
    for (const auto& [name, value] : variables_) ::unsetenv(name);
  }
  Variables(const Variables&) = delete;
  Variables& operator=(const Variables&) = delete;

 private:
  std::vector<std::pair<const char*, const char*>> variables_;
};

}  // namespace tk::test
