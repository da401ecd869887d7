#include "transkimmer/cli/run/options.h"

#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <type_traits>
#include <utility>

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

// Takes what `text` says; what is wrong with it, or nothing.
std::string read(const std::string& text, std::string& value) {
  value = text;
  return "";
}

std::string read(const std::string& text, bool& value) {
  const std::optional<bool> said = switch_value(text);
  if (!said) return concat("expected true or false, got ", in_quotes(text));
  value = *said;
  return "";
}

template <class T>
requires std::is_arithmetic_v<T> std::string read(const std::string& text, T& value) {
  if (const std::optional<T> said = number<T>(text)) {
    value = *said;
    return "";
  }
  const char* kind = std::is_floating_point_v<T> ? "a number" : "an integer";
  return concat("expected ", kind, std::is_unsigned_v<T> ? " of at least 0" : "", ", got ", in_quotes(text));
}

std::string read(const std::string& text, std::vector<double>& values) {
  values.clear();
  for (const std::string& part : comma_separated(text)) {
    const std::string problem = read(part, values.emplace_back());
    if (!problem.empty()) return problem;
  }
  return "";
}

template <class T>
std::string read(const std::string& text, std::optional<T>& value) {
  return read(text, value.emplace());
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

// What an option is for, and its default.
std::string help_text(const CLI::Option& option) {
  std::string text = option.get_description();
  if (option.get_required()) text += " (required)";
  if (!option.get_type_name().empty() && !option.get_default_str().empty()) {
    text += " (default " + option.get_default_str() + ")";
  }
  return text;
}

// Wraps at 100 columns behind a hanging indent; names and values without the types that CLI11 would show.
class HelpLayout : public CLI::Formatter {
 public:
  std::string make_option(const CLI::Option* option, bool is_positional) const override {
    std::string left = "  " + (is_positional ? option->get_name(true) : option->get_name(false, true));
    if (!is_positional && !option->get_type_name().empty()) left += ' ' + option->get_type_name();
    return hanging(left, help_text(*option));
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

// "the flag" and what is wrong with it, and from where the value came if nobody wrote it.
std::string with_name(const FlagEntry& entry, const std::string& value, const std::string& problem) {
  const std::string variable = entry.option->get_envname();
  const char* set = variable.empty() ? nullptr : std::getenv(variable.c_str());
  return concat(entry.name, ": ", problem, set != nullptr && value == set ? concat(" (", variable, ')') : "");
}

void take(FlagEntry& entry, const std::string& value) {
  std::string problem = entry.read(value);
  for (const FlagEntry::Problem& check : entry.checks) {
    if (problem.empty()) problem = check(value);
  }
  entry.problem = problem.empty() ? "" : with_name(entry, value, problem);
}

std::string joined_lines(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += (text.empty() ? "" : "; ") + line;
  return text;
}

}  // namespace

UsageError::UsageError(std::vector<std::string> problems)
    : std::runtime_error(joined_lines(problems)), problems_(std::move(problems)) {}

void check_usage(std::vector<std::string> problems) {
  if (!problems.empty()) throw UsageError(std::move(problems));
}

Flag& Flag::required() {
  entry_.option->required();
  return *this;
}

Flag& Flag::check(FlagEntry::Problem problem) {
  entry_.checks.push_back(std::move(problem));
  return *this;
}

Flag& Flag::choices(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : "|") + name;
  entry_.option->type_name(list);
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

Flag& Flag::words() {
  entry_.takes_words = true;
  return *this;
}

Flags::Flags(CLI::App& program, const std::string& name, const std::string& description)
    : command_(*program.add_subcommand(name, description)) {}

std::string Flags::name() const {
  const CLI::App* const parent = command_.get_parent();
  const bool is_of_command = parent != nullptr && parent->get_parent() != nullptr;
  return (is_of_command ? parent->get_name() + ' ' : "") + command_.get_name();
}

std::string Flags::description() const { return command_.get_description(); }

std::string Flags::footer() const { return command_.get_footer(); }

std::vector<FlagHelp> Flags::help() const {
  std::vector<FlagHelp> all;
  for (const FlagEntry& entry : entries_) {
    const CLI::Option& option = *entry.option;
    all.push_back({entry.name, option.get_type_name(), option.get_group(), help_text(option)});
  }
  return all;
}

void Flags::need_command() { command_.require_subcommand(1); }

void Flags::footer(const std::string& text) { command_.footer(text); }

FlagEntry& Flags::add_entry(const std::string& name, const std::string& help, bool is_switch,
                            std::function<json()> value, FlagEntry::Problem read) {
  FlagEntry& entry = entries_.emplace_back(FlagEntry{name, nullptr, is_switch, std::move(value), std::move(read)});
  entry.option = command_.add_option_function<std::string>(
      name, [&entry](const std::string& text) { take(entry, text); }, help);
  entry.option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  return entry;
}

template <class T>
requires(!std::is_enum_v<T>) Flag Flags::add(const std::string& name, T& value, const std::string& help,
                                             const std::string& metavar) {
  const auto shown = [&value] {
    if constexpr (IsOptional<T>::value) {
      return value ? json(*value) : json();
    } else {
      return json(value);
    }
  };
  constexpr bool kIsSwitch = std::is_same_v<T, bool> || std::is_same_v<T, std::optional<bool>>;
  FlagEntry& entry =
      add_entry(name, help, kIsSwitch, shown, [&value](const std::string& text) { return read(text, value); });
  entry.option->envname(environment_name(name))->group(group_);
  entry.option->type_name(metavar.empty() ? metavar_of<T>() : metavar);
  if constexpr (kIsSwitch) {
    entry.option->expected(0, 1)->type_name("")->default_str("true");  // what the bare flag means
  } else if constexpr (!IsOptional<T>::value && !std::is_same_v<T, std::vector<double>>) {
    entry.option->default_str(default_text(value));
  }
  return Flag(entry);
}

template Flag Flags::add(const std::string&, std::string&, const std::string&, const std::string&);
template Flag Flags::add(const std::string&, std::int64_t&, const std::string&, const std::string&);
template Flag Flags::add(const std::string&, std::uint64_t&, const std::string&, const std::string&);
template Flag Flags::add(const std::string&, double&, const std::string&, const std::string&);
template Flag Flags::add(const std::string&, bool&, const std::string&, const std::string&);
template Flag Flags::add(const std::string&, std::vector<double>&, const std::string&, const std::string&);
template Flag Flags::add(const std::string&, std::optional<std::int64_t>&, const std::string&, const std::string&);
template Flag Flags::add(const std::string&, std::optional<double>&, const std::string&, const std::string&);
template Flag Flags::add(const std::string&, std::optional<bool>&, const std::string&, const std::string&);
template Flag Flags::add(const std::string&, std::optional<std::string>&, const std::string&, const std::string&);

Flag Flags::add_choice(const std::string& name, const std::vector<std::string>& names, std::function<std::string()> get,
                       std::function<void(const std::string&)> set, const std::string& help) {
  FlagEntry& entry = add_entry(
      name, help, false, [get] { return json(get()); },
      [names, set = std::move(set)](const std::string& text) {
        if (std::ranges::find(names, text) != names.end()) set(text);
        return std::string();  // choices() says what is wrong
      });
  entry.option->envname(environment_name(name))->group(group_)->default_str(get());
  return Flag(entry).choices(names);
}

Flag Flags::positional(const std::string& name, std::string& value, const std::string& help) {
  FlagEntry& entry = add_entry(
      name, help, false, [] { return json(); }, [&value](const std::string& text) { return read(text, value); });
  entry.option->type_name("");
  return Flag(entry);
}

bool Flags::given(const std::string& name) const { return command_.get_option(name)->count() > 0; }

const FlagEntry* Flags::find(std::string_view name) const {
  const auto found = std::ranges::find(entries_, name, &FlagEntry::name);
  return found == entries_.end() ? nullptr : &*found;
}

std::vector<std::string> Flags::names() const {
  std::vector<std::string> names;
  for (const FlagEntry& entry : entries_) {
    if (entry.name.starts_with("--")) names.push_back(entry.name);
  }
  return names;
}

bool Flags::has_positionals() const {
  return std::ranges::any_of(entries_, [](const FlagEntry& entry) { return !entry.name.starts_with("--"); });
}

std::vector<std::string> Flags::problems() const {
  std::vector<std::string> problems, missing;
  std::vector<std::string> bad;  // flags about whose values nothing more can be said
  for (const FlagEntry& entry : entries_) {
    if (!entry.problem.empty()) problems.push_back(entry.problem);
    const bool misses = entry.option->get_required() && entry.option->count() == 0;
    if (misses) missing.push_back(entry.name + " is required");
    if (misses || !entry.problem.empty()) bad.push_back(entry.name);
  }
  std::ranges::move(missing, std::back_inserter(problems));
  if (!contradictions_) return problems;
  try {
    for (std::string& problem : contradictions_()) {
      const auto is_about = [&](const std::string& name) { return problem.find(name) != std::string::npos; };
      if (std::ranges::none_of(bad, is_about)) problems.push_back(std::move(problem));
    }
  } catch (const Error&) {
    if (problems.empty()) throw;
  }
  return problems;
}

json Flags::values() const {
  json object = json::object();
  for (const FlagEntry& entry : entries_) {
    const json value = entry.value();
    const bool is_empty = value.is_null() || (value.is_string() && value.get<std::string>().empty()) ||
                          (value.is_array() && value.empty());
    if (!is_empty) object[without_dashes(entry.name)] = value;
  }
  return object;
}

std::vector<std::string> Flags::arguments() const {
  std::vector<std::string> arguments;
  for (const FlagEntry& entry : entries_) {
    if (given(entry.name)) arguments.push_back(argument(without_dashes(entry.name), entry.value()));
  }
  return arguments;
}

std::vector<std::string> arguments_of_json(const std::string& path) {
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

std::optional<bool> switch_value(std::string_view text) {
  constexpr std::string_view kTrue[] = {"true", "yes", "t", "y", "on", "1"};
  constexpr std::string_view kFalse[] = {"false", "no", "f", "n", "off", "0"};
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (std::ranges::find(kTrue, lower) != std::end(kTrue)) return true;
  if (std::ranges::find(kFalse, lower) != std::end(kFalse)) return false;
  return std::nullopt;
}

std::vector<std::filesystem::path> paths_of(std::string_view text) {
  const std::vector<std::string> names = comma_separated(text);
  return {names.begin(), names.end()};
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
  // Dashes are no letters. What lacks whole words, or has some more, is another name.
  const std::size_t letters = name.size() - std::min(name.find_first_not_of('-'), name.size());
  std::size_t least = (letters < 4 ? 1 : letters < 16 ? 2 : 3) + 1;
  std::string nearest;
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
  static const std::map<std::string, std::string> flags = {{"epochs", "num_train_epochs"},
                                                           {"batch_size", "per_device_train_batch_size"},
                                                           {"warmup", "warmup_steps"},
                                                           {"label_smoothing", "label_smoothing_factor"}};
  const auto found = flags.find(option);
  return "--" + (found == flags.end() ? option : found->second);
}

void set_help_layout(CLI::App& program) {
  program.formatter(std::make_shared<HelpLayout>());
  for (CLI::App* command : program.get_subcommands({})) set_help_layout(*command);
}

}  // namespace tk
