#pragma once

#include <cstdint>
#include <string>

#include "transkimmer/cli/run/options.h"

namespace tk {

/// Flags of every command that reads a task's data with a model.
struct TaskFlags {
  std::string task_name;
  std::string data_dir;
  std::string model;
  std::int64_t max_seq_length = 128;
};

/// `needs_model`: the model has to be given.
void add_task_flags(Flags& flags, TaskFlags& task, bool needs_model = true);

}  // namespace tk
