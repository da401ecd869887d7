#include "transkimmer/cli/commands/manual.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "transkimmer/cli/run/build_info.h"
#include "transkimmer/cli/run/options.h"
#include "transkimmer/cli/run/print.h"

namespace tk {
namespace {

// As man(7) takes text: a backslash and a dash have a meaning there, and so has a dot that begins a line.
std::string roff(std::string_view text) {
  std::string escaped;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool begins_line = i == 0 || text[i - 1] == '\n';
    if (begins_line && (text[i] == '.' || text[i] == '\'')) escaped += "\\&";
    if (text[i] == '\\') {
      escaped += "\\e";
    } else if (text[i] == '-') {
      escaped += "\\-";
    } else {
      escaped += text[i];
    }
  }
  return escaped;
}

std::string flags_page(const Flags& flags) {
  std::string page, group;
  for (const FlagHelp& flag : flags.help()) {
    if (flag.group != group) page += fmt::format(".PP\n{}:\n", roff(group = flag.group));
    page += fmt::format(".TP\n\\fB{}\\fR {}\n{}\n", roff(flag.name), roff(flag.value), roff(flag.text));
  }
  return page;
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == separator) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

// What follows a flag: choices, a folder or a file; nothing where that cannot be known.
std::string completion_of(const FlagHelp& flag) {
  if (flag.value.find('|') != std::string::npos) {
    return fmt::format("-W '{}'", fmt::join(split(flag.value, '|'), " "));
  }
  if (flag.value.starts_with("DIR")) return "-d";
  return flag.value.starts_with("FILE") ? "-f" : "";
}

// The commands and, behind each that has some, the words that follow it: "glue" -> "info", "verify".
std::string words_after(std::span<const Command> commands, const std::string& first) {
  std::vector<std::string> words;
  for (const Command& command : commands) {
    const std::vector<std::string> name = split(command.flags->name(), ' ');
    const bool is_of_first = name.size() == 2 && name[0] == first;
    if (!first.empty() && !is_of_first) continue;
    const std::string& word = first.empty() ? name[0] : name[1];
    if (std::ranges::find(words, word) == words.end()) words.push_back(word);
  }
  return fmt::format("{}", fmt::join(words, " "));
}

struct ManualCommand {
  explicit ManualCommand(CLI::App& program)
      : flags(program, "manual", "print the manual page, or what makes a shell complete command lines") {
    flags.positional("WHAT", what, "page, or bash").choices({"page", "bash"});
    flags.footer(
        "  transkimmer manual > transkimmer.1 && man ./transkimmer.1\n"
        "  source <(transkimmer manual bash)      # in ~/.bashrc; in zsh behind: autoload -U bashcompinit; "
        "bashcompinit");
  }

  Flags flags;
  std::string what = "page";
};

}  // namespace

std::string manual_page(std::span<const Command> commands) {
  std::string page = fmt::format(
      ".TH TRANSKIMMER 1 \"\" \"transkimmer {}\" \"\"\n.SH NAME\ntranskimmer \\- fine\\-tune BERT models that learn, "
      "layer "
      "by layer, which tokens they can drop\n.SH SYNOPSIS\n\\fBtranskimmer\\fR \\fICOMMAND\\fR [\\fIFLAGS\\fR]\n"
      ".SH DESCRIPTION\nResults go to standard output, progress and messages to standard error. Each flag may be\n"
      "written with dashes in place of underscores, and set by an environment variable: TRANSKIMMER_SEED for "
      "\\-\\-seed.\n",
      version());
  for (const Command& command : commands) {
    const Flags& flags = *command.flags;
    page +=
        fmt::format(".SH \"TRANSKIMMER {}\"\n{}\n{}", roff(flags.name()), roff(flags.description()), flags_page(flags));
    if (!flags.footer().empty()) page += fmt::format(".PP\n.nf\n{}\n.fi\n", roff(flags.footer()));
  }
  return page +
         ".SH \"EXIT STATUS\"\n0: done; 1: an error, said in one line; 2: a wrong command line; 128 and a signal's "
         "number "
         "where it was stopped.\n";
}

std::string bash_completion(std::span<const Command> commands) {
  std::string values, flags;
  for (const Command& command : commands) {
    std::string names = "--help";
    for (const FlagHelp& flag : command.flags->help()) {
      const std::string completion = completion_of(flag);
      if (flag.name.starts_with("--")) names += ' ' + flag.name;
      if (flag.name.starts_with("--") && !completion.empty()) {
        values += fmt::format("    '{} {}') what=\"{}\" ;;\n", command.flags->name(), flag.name, completion);
      }
    }
    flags += fmt::format("    '{}') what=\"-W '{}'\" ;;\n", command.flags->name(), names);
  }
  return fmt::format(R"(# bash completion for transkimmer
_transkimmer() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} command=${{COMP_WORDS[1]}} what=
  if [[ $word == '=' ]]; then
    word=
  elif [[ $before == '=' ]]; then
    before=${{COMP_WORDS[COMP_CWORD - 2]}}
  fi
  if [[ $command == glue && $COMP_CWORD -gt 2 ]]; then command="glue ${{COMP_WORDS[2]}}"; fi
  case "$command $before" in
{}  esac
  if [[ $COMP_CWORD -eq 1 ]]; then
    what="-W '{}'"
  elif [[ $command == glue && $COMP_CWORD -eq 2 ]]; then
    what="-W '{}'"
  elif [[ -z $what && $word == -* ]]; then
    case $command in
{}    esac
  fi
  mapfile -t COMPREPLY < <(eval "compgen ${{what:--f}} -- \"\$word\"")
}}
complete -o filenames -F _transkimmer transkimmer
)",
                     values, words_after(commands, ""), words_after(commands, "glue"), flags);
}

Command add_manual(CLI::App& program, std::span<const Command> others) {
  auto command = std::make_shared<ManualCommand>(program);
  std::vector<Command> commands(others.begin(), others.end());
  commands.push_back({&command->flags, {}});
  return {&command->flags, [command, commands] {
            print_text(command->what == "bash" ? bash_completion(commands) : manual_page(commands));
            return 0;
          }};
}

}  // namespace tk
