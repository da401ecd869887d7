#include "transkimmer/cli/commands/commands.h"

#include <memory>
#include <sstream>

#include "tensor/threads.h"
#include "transkimmer/cli/commands/convert.h"
#include "transkimmer/cli/commands/inspect.h"
#include "transkimmer/cli/run/options.h"
#include "transkimmer/cli/run/print.h"
#include "transkimmer/cli/run/signals.h"

namespace tk {
namespace {

struct ConvertCommand {
  explicit ConvertCommand(CLI::App& program)
      : flags(program, "convert", "write a model folder again, under published names and in another dtype") {
    flags.positional("IN", in, "model folder, or its model.safetensors").required();
    flags.positional("OUT", out, "folder to make").required();
    flags.add("--dtype", dtype, "what the weights are stored in");
  }

  Flags flags;
  std::string in, out;
  FloatStorage dtype = FloatStorage::kFloat32;
};

struct InspectCommand {
  explicit InspectCommand(CLI::App& program)
      : flags(program, "inspect", "what a model folder or safetensors file holds") {
    flags.positional("PATH", path, "model folder or safetensors file").required();
  }

  Flags flags;
  std::string path;
};

}  // namespace

Command add_convert(CLI::App& program) {
  auto command = std::make_shared<ConvertCommand>(program);
  return {&command->flags, [command] {
            catch_stop_signals();
            start_threads();  // while there is nothing to leave behind
            convert(command->in, command->out, command->dtype);
            return 0;
          }};
}

Command add_inspect(CLI::App& program) {
  auto command = std::make_shared<InspectCommand>(program);
  return {&command->flags, [command] {
            std::ostringstream table;
            table.exceptions(std::ios::badbit);
            inspect(command->path, table);
            print_text(table.str());
            return 0;
          }};
}

std::vector<Command> add_commands(CLI::App& program, const Invocation& invocation) {
  std::vector<Command> commands = {add_demo(program, invocation), add_train(program, invocation),
                                   add_skim(program, invocation), add_sweep(program, invocation),
                                   add_eval(program, invocation), add_predict(program, invocation),
                                   add_bench(program, invocation)};
  commands.push_back(add_tokenize(program));
  commands.push_back(add_init(program));
  commands.push_back(add_convert(program));
  commands.push_back(add_inspect(program));
  for (Command& command : add_study(program, invocation)) commands.push_back(std::move(command));
  for (Command& command : add_glue(program)) commands.push_back(std::move(command));
  commands.push_back(add_selftest(program, invocation));
  commands.push_back(add_manual(program, commands));
  return commands;
}

}  // namespace tk
