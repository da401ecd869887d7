#include "transkimmer/cli/commands/command_line.h"

#include <fmt/format.h>
#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <cctype>
#include <cstdint>
#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <utility>

#include "tensor/error.h"
#include "tensor/io/in_quotes.h"
#include "tensor/io/input_file.h"
#include "tensor/io/json.h"
#include "transkimmer/cli/run/foreign_flags.h"
#include "transkimmer/cli/run/options.h"

namespace tk {
namespace fs = std::filesystem;
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

// What a command reads beside its own flags.
struct Habits {
  const Flags* unread = nullptr;  // the flags of another command, which are passed over
  bool takes_foreign = false;     // those of other programs' scripts
};

// Names by the reason that they have in common, in the order in which they came.
class Grouped {
 public:
  void add(const std::string& reason, const std::string& name) {
    auto group = std::ranges::find(groups_, reason, &std::pair<std::string, Words>::first);
    if (group == groups_.end()) group = groups_.insert(groups_.end(), {reason, {}});
    if (std::ranges::find(group->second, name) == group->second.end()) group->second.push_back(name);
  }

  // "--a, --b (one reason); --c (another)".
  std::string text() const {
    std::string text;
    for (const auto& [reason, names] : groups_) {
      text += fmt::format("{}{} ({})", text.empty() ? "" : "; ", fmt::join(names, ", "), reason);
    }
    return text;
  }

