#include <fmt/format.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <exception>
#include <new>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tensor/error.h"
#include "tensor/io/in_quotes.h"
#include "tensor/io/problem_text.h"
#include "transkimmer/cli/commands/command_line.h"
#include "transkimmer/cli/run/build_info.h"
#include "transkimmer/cli/run/last_words.h"
#include "transkimmer/cli/run/log.h"
#include "transkimmer/cli/run/options.h"
#include "transkimmer/cli/run/print.h"
#include "transkimmer/cli/run/signals.h"
#include "transkimmer/training/option_error.h"

namespace {

constexpr int kRunTimeError = 1;
constexpr int kWrongCommandLine = 2;
constexpr std::size_t kLongestError = 390;

int fail(int code, std::string message) {
  std::ranges::replace(message, '\n', ' ');
  tk::error_text(tk::printable_line(message, kLongestError) + '\n');
  return code;
}

// The exit code `code` if all output got out.
int finish(int code) {
  try {
    tk::check_output();
  } catch (const tk::Error& error) {
    return fail(kRunTimeError, error.what());
  }
  return code;
}

std::string command_line(int argc, const char* const* argv) {
  std::string text = "transkimmer";
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const bool is_plain = argument.find_first_of(" \t\n\"'\\$&|;<>()*?#~") == std::string::npos && !argument.empty();
    text += is_plain ? ' ' + argument : " '" + argument + '\'';
  }
  return text;
}

void print_build_info() {
  for (const auto& [key, value] : tk::build_info()) tk::print("{:<15} {}\n", key, value);
}

// A line for each.
int refuse(const std::vector<std::string>& problems) {
  constexpr std::size_t kMost = 50;
  for (std::size_t i = 0; i < std::min(kMost, problems.size()); ++i) fail(kWrongCommandLine, problems[i]);
  if (problems.size() > kMost) fail(kWrongCommandLine, fmt::format("and {} more", problems.size() - kMost));
  return kWrongCommandLine;
}

// Runs what the command line asks for; what goes wrong there is one line on standard error.
int run_safely(const tk::Command& command) {
  try {
    return finish(command.run());
  } catch (const tk::Interrupted& stop) {
    return fail(stop.exit_code(), stop.what());
  } catch (const tk::UsageError& error) {
    return refuse(error.problems());
  } catch (const tk::OptionError& error) {
    return fail(kRunTimeError, tk::flag_of_option(error.option()) + ": " + error.problem());
  } catch (const std::bad_alloc&) {
    return fail(kRunTimeError, tk::out_of_memory_text());
  } catch (const std::length_error&) {  // a size beyond every memory
    return fail(kRunTimeError, tk::out_of_memory_text());
  } catch (const std::exception& error) {
    return fail(kRunTimeError, tk::problem_text(error));
  }
}

// Runs a command line: what follows the program's name. What is said of flags without effect is for who wrote them.
int run_line(const std::vector<std::string>& arguments, const tk::Invocation& invocation, bool by_hand) {
  CLI::App program("Tensors, autograd and a BERT that learns, layer by layer, which tokens it can drop.",
                   "transkimmer");
  bool version = false;
  bool build_info = false;
  program.add_flag("--version", version, "print the version");
  program.add_flag("--build_info", build_info, "print what this build is made of: compiler, BLAS, git commit");
  const std::vector<tk::Command> commands = tk::add_commands(program, invocation);
  program.footer(
      "transkimmer COMMAND --help shows a command's flags. Each --flag_name may be written --flag-name and set by the\n"
      "environment variable TRANSKIMMER_FLAG_NAME; a switch is bare, or =true, =false, or --no_flag_name.\n"
      "Start with: transkimmer demo");
  tk::set_help_layout(program);
  tk::CommandLine line;
  try {
    line = tk::parse_command_line(program, commands, arguments);
  } catch (const CLI::CallForHelp& help) {
    std::ostringstream text;
    text.exceptions(std::ios::badbit);
    const int code = program.exit(help, text, text);
    tk::print_text(text.str());
    return finish(code);
  } catch (const tk::Error& error) {
    return fail(kWrongCommandLine, error.what());
  }
  if (!line.problems.empty()) return refuse(line.problems);
  if (version) {
    tk::print("transkimmer {}\n", tk::version());
    return finish(0);
  }
  if (build_info) {
    print_build_info();
    return finish(0);
  }
  if (line.command == nullptr) {
    tk::note_text(program.help());
    return kWrongCommandLine;
  }
  for (const std::string& note : line.notes) {
    if (by_hand) tk::info("{}", note);
  }
  return run_safely(*line.command);
}

}  // namespace

int main(int argc, char** argv) {
  tk::open_standard_streams();
  tk::say_last_words();
  tk::let_writes_fail();
  tk::start_log();
  tk::Invocation invocation{argv, command_line(argc, argv)};
  invocation.run = [argv, text = invocation.text](const std::vector<std::string>& arguments) {
    return run_line(arguments, {argv, text}, false);
  };
  return run_line({argv + std::min(argc, 1), argv + argc}, invocation, true);
}
