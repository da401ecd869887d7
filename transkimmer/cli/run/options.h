#pragma once

#include <cstdint>
#include <deque>
#include <filesystem>
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

// Command lines by CLI11, which only options.cpp, command_line.cpp and main.cpp include.
namespace tk {

/// A wrong command line, of which `problems` says all that is wrong, a line each: exit code 2.
class UsageError : public std::runtime_error {
 public:
  explicit UsageError(std::vector<std::string> problems);

  const std::vector<std::string>& problems() const { return problems_; }

 private:
  std::vector<std::string> problems_;
};

/// What a command knows of one of its flags.
struct FlagEntry {
  using Problem = std::function<std::string(const std::string& value)>;

  std::string name;  ///< "--seed"; of an argument that is none "DIR"
  CLI::Option* option;
  bool is_switch;  ///< takes true or false, or nothing
  std::function<nlohmann::json()> value;
  Problem read;  ///< takes a value; what is wrong with it, or nothing
  std::vector<Problem> checks = {};
  std::string problem = {};  ///< with the value that it got
  bool takes_words = false;  ///< all up to the next flag, which are joined by commas
};

/// What the help says of a flag.
struct FlagHelp {
  std::string name;   ///< "--seed"; of an argument that is none "DIR"
  std::string value;  ///< what stands for its value: "N", "DIR", or its choices with | between; of a switch nothing
  std::string group;  ///< the heading that it stands under
  std::string text;
};

/// Throws UsageError with all of the problems, if there are any.
void check_usage(std::vector<std::string> problems);

/// A flag of a command; the calls narrow what it takes.
class Flag {
 public:
  explicit Flag(FlagEntry& entry) : entry_(entry) {}

  Flag& required();
  Flag& choices(const std::vector<std::string>& names);
  Flag& range(double low, double high);
  Flag& at_least(double low);
  Flag& above(double low);
  /// Values may stand with blanks between, too: "--flag a b" is "--flag a,b".
  Flag& words();
  /// `problem` says what is wrong with a value, or nothing.
  Flag& check(FlagEntry::Problem problem);

 private:
  FlagEntry& entry_;
};

/// The flags of one command, each bound to a variable that must live until the command has run. A flag has the
/// environment variable TRANSKIMMER_NAME, shows its default in the help, and wins by its last spelling. What is wrong
/// with values is kept, so that all of it is said at once.
class Flags {
 public:
  /// Adds the command `name` to `program` (or to a command that has commands).
  Flags(CLI::App& program, const std::string& name, const std::string& description);
  Flags(const Flags&) = delete;
  Flags& operator=(const Flags&) = delete;

  CLI::App& command() const { return command_; }
  /// "train"; of a command of a command "glue verify".
  std::string name() const;
  std::string description() const;
  std::string footer() const;
  std::vector<FlagHelp> help() const;
  /// One of its own commands has to follow it.
  void need_command();
  /// Text behind the flags in the help: examples, and what the command writes.
  void footer(const std::string& text);
  /// The heading in the help of the flags that follow.
  void group(std::string title) { group_ = std::move(title); }

  /// What flags of which each is right say wrongly together, a line each. Called when all are read; it may first
  /// complete what was not given.
  void contradictions(std::function<std::vector<std::string>()> problems) { contradictions_ = std::move(problems); }

  /// T: std::string, std::int64_t, std::uint64_t, double, std::optional of these but uint64, bool (bare or with
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
  /// The flag of that name, with dashes in front, or nothing.
  const FlagEntry* find(std::string_view name) const;
  /// Those of all flags.
  std::vector<std::string> names() const;
  /// Whether it takes words without dashes.
  bool has_positionals() const;
  /// What is wrong with the values that were given and with what was not, a line each.
  std::vector<std::string> problems() const;
  /// The value of every flag that has one, as --NAME without dashes: what a command line needs to run the same again.
  nlohmann::json values() const;
  /// "--NAME=value" of every flag that was given, for another command that has the same flags.
  std::vector<std::string> arguments() const;

 private:
  Flag add_choice(const std::string& name, const std::vector<std::string>& names, std::function<std::string()> get,
                  std::function<void(const std::string&)> set, const std::string& help);

  FlagEntry& add_entry(const std::string& name, const std::string& help, bool is_switch,
                       std::function<nlohmann::json()> value, FlagEntry::Problem read);

  CLI::App& command_;
  std::string group_ = "Options";
  std::deque<FlagEntry> entries_;  // its elements stay where they are
  std::function<std::vector<std::string>()> contradictions_;
};

/// "--NAME=VALUE" of each entry of a JSON object of flags, or of the `flags` of a run's manifest. Throws tk::Error for
/// a bad file.
std::vector<std::string> arguments_of_json(const std::string& path);

/// What `text` says as a switch's value, in any case: true yes t y on 1, false no f n off 0.
std::optional<bool> switch_value(std::string_view text);

/// What commas separate in a flag's value, without what is empty.
std::vector<std::string> comma_separated(std::string_view text);
/// The same as paths.
std::vector<std::filesystem::path> paths_of(std::string_view text);

/// The known name that `name` is most like, such that it may be a slip: a letter or two in short names, three in long
/// ones. Else nothing.
std::string nearest_name(std::string_view name, const std::vector<std::string>& known);

/// The flag that sets a library's option: "--num_train_epochs" for "epochs", else the option's own name.
std::string flag_of_option(const std::string& option);

/// Gives the program and its commands this program's help layout.
void set_help_layout(CLI::App& program);

}  // namespace tk
