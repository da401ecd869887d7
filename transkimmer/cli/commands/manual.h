#pragma once

#include <span>
#include <string>

#include "transkimmer/cli/commands/commands.h"

namespace tk {

/// A manual page of the program, in man(7)'s macros: every command with its flags, as its help has them.
std::string manual_page(std::span<const Command> commands);

/// A script that makes bash complete commands, flags, and those values that are names of files, folders or choices.
std::string bash_completion(std::span<const Command> commands);

}  // namespace tk
