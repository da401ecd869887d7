#include "transkimmer/cli/run/task_flags.h"

#include "data/glue_task.h"
#include "tensor/error.h"

namespace tk {

void add_task_flags(Flags& flags, TaskFlags& task, bool needs_model) {
  flags.group("Task and model");
  flags
      .add("--task_name", task.task_name, "GLUE task: cola sst2 mrpc stsb qqp mnli qnli rte wnli, or its folder's name",
           "TASK")
      .required()
      .check([](const std::string& name) -> std::string {
        try {
          find_glue_task(name);
          return "";
        } catch (const Error& error) {
          return error.what();
        }
      });
  flags.add("--data_dir", task.data_dir, "folder that holds CoLA/, SST-2/ ...", "DIR").required();
  Flag model =
      flags.add("--model_name_or_path", task.model, "model folder: config.json, model.safetensors, vocab.txt", "DIR");
  if (needs_model) model.required();
  flags.add("--max_seq_length", task.max_seq_length, "tokens of a text or pair at most; longer ones are cut")
      .at_least(2);
}

}  // namespace tk
