#include "transkimmer/cli/run/options.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <type_traits>

#include "data/edit_distance.h"
#include "tensor/error.h"
#include "tensor/io/in_quotes.h"
#include "tensor/io/json.h"

namespace tk {
namespace {

using nlohmann::json;

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

// What a variable holds when it holds something.
template <class T>
struct Held {
  using type = T;
};
template <class T>
struct Held<std::optional<T>> {
  using type = T;
};

std::string default_text(const std::string& value) { return value; }
template <class T>
std::string default_text(const T& value) {
  return concat(value);
}

std::string without_dashes(const std::string& name) { return name.substr(name.find_first_not_of('-')); }

std::string environment_name(const std::string& name) {
  std::string text = "TRANSKIMMER_" + without_dashes(name);
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return text;
}

// The number that all of `text` spells, in decimal and in any locale; a '+' in front is taken, as others do.
template <class T>
std::optional<T> number(std::string_view text) {
  if (text.starts_with('+') && text.size() > 1 && text[1] != '-') text.remove_prefix(1);
  T value = {};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if constexpr (std::is_floating_point_v<T>) {
    if (!std::isfinite(value)) return std::nullopt;
  }
  return value;
}

template <class T>
std::string number_problem(const std::string& text) {
  if (number<T>(text)) return "";
  const char* kind = std::is_floating_point_v<T> ? "a number" : "an integer";
  return concat("expected ", kind, std::is_unsigned_v<T> ? " of at least 0" : "", ", got ", in_quotes(text));
}

template <class T>
std::string metavar_of() {
  if constexpr (IsOptional<T>::value) {
    return metavar_of<typename T::value_type>();
  } else if constexpr (std::is_same_v<T, std::string>) {
    return "TEXT";
  } else if constexpr (std::is_same_v<T, double>) {
    return "X";
  } else if constexpr (std::is_same_v<T, std::vector<double>>) {
    return "X,X,...";
  } else {
    return "N";
  }
}

// Wraps at 100 columns behind a hanging indent; names and values without the types that CLI11 would show.
class HelpLayout : public CLI::Formatter {
 public:
  std::string make_option(const CLI::Option* option, bool is_positional) const override {
    std::string left = "  " + (is_positional ? option->get_name(true) : option->get_name(false, true));
    if (!is_positional && !option->get_type_name().empty()) left += ' ' + option->get_type_name();
    std::string text = option->get_description();
    if (option->get_required()) text += " (required)";
    if (!option->get_type_name().empty() && !option->get_default_str().empty())
      text += " (default " + option->get_default_str() + ")";
    return hanging(left, text);
  }

  std::string make_subcommand(const CLI::App* sub) const override {
    return hanging("  " + sub->get_name(), sub->get_description());
  }

  std::string make_group(std::string group, bool is_positional,
                         std::vector<const CLI::Option*> options) const override {
    std::string text = group + ":\n";
    for (const CLI::Option* option : options) text += make_option(option, is_positional);
    return text;
  }

  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string usage = "Usage: " + name;
    if (!app->get_subcommands({}).empty()) usage += " COMMAND";
    for (const CLI::Option* option : app->get_options()) {
      if (!option->nonpositional()) usage += ' ' + option->get_name(true);
    }
    return usage + " [--flag value ...]\n\n";
  }

 private:
  static constexpr std::size_t kTextColumn = 40;
  static constexpr std::size_t kWidth = 110;

  static std::string hanging(const std::string& left, const std::string& text) {
    std::string out = left;
    std::size_t column = left.size();
    if (column + 2 > kTextColumn) {
      out += '\n';
      column = 0;
    }
    out.append(kTextColumn - column, ' ');
    column = kTextColumn;
    std::size_t at = 0;
    while (at < text.size()) {
      const std::size_t end = std::min(text.find(' ', at), text.size());
      if (column + (end - at) > kWidth) {
        out += '\n' + std::string(kTextColumn, ' ');
        column = kTextColumn;
      }
      out += text.substr(at, end - at) + ' ';
      column += end - at + 1;
      at = end + 1;
    }
    while (out.ends_with(' ')) out.pop_back();
    return out + '\n';
  }
};

// "--key=value", of a list with commas between.
std::string argument(const std::string& key, const json& value) {
  const auto text = [](const json& one) { return one.is_string() ? one.get<std::string>() : one.dump(); };
  if (!value.is_array()) return "--" + key + "=" + text(value);
  std::string joined;
  for (const json& element : value) joined += (joined.empty() ? "" : ",") + text(element);
  return "--" + key + "=" + joined;
}

// The argument of each entry of a JSON file.
std::vector<std::string> arguments_of_file(const std::string& path) {
  json object = read_json(path);
  // A run's manifest holds its flags beside other things.
  if (object.is_object() && object.contains("flags")) object = object["flags"];
  TK_CHECK(object.is_object(), path, ": expected a JSON object of flags");
  std::vector<std::string> arguments;
  for (const auto& [key, value] : object.items()) {
    if (value.is_null()) continue;
    arguments.push_back(argument(key, value));
    TK_CHECK(arguments.back().find('\0') == std::string::npos, path, ": ", in_quotes(key), ": holds a NUL character");
  }
  return arguments;
}

std::string with_underscores(std::string argument) {
  if (!argument.starts_with("--")) return argument;
  const auto end = argument.begin() + static_cast<std::ptrdiff_t>(std::min(argument.find('='), argument.size()));
  std::replace(argument.begin() + 2, end, '-', '_');
  return argument;
}

const CLI::App& parsed_command(const CLI::App& program) {
  const auto commands = program.get_subcommands();
  return commands.empty() ? program : parsed_command(*commands.front());
}

std::vector<std::string> known_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::vector<std::string> command_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::App* sub : command.get_subcommands({})) names.push_back(sub->get_name());
  return names;
}

