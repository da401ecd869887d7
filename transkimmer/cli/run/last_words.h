#pragma once

#include <string>

namespace tk {

/// "out of memory: ..." with what the process has and which limits it runs under.
std::string out_of_memory_text();

/// From now on an exception that nobody can catch, as where memory is short even for the message, ends the program with
/// one line and exit code 1 as any other error does.
void say_last_words();

}  // namespace tk
