#pragma once

#include <string>
#include <vector>

#include "transkimmer/cli/commands/commands.h"

namespace tk {

/// What a command line asks for.
struct CommandLine {
  const Command* command = nullptr;        ///< to run; none of `--version` and the like
  std::vector<std::string> problems = {};  ///< all that is wrong, a line each
  std::vector<std::string> notes = {};     ///< what flags that are accepted do not do, a line each
};

/// Reads `arguments` (what follows the program's name) into the flags of the command that they name. A flag's name has
/// - or _, a switch is bare, has a value, or is off as --no_NAME. A first argument FILE.json or FILE.args after the
/// command stands for the flags in that file: those of a JSON object, or words with blanks between. `train`, `eval` and
/// `predict` take flags of other programs' scripts too (ForeignFlag), and `eval` and `predict` those of `train`. Throws
/// CLI::CallForHelp when asked for help, and tk::Error for a bad file.
CommandLine parse_command_line(CLI::App& program, const std::vector<Command>& commands,
                               const std::vector<std::string>& arguments);

}  // namespace tk