std::string unexpected(const CLI::App& command, const std::string& argument) {
  const bool is_flag = argument.starts_with("-");
  const bool is_command = !is_flag && !command_names(command).empty();
  const std::string name = argument.substr(0, argument.find('='));
  const std::string nearest = nearest_name(name, is_flag ? known_names(command) : command_names(command));
  const std::string kind = is_flag ? "flag" : is_command ? "command" : "argument";
  return concat("unknown ", kind, ' ', printable(name), nearest.empty() ? "" : "; did you mean " + nearest + "?");
}

}  // namespace

void check_usage(const std::vector<std::string>& problems) {
  if (!problems.empty()) throw UsageError(fmt::format("{}", fmt::join(problems, "; ")));
}

Flag& Flag::required() {
  option_->required();
  return *this;
}

Flag& Flag::check(std::function<std::string(const std::string&)> problem) {
  option_->check(std::move(problem), "", "");
  return *this;
}

Flag& Flag::choices(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : "|") + name;
  option_->type_name(list);
  return check([names, list](const std::string& value) -> std::string {
    if (std::ranges::find(names, value) != names.end()) return "";
    const std::string nearest = nearest_name(value, names);
    return concat("expected ", list, ", got ", in_quotes(value),
                  nearest.empty() ? "" : "; did you mean " + nearest + "?");
  });
}

Flag& Flag::range(double low, double high) {
  return check([low, high](const std::string& text) -> std::string {
    const std::optional<double> value = number<double>(text);
    if (value && *value >= low && *value <= high) return "";
    return concat("expected a number from ", low, " to ", high, ", got ", in_quotes(text));
  });
}

Flag& Flag::at_least(double low) {
  return check([low](const std::string& text) -> std::string {
    const std::optional<double> value = number<double>(text);
    if (value && *value >= low) return "";
    return concat("expected a number of at least ", low, ", got ", in_quotes(text));
  });
}

Flag& Flag::above(double low) {
  return check([low](const std::string& text) -> std::string {
    const std::optional<double> value = number<double>(text);
    if (value && *value > low) return "";
    return concat("expected a number above ", low, ", got ", in_quotes(text));
  });
}

Flags::Flags(CLI::App& program, const std::string& name, const std::string& description)
    : command_(*program.add_subcommand(name, description)) {}

void Flags::need_command() { command_.require_subcommand(1); }

void Flags::footer(const std::string& text) { command_.footer(text); }

template <class T>
requires(!std::is_enum_v<T>) Flag Flags::add(const std::string& name, T& value, const std::string& help,
                                             const std::string& metavar) {
  using Value = typename Held<T>::type;
  CLI::Option* option = nullptr;
  if constexpr (std::is_arithmetic_v<Value> && !std::is_same_v<Value, bool>) {
    // CLI11 would read 010 as octal and -3 as a large unsigned number.
    option = command_.add_option_function<std::string>(
        name, [&value](const std::string& text) { value = number<Value>(text).value(); }, help);
    option->check(number_problem<Value>, "", "");
  } else if constexpr (IsOptional<T>::value) {
    option = command_.add_option_function<Value>(
        name, [&value](const Value& given) { value = given; }, help);
  } else {
    option = command_.add_option(name, value, help);
  }
  if constexpr (IsOptional<T>::value) {
    entries_.push_back({name, [&value] { return value ? json(*value) : json(); }});
  } else {
    entries_.push_back({name, [&value] { return json(value); }});
  }
  option->envname(environment_name(name))->group(group_);
  option->type_name(metavar.empty() ? metavar_of<T>() : metavar);
  if constexpr (std::is_same_v<T, bool>) {
    option->expected(0, 1)->type_name("")->default_str("true");  // what the bare flag means
  } else if constexpr (std::is_same_v<T, std::vector<double>>) {
    return Flag(option->delimiter(',')->check(number_problem<double>, "", ""));
  } else if constexpr (!IsOptional<T>::value) {
    option->default_str(default_text(value));
  }
  option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  return Flag(option);
}

