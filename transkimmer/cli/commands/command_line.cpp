#include "transkimmer/cli/commands/command_line.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <sstream>
#include <utility>

#include "tensor/error.h"
#include "tensor/io/in_quotes.h"
#include "tensor/io/input_file.h"
#include "transkimmer/cli/run/options.h"

namespace tk {
namespace {

using Words = std::vector<std::string>;

Words command_names(const CLI::App& app) {
  Words names;
  for (const CLI::App* sub : app.get_subcommands({})) names.push_back(sub->get_name());
  return names;
}

// The command that the first words name, and how many these are.
std::pair<CLI::App*, std::size_t> named_command(CLI::App& program, const Words& words) {
  CLI::App* app = &program;
  std::size_t at = 0;
  for (; at < words.size(); ++at) {
    const auto inner = app->get_subcommands([&](const CLI::App* sub) { return sub->get_name() == words[at]; });
    if (inner.empty()) break;
    app = inner.front();
  }
  return {app, at};
}

std::string question(const std::string& nearest) { return nearest.empty() ? "" : "; did you mean " + nearest + "?"; }

bool is_flag(const std::string& word) { return word.starts_with("--") && word != "--"; }

// "-x", but not "-" and "-1".
bool is_short_flag(const std::string& word) {
  return word.size() > 1 && word[0] == '-' && word[1] != '-' && word[1] != '.' && (word[1] < '0' || word[1] > '9');
}

// The words with --max-steps as --max_steps, up to "--".
Words with_underscores(Words words) {
  const auto end = std::ranges::find(words, "--");
  for (auto word = words.begin(); word != end; ++word) {
    if (is_flag(*word)) {
      std::replace(word->begin() + 2,
                   word->begin() + static_cast<std::ptrdiff_t>(std::min(word->find('='), word->size())), '-', '_');
    }
  }
  return words;
}

constexpr std::int64_t kLongestFile = 1 << 20;

Words words_of_file(const std::string& path) {
  if (path.ends_with(".json")) return arguments_of_json(path);
  const std::string text = read_file(path, kLongestFile);
  TK_CHECK(text.find('\0') == std::string::npos, path, ": holds a NUL character");
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

// A command's words as pairs of a flag and its value, which nobody can misread. What cannot be one is a problem.
class Reading {
 public:
  Reading(const Flags& flags, Words words) : flags_(flags), words_(std::move(words)) {
    while (at_ < words_.size()) next();
  }

  const Words& pairs() const { return pairs_; }
  const Words& problems() const { return problems_; }

 private:
  void next() {
    const std::string word = words_[at_++];
    if (word == "--") return rest();
    if (!is_flag(word)) return other(word);
    const std::size_t equals = std::min(word.find('='), word.size());
    const std::string name = word.substr(0, equals);
    const std::optional<std::string> value =
        equals < word.size() ? std::optional(word.substr(equals + 1)) : std::nullopt;
    if (const FlagEntry* flag = flags_.find(name)) return own(*flag, value);
    if (const FlagEntry* flag = negated(name)) return off(*flag, name, value);
    if (name == "--help") return pairs_.push_back(name);
    problems_.push_back(concat("unknown flag ", printable(name), question(nearest_name(name, flags_.names()))));
    if (!value) skip_value();
  }

  void own(const FlagEntry& flag, std::optional<std::string> value) {
    if (!value) value = flag.is_switch ? switch_word() : next_word();
    if (!value && flag.is_switch) value = "true";
    if (!value) return problems_.push_back(flag.name + ": expected a value");
    if (!flag.is_switch) return pair(flag.name, *value);
    if (value->empty()) return problems_.push_back(flag.name + ": expected true or false, got \"\"");
    pairs_.push_back(flag.name + "=" + *value);
  }

  // "--no_x" of a switch "--x".
  const FlagEntry* negated(const std::string& name) const {
    const FlagEntry* flag = name.starts_with("--no_") ? flags_.find("--" + name.substr(5)) : nullptr;
    return flag != nullptr && flag->is_switch ? flag : nullptr;
  }

  void off(const FlagEntry& flag, const std::string& name, std::optional<std::string> value) {
    if (!value) value = switch_word();
    const std::optional<bool> said = switch_value(value.value_or("true"));
    if (!said) return problems_.push_back(concat(name, ": expected true or false, got ", in_quotes(*value)));
    pairs_.push_back(flag.name + (*said ? "=false" : "=true"));
  }

  void pair(const std::string& name, const std::string& value) {
    pairs_.push_back(name);
    pairs_.push_back(value);
  }

  void rest() {
    pairs_.insert(pairs_.end(), words_.begin() + static_cast<std::ptrdiff_t>(at_) - 1, words_.end());
    at_ = words_.size();
  }

  void other(const std::string& word) {
    if (word == "-h") return pairs_.push_back(word);
    if (is_short_flag(word)) return problems_.push_back(concat("unknown flag ", printable(word)));
    if (flags_.has_positionals()) return pairs_.push_back(word);
    problems_.push_back(concat("unknown argument ", printable(word)));
  }

  std::optional<std::string> next_word() {
    if (at_ == words_.size() || words_[at_].starts_with("--")) return std::nullopt;
    return words_[at_++];
  }

  // The next word if a switch may have it: true, false ..., and where no other words are taken any.
  std::optional<std::string> switch_word() {
    if (at_ == words_.size() || words_[at_].starts_with("-")) return std::nullopt;
    if (flags_.has_positionals() && !switch_value(words_[at_])) return std::nullopt;
    return words_[at_++];
  }

  // What seems to be the value of a flag of which nothing is known.
  void skip_value() {
    if (flags_.has_positionals() || at_ == words_.size()) return;
    if (!words_[at_].starts_with("--") && !is_short_flag(words_[at_])) ++at_;
  }

  const Flags& flags_;
  Words words_;
  std::size_t at_ = 0;
  Words pairs_, problems_;
};

// What CLI11 found wrong where no command reads flags.
std::string problem_without_command(const CLI::App& program, const CLI::App& app, const CLI::Error& error) {
  const Words left = program.remaining(true);
  if (!left.empty()) {
    const std::string word = left.front().substr(0, left.front().find('='));
    if (word.starts_with("-")) return "unknown flag " + printable(word);
    return concat("unknown command ", printable(word), question(nearest_name(word, command_names(app))));
  }
  if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    std::string list;
    for (const std::string& name : command_names(app)) list += ' ' + name;
    return "a command is missing; known:" + list;
  }
  return error.what();
}

// Of a command line that names no command which does something by itself.
CommandLine read_without_command(CLI::App& program, const CLI::App& app, Words words) {
  std::ranges::reverse(words);  // as CLI11 takes them
  try {
    program.parse(words);
    return {};
  } catch (const CLI::Success&) {
    throw;
  } catch (const CLI::Error& error) {
    return {nullptr, {problem_without_command(program, app, error)}};
  }
}

// The words of a command with those of a file in its place.
Words with_file(Words words) {
  if (words.empty() || !(words[0].ends_with(".json") || words[0].ends_with(".args"))) return words;
  Words all = with_underscores(words_of_file(words[0]));
  all.insert(all.end(), words.begin() + 1, words.end());
  return all;
}

// Adds what the flags say is wrong; of one that is there without a value nobody needs to hear that it is required.
void add_problems(const Words& more, Words& problems) {
  const auto is_said = [&](const std::string& problem) {
    const std::string flag = problem.substr(0, problem.find(' '));
    return problem == flag + " is required" &&
           std::ranges::any_of(problems, [&](const std::string& said) { return said.starts_with(flag + ':'); });
  };
  for (const std::string& problem : more) {
    if (!is_said(problem)) problems.push_back(problem);
  }
}

}  // namespace

CommandLine parse_command_line(CLI::App& program, const std::vector<Command>& commands, const Words& arguments) {
  const Words words = with_underscores(arguments);
  const auto [app, named] = named_command(program, words);
  const auto command =
      std::ranges::find_if(commands, [app = app](const Command& known) { return &known.flags->command() == app; });
  if (command == commands.end()) return read_without_command(program, *app, words);
  const Flags& flags = *command->flags;
  const auto behind = words.begin() + static_cast<std::ptrdiff_t>(named);
  const Words own(behind, words.end());
  const Reading reading(flags, flags.has_positionals() ? own : with_file(own));
  Words pairs(words.begin(), behind);
  std::ranges::copy(reading.pairs(), std::back_inserter(pairs));
  std::ranges::reverse(pairs);  // as CLI11 takes them
  CommandLine line{&*command, reading.problems()};
  std::string other;
  try {
    program.parse(pairs);
  } catch (const CLI::Success&) {
    throw;
  } catch (const CLI::Error& error) {  // at the first of them
    other = error.what();
  }
  for (const std::string& word : program.remaining(true)) {  // the -- that ended the flags, too
    if (word != "--") line.problems.push_back("unknown argument " + printable(word));
  }
  add_problems(flags.problems(), line.problems);
  if (line.problems.empty() && !other.empty()) line.problems.push_back(other);
  for (std::string& problem : line.problems) std::ranges::replace(problem, '\n', ' ');
  return line;
}

}  // namespace tk