 private:
  std::vector<std::pair<std::string, Words>> groups_;
};

// Whether the model folder's tokenizer lower-cases, as far as its files say so.
std::optional<bool> lower_cases(const std::string& model) {
  const fs::path file = fs::path(model) / "tokenizer_config.json";
  if (model.empty() || !fs::exists(file)) return std::nullopt;
  const nlohmann::json json = read_json(file);
  if (!json.is_object() || !json.contains("do_lower_case")) return std::nullopt;
  return json["do_lower_case"] == true;
}

std::string lower_case(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

// A command's words as pairs of a flag and its value, which nobody can misread. What cannot be one is a problem.
class Reading {
 public:
  Reading(const Flags& flags, const Habits& habits, Words words)
      : flags_(flags), habits_(habits), words_(std::move(words)) {
    while (at_ < words_.size()) next();
    for (const auto& [flag, value] : foreign_) judge(*flag, value);
    check_whole_batch();
  }

  const Words& pairs() const { return pairs_; }
  const Words& problems() const { return problems_; }

  Words notes() const {
    Words notes = notes_;
    if (const std::string text = without_effect_.text(); !text.empty()) notes.push_back("without effect: " + text);
    if (!unread_.empty()) {
      notes.push_back(fmt::format("{} does not read {}", flags_.command().get_name(), fmt::join(unread_, ", ")));
    }
    return notes;
  }

 private:
  using Value = std::optional<std::string>;

  void next() {
    const std::string word = words_[at_++];
    if (word == "--") return rest();
    if (!is_flag(word)) return other(word);
    const std::size_t equals = std::min(word.find('='), word.size());
    const std::string name = word.substr(0, equals);
    const Value value = equals < word.size() ? Value(word.substr(equals + 1)) : std::nullopt;
    if (name == "--help") return pairs_.push_back(name);
    if (named(name, name, value)) return;
    if (const ForeignFlag* flag = habits_.takes_foreign ? find_foreign_flag(name) : nullptr) {
      return foreign(*flag, value);
    }
    const bool is_off = habits_.takes_foreign && name.starts_with("--no_") && !value;
    if (const ForeignFlag* flag = is_off ? find_foreign_flag("--" + name.substr(5)) : nullptr) {
      return foreign(*flag, "false");
    }
    problems_.push_back(concat("unknown flag ", printable(name), question(nearest_name(name, flags_.names()))));
    if (!value) skip_value();
  }

  // Reads the flag `name`, which the command line calls `said`, if there is one.
  bool named(const std::string& name, const std::string& said, const Value& value) {
    if (const FlagEntry* flag = flags_.find(name)) {
      own(*flag, value);
    } else if (const FlagEntry* flag = negated(flags_, name)) {
      off(*flag, name, value);
    } else if (habits_.unread != nullptr && is_known(*habits_.unread, name)) {
      if (!value) skip_values(habits_.unread->find(name));
      pass_over(said);
    } else {
      return false;
    }
    return true;
  }

  static bool is_known(const Flags& flags, const std::string& name) {
    return flags.find(name) != nullptr || negated(flags, name) != nullptr;
  }

  void pass_over(const std::string& name) {
    if (std::ranges::find(unread_, name) == unread_.end()) unread_.push_back(name);
  }

  void check_whole_batch() {
    constexpr const char* kParts = "--gradient_accumulation_steps";
    if (!says_whole_batch_ || flags_.find(kParts) == nullptr || value_of(kParts) == "1") return;
    problems_.push_back(concat("--train_batch_size: beside ", kParts,
                               " it is the whole batch in some scripts and a part in others; say "
                               "--per_device_train_batch_size, of a part"));
  }

  void foreign(const ForeignFlag& flag, Value value) {
    if (flag.name == std::string_view("--train_batch_size")) says_whole_batch_ = true;
    if (flag.same != nullptr && named(flag.same, flag.name, value)) return;
    if (!value) value = next_words();
    if (flag.means != nullptr) return mean(flag, value.value_or("true"));
    foreign_.emplace_back(&flag, value.value_or("true"));
  }

  void mean(const ForeignFlag& flag, const std::string& value) {
    const std::optional<bool> said = switch_value(value);
    if (!said) return problems_.push_back(concat(flag.name, ": expected true or false, got ", in_quotes(value)));
    if (!*said) return;
    const std::string meant = flag.means;
    const std::string name = meant.substr(0, meant.find('='));
    if (!named(name, flag.name, meant.substr(name.size() + 1))) return pass_over(flag.name);
    if (flag.why != nullptr && flags_.find(name) != nullptr) {
      notes_.push_back(concat(flag.name, ": ", flag.why, " (", name, ' ', meant.substr(name.size() + 1), ')'));
    }
  }

  // What a flag does that cannot do anything: nothing, or it would change the result.
  void judge(const ForeignFlag& flag, const std::string& value) {
    if (flag.same != nullptr) {
      problems_.push_back(concat("unknown flag ", flag.name, ", in other words ", flag.same));
    } else if (is_harmless(flag, value)) {
      without_effect_.add(flag.why, flag.name);
    } else {
      problems_.push_back(concat(flag.name, ": ", flag.instead));
    }
  }

  bool is_harmless(const ForeignFlag& flag, const std::string& value) const {
    const std::string_view harmless = flag.harmless == nullptr ? "" : flag.harmless;
    if (flag.harmless == nullptr) return false;
    if (harmless == kAnyValue) return true;
    if (harmless == kModelFolder) return fs::path(value) == fs::path(value_of("--model_name_or_path"));
    if (harmless == kInModelFolder) return fs::path(value).parent_path() == fs::path(value_of("--model_name_or_path"));
    if (harmless == kSeedValue) return flags_.find("--seed") == nullptr || value == value_of("--seed");
    if (harmless == kModelsLowerCase) {
      const std::optional<bool> model = lower_cases(value_of("--model_name_or_path"));
      return !model || switch_value(value) == model;
    }
    const std::string said = lower_case(value);
    const std::string text = concat(',', harmless, ',');
    return text.find(concat(',', said, ',')) != std::string::npos ||
           (switch_value(said) == false && text.find(",false,") != std::string::npos);
  }

  // What a flag of the command is on its way to be.
  std::string value_of(const std::string& name) const {
    for (std::size_t i = pairs_.size(); i-- > 1;) {
      if (pairs_[i - 1] == name) return pairs_[i];
    }
    const FlagEntry* flag = flags_.find(name);
    const nlohmann::json value = flag != nullptr ? flag->value() : nlohmann::json();
    return value.is_string() ? value.get<std::string>() : value.dump();
  }

  void own(const FlagEntry& flag, Value value) {
    if (!value) value = flag.is_switch ? switch_word() : next_word();
    while (value && flag.takes_words && is_at_value()) *value += ',' + words_[at_++];
    if (!value && flag.is_switch) value = "true";
    if (!value) return problems_.push_back(flag.name + ": expected a value");
    if (!flag.is_switch) return pair(flag.name, *value);
    if (value->empty()) return problems_.push_back(flag.name + ": expected true or false, got \"\"");
    pairs_.push_back(flag.name + "=" + *value);
  }

  // "--no_x" of a switch "--x".
  static const FlagEntry* negated(const Flags& flags, const std::string& name) {
    const FlagEntry* flag = name.starts_with("--no_") ? flags.find("--" + name.substr(5)) : nullptr;
    return flag != nullptr && flag->is_switch ? flag : nullptr;
  }

  void off(const FlagEntry& flag, const std::string& name, Value value) {
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

  Value next_word() {
    if (at_ == words_.size() || words_[at_].starts_with("--")) return std::nullopt;
    return words_[at_++];
  }

  // The next word if a switch may have it: true, false ..., and where no other words are taken any.
  Value switch_word() {
    if (at_ == words_.size() || words_[at_].starts_with("-")) return std::nullopt;
    if (flags_.has_positionals() && !switch_value(words_[at_])) return std::nullopt;
    return words_[at_++];
  }

  bool is_at_value() const {
    return !flags_.has_positionals() && at_ < words_.size() && !words_[at_].starts_with("--") &&
           !is_short_flag(words_[at_]);
  }

  // What seems to be the value of a flag that is not read.
  void skip_value() {
    if (is_at_value()) ++at_;
  }

  void skip_values(const FlagEntry* unread) {
    unread != nullptr && unread->takes_words ? void(next_words()) : skip_value();
  }

  // The first of all words up to the next flag: foreign flags may have several.
  Value next_words() {
    if (!is_at_value()) return std::nullopt;
    const std::string first = words_[at_];
    while (is_at_value()) ++at_;
    return first;
  }

  const Flags& flags_;
  Habits habits_;
  Words words_;
  std::size_t at_ = 0;
  Words pairs_, problems_, notes_, unread_;
  std::vector<std::pair<const ForeignFlag*, std::string>> foreign_;  // judged when all is read
  Grouped without_effect_;
  bool says_whole_batch_ = false;
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

// `train`, `eval` and `predict` take what a script has that calls for all three.
Habits habits_of(const std::string& name, const std::vector<Command>& commands) {
  const auto train =
      std::ranges::find(commands, "train", [](const Command& command) { return command.flags->command().get_name(); });
  if (name == "train") return {.takes_foreign = true};
  if (name == "eval" || name == "predict") return {.unread = train->flags, .takes_foreign = true};
  return {};
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
  const Reading reading(flags, habits_of(app->get_name(), commands), flags.has_positionals() ? own : with_file(own));
  Words pairs(words.begin(), behind);
  std::ranges::copy(reading.pairs(), std::back_inserter(pairs));
  std::ranges::reverse(pairs);  // as CLI11 takes them
  CommandLine line{&*command, reading.problems(), reading.notes()};
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