template Flag Flags::add(const std::string&, std::string&, const std::string&, const std::string&);
template Flag Flags::add(const std::string&, std::int64_t&, const std::string&, const std::string&);
template Flag Flags::add(const std::string&, std::uint64_t&, const std::string&, const std::string&);
template Flag Flags::add(const std::string&, double&, const std::string&, const std::string&);
template Flag Flags::add(const std::string&, bool&, const std::string&, const std::string&);
template Flag Flags::add(const std::string&, std::vector<double>&, const std::string&, const std::string&);
template Flag Flags::add(const std::string&, std::optional<std::int64_t>&, const std::string&, const std::string&);
template Flag Flags::add(const std::string&, std::optional<double>&, const std::string&, const std::string&);
template Flag Flags::add(const std::string&, std::optional<std::string>&, const std::string&, const std::string&);

Flag Flags::add_choice(const std::string& name, const std::vector<std::string>& names, std::function<std::string()> get,
                       std::function<void(const std::string&)> set, const std::string& help) {
  CLI::Option* option = command_.add_option_function<std::string>(name, std::move(set), help);
  option->envname(environment_name(name))->group(group_)->default_str(get());
  option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  entries_.push_back({name, [get = std::move(get)] { return json(get()); }});
  Flag flag(option);
  return flag.choices(names);
}

Flag Flags::positional(const std::string& name, std::string& value, const std::string& help) {
  return Flag(command_.add_option(name, value, help)->type_name(""));
}

bool Flags::given(const std::string& name) const { return command_.get_option(name)->count() > 0; }

json Flags::values() const {
  json object = json::object();
  for (const Entry& entry : entries_) {
    const json value = entry.value();
    const bool is_empty = value.is_null() || (value.is_string() && value.get<std::string>().empty()) ||
                          (value.is_array() && value.empty());
    if (!is_empty) object[without_dashes(entry.name)] = value;
  }
  return object;
}

std::vector<std::string> Flags::arguments() const {
  std::vector<std::string> arguments;
  for (const Entry& entry : entries_) {
    if (given(entry.name)) arguments.push_back(argument(without_dashes(entry.name), entry.value()));
  }
  return arguments;
}

std::vector<std::string> normalised_arguments(int argc, const char* const* argv) {
  std::vector<std::string> arguments(argv + std::min(argc, 1), argv + argc);
  if (arguments.size() == 2 && arguments[1].ends_with(".json") && arguments[0] == "train") {
    const std::vector<std::string> flags = arguments_of_file(arguments[1]);
    arguments.pop_back();
    arguments.insert(arguments.end(), flags.begin(), flags.end());
  }
  const auto end = std::ranges::find(arguments, "--");
  std::transform(arguments.begin(), end, arguments.begin(), with_underscores);
  return arguments;
}

std::vector<std::string> comma_separated(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    if (comma > 0) parts.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return parts;
}

std::string nearest_name(std::string_view name, const std::vector<std::string>& known) {
  constexpr std::size_t kLongestName = 64;  // the distance is quadratic
  if (name.size() > kLongestName) return "";
  std::string nearest;
  std::size_t least = std::max<std::size_t>(2, name.size() / 3) + 1;
  for (const std::string& candidate : known) {
    const std::size_t distance = edit_distance(name, candidate);
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

std::string flag_of_option(const std::string& option) {
  static const std::map<std::string, std::string> flags = {
      {"epochs", "num_train_epochs"}, {"batch_size", "per_device_train_batch_size"}, {"warmup", "warmup_steps"}};
  const auto found = flags.find(option);
  return "--" + (found == flags.end() ? option : found->second);
}

void set_help_layout(CLI::App& program) {
  program.formatter(std::make_shared<HelpLayout>());
  for (CLI::App* command : program.get_subcommands({})) set_help_layout(*command);
}

void check_environment(const CLI::App& program) {
  for (const CLI::Option* option : parsed_command(program).get_options()) {
    const std::string variable = option->get_envname();
    const char* value = variable.empty() ? nullptr : std::getenv(variable.c_str());
    TK_CHECK(value == nullptr || *value == '\0' || option->count() > 0, option->get_name(), ": ", variable,
             " holds a value that it cannot take: ", in_quotes(value));
  }
}

std::string parse_problem(const CLI::App& program, const std::exception& error) {
  const CLI::App& command = parsed_command(program);
  const std::vector<std::string> left = program.remaining(true);
  const bool something_misses = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  // What is missing may just be misspelt.
  if ((dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr || something_misses) && !left.empty()) {
    return unexpected(command, left.front());
  }
  if (something_misses && !command.get_subcommands({}).empty()) {
    std::string list;
    for (const std::string& name : command_names(command)) list += ' ' + name;
    return "a command is missing; known:" + list;
  }
  std::string text = error.what();
  std::ranges::replace(text, '\n', ' ');
  return text;
}

}  // namespace tk
