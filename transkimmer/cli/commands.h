#pragma once

#include <functional>
#include <string>

namespace CLI {
class App;
}

namespace tk {

/// How the program was called.
struct Invocation {
  const char* const* argv;
  std::string text;  ///< the command line, for reports
};

/// A command of the program: its place in the command line and what it does there, which returns the exit code.
struct Command {
  CLI::App* app;
  std::function<int()> run;
};

Command add_train(CLI::App& program, const Invocation& invocation);
Command add_eval(CLI::App& program, const Invocation& invocation);
Command add_init(CLI::App& program);

}  // namespace tk
