#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Enumerations whose values people choose by name, in a flag or a file. Such an enumeration has one table of names,
// which choices(Enum) gives; what a flag offers, how a name is read and what a value is called all follow from it.
namespace tk {

template <class Enum>
struct Choice {
  Enum value;
  const char* name;
};
template <class Enum>
using Choices = std::span<const Choice<Enum>>;

/// What a value is called; empty for one that nobody chooses.
template <class Enum>
const char* choice_name(Enum value) {
  for (const Choice<Enum>& choice : choices(value)) {
    if (choice.value == value) return choice.name;
  }
  return "";
}

/// Nothing for a name that there is not.
template <class Enum>
std::optional<Enum> find_choice(std::string_view name) {
  for (const Choice<Enum>& choice : choices(Enum{})) {
    if (name == choice.name) return choice.value;
  }
  return std::nullopt;
}

template <class Enum>
std::vector<std::string> choice_names() {
  std::vector<std::string> names;
  for (const Choice<Enum>& choice : choices(Enum{})) names.emplace_back(choice.name);
  return names;
}

}  // namespace tk
