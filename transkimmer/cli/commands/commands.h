#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace tk {

class Flags;

/// How the program was called.
struct Invocation {
  const char* const* argv;
  std::string text;  ///< the command line, for reports
  /// Runs another command line of the program, such as {"predict", "--seed=1"}; returns the exit code.
  std::function<int(const std::vector<std::string>&)> run = {};
};

/// A command of the program: its flags and what it does with them, which returns the exit code.
struct Command {
  const Flags* flags;
  std::function<int()> run;
};

Command add_demo(CLI::App& program, const Invocation& invocation);
Command add_train(CLI::App& program, const Invocation& invocation);
Command add_skim(CLI::App& program, const Invocation& invocation);
Command add_sweep(CLI::App& program, const Invocation& invocation);
Command add_eval(CLI::App& program, const Invocation& invocation);
Command add_predict(CLI::App& program, const Invocation& invocation);
Command add_selftest(CLI::App& program, const Invocation& invocation);
Command add_tokenize(CLI::App& program);
Command add_bench(CLI::App& program, const Invocation& invocation);
Command add_init(CLI::App& program);
Command add_convert(CLI::App& program);
Command add_inspect(CLI::App& program);
std::vector<Command> add_study(CLI::App& program,
                               const Invocation& invocation);  ///< study bernoulli, polynomial, enumerate
std::vector<Command> add_glue(CLI::App& program);              ///< glue info, verify, download, submit
/// Tells of itself and the others.
Command add_manual(CLI::App& program, std::span<const Command> others);

/// All of them, in the order of the help.
std::vector<Command> add_commands(CLI::App& program, const Invocation& invocation);

}  // namespace tk
