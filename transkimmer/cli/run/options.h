#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "tensor/choices.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

// Command lines by CLI11, which only options.cpp and main.cpp include.
namespace tk {

/// A wrong command line that shows only when its flags are seen together: exit code 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Throws UsageError with all of the problems, if there are any.
void check_usage(const std::vector<std::string>& problems);

/// A flag of a command; the calls narrow what it takes.
class Flag {
 public:
  explicit Flag(CLI::Option* option) : option_(option) {}

  Flag& required();
  Flag& choices(const std::vector<std::string>& names);
  Flag& range(double low, double high);
  Flag& at_least(double low);
  Flag& above(double low);
  /// `problem` says what is wrong with a value, or nothing.
  Flag& check(std::function<std::string(const std::string& value)> problem);

 private:
  CLI::Option* option_;
};

/// The flags of one command, each bound to a variable that must live until the command has run. A flag has the
/// environment variable TRANSKIMMER_NAME, shows its default in the help, and wins by its last spelling.
class Flags {
 public:
  /// Adds the command `name` to `program` (or to a command that has commands).
  Flags(CLI::App& program, const std::string& name, const std::string& description);

  CLI::App& command() const { return command_; }
  /// One of its own commands has to follow it.
  void need_command();
  /// Text behind the flags in the help: examples, and what the command writes.
  void footer(const std::string& text);
  /// The heading in the help of the flags that follow.
  void group(std::string title) { group_ = std::move(title); }

  /// T: std::string, std::int64_t, std::uint64_t, double, std::optional of string, int64 or double, bool (bare or with
  /// a value), std::vector<double> (separated by commas). `metavar` stands for the value in the help.
  template <class T>
  requires(!std::is_enum_v<T>) Flag
      add(const std::string& name, T& value, const std::string& help, const std::string& metavar = "");
  /// An enumeration that has choices().
  template <class Enum>
  requires std::is_enum_v<Enum> Flag add(const std::string& name, Enum& value, const std::string& help) {
    return add_choice(
        name, choice_names<Enum>(), [&value] { return std::string(choice_name(value)); },
        [&value](const std::string& chosen) { value = *find_choice<Enum>(chosen); }, help);
  }
  /// The same where not to choose is a choice.
  template <class Enum>
  requires std::is_enum_v<Enum> Flag add(const std::string& name, std::optional<Enum>& value, const std::string& help) {
    return add_choice(
        name, choice_names<Enum>(), [&value] { return std::string(value ? choice_name(*value) : ""); },
        [&value](const std::string& chosen) { value = find_choice<Enum>(chosen); }, help);
  }
  Flag positional(const std::string& name, std::string& value, const std::string& help);

  /// Whether the command line or the environment gave the flag.
  bool given(const std::string& name) const;
  /// The value of every flag that has one, as --NAME without dashes: what a command line needs to run the same again.
  nlohmann::json values() const;
  /// "--NAME=value" of every flag that was given, for another command that has the same flags.
  std::vector<std::string> arguments() const;

 private:
  Flag add_choice(const std::string& name, const std::vector<std::string>& names, std::function<std::string()> get,
                  std::function<void(const std::string&)> set, const std::string& help);

  struct Entry {
    std::string name;
    std::function<nlohmann::json()> value;
  };

  CLI::App& command_;
  std::string group_ = "Options";
  std::vector<Entry> entries_;
};

/// The arguments with every - inside a flag's name as _, so that --max-steps is --max_steps; what follows "--" stays.
/// A sole argument NAME.json after the command becomes the flags that the file holds. Throws tk::Error for a bad file.
std::vector<std::string> normalised_arguments(int argc, const char* const* argv);

/// What commas separate in a flag's value, without what is empty.
std::vector<std::string> comma_separated(std::string_view text);

/// The known name most like `name`, or nothing when none is near.
std::string nearest_name(std::string_view name, const std::vector<std::string>& known);

/// The flag that sets a library's option: "--num_train_epochs" for "epochs", else the option's own name.
std::string flag_of_option(const std::string& option);

/// Gives the program and its commands this program's help layout.
void set_help_layout(CLI::App& program);

/// Throws tk::Error when an environment variable of the parsed command is set and its value did not reach the flag:
/// newer versions of CLI11 pass over what a flag refuses.
void check_environment(const CLI::App& program);

/// What a command line got wrong, as one line.
std::string parse_problem(const CLI::App& program, const std::exception& error);

}  // namespace tk
