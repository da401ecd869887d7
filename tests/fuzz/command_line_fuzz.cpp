#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "tensor/error.h"
#include "tests/fuzz/fuzz.h"
#include "transkimmer/cli/commands/command_line.h"
#include "transkimmer/cli/run/options.h"

namespace tk::fuzz {
namespace {

// A piece that starts with '{' stands for a file of flags that holds it.
std::vector<std::string> arguments_of(std::string_view input) {
  std::vector<std::string> arguments = pieces(input);
  for (std::string& argument : arguments) {
    if (!argument.starts_with('{')) continue;
    const auto path = folder() / "flags.json";
    write_bytes(path, argument);
    argument = path.string();
  }
  return arguments;
}

// As main does it, but nothing is run.
void parse(const std::vector<std::string>& given) {
  std::vector<const char*> argv = {"transkimmer"};
  for (const std::string& argument : given) argv.push_back(argument.c_str());
  CLI::App program("", "transkimmer");
  const std::vector<Command> commands = add_commands(program, {argv.data(), ""});
  set_help_layout(program);
  try {
    for (const std::string& problem : parse_command_line(program, commands, given).problems) {
      require(!problem.empty() && problem.find('\n') == problem.npos, "a problem is one line");
    }
  } catch (const CLI::CallForHelp&) {
    require(!program.help().empty(), "there is help");
  }
}

}  // namespace
}  // namespace tk::fuzz

// The arguments lie between zero bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tk;
  try {
    fuzz::parse(fuzz::arguments_of(fuzz::text_of(data, size)));
  } catch (const Error&) {
  }
  return 0;
}
