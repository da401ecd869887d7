#include "transkimmer/cli/commands/commands.h"

#include <memory>
#include <sstream>

#include "tensor/threads.h"
#include "transkimmer/cli/commands/convert.h"
#include "transkimmer/cli/commands/inspect.h"
#include "transkimmer/cli/run/options.h"
#include "transkimmer/cli/run/print.h"
#include "transkimmer/cli/run/signals.h"
#include "transkimmer/cli/run/task_flags.h"

namespace tk {
namespace {

struct ConvertCommand {
  explicit ConvertCommand(CLI::App& program)
      : flags(program, "convert", "write a model folder again, under published names and in another dtype") {
    flags.positional("IN", in, "model folder, or its model.safetensors").required();
    flags.positional("OUT", out, "folder to make").required();
    flags.add(
        "--dtype", dtype,
        "what the weights are stored in; int8: word embeddings and the matrices of layers and skim predictors, for "
        "inference");
    flags.group("Its cost: the scores of both folders on a dev set");
    flags.add("--task_name", cost.task_name, "GLUE task: cola sst2 mrpc stsb qqp mnli qnli rte wnli", "TASK");
    flags.add("--data_dir", cost.data_dir, "folder that holds CoLA/, SST-2/ ...", "DIR");
    flags.add("--validation_file", cost.validation_file, "rows of your own to score, in place of a GLUE task", "FILE");
    flags.add("--max_seq_length", cost.max_seq_length, "tokens of a text or pair at most; longer ones are cut")
        .at_least(2);
  }

  Flags flags;
  std::string in, out;
  WeightStorage dtype = WeightStorage::kFloat32;
  TaskFlags cost;

  bool wants_cost() const { return !cost.task_name.empty() || cost.has_own_files(); }
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
  command->flags.contradictions([c = command.get()] {
    return c->wants_cost() ? task_problems(c->cost, Part::kDev) : std::vector<std::string>();
  });
  return {&command->flags, [command] {
            catch_stop_signals();
            start_threads();  // while there is nothing to leave behind
            convert(command->in, command->out, command->dtype);
            if (command->wants_cost()) print_text(conversion_cost(command->in, command->out, command->cost));
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
