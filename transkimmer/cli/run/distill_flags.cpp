#include "transkimmer/cli/run/distill_flags.h"

#include <fmt/format.h>

#include "tensor/error.h"

namespace tk {

void add_distill_flags(Flags& flags, DistillFlags& distill, const DistillDefaults& otherwise) {
  flags.group("Text without labels, on which the teacher's answers are learnt");
  flags.add("--distill_tasks", distill.tasks,
            fmt::format("GLUE tasks whose training rows in --data_dir are used, with commas between, or none; for a "
                        "task of sentences pairs give two (default: {})",
                        otherwise.tasks),
            "TASKS");
  flags.add("--distill_files", distill.files,
            "files of texts, with commas between: one a line, for a task of pairs two with a tab between them",
            "FILES");
  flags
      .add("--distill_samples", distill.samples,
           "how many of these texts are drawn at most, so that their lengths are the task's")
      .at_least(1);
  flags
      .add("--distill_pairs", distill.pairs,
           fmt::format("new pairs for each own one: its first text with a second text of another row that shares most "
                       "words (default: {})",
                       otherwise.pairs))
      .at_least(0);
  flags
      .add("--corrupt", distill.corrupt,
           fmt::format("copies of each own row with a token or two deleted, doubled, swapped or replaced; half of the "
                       "other rows are changed so, too; 0: none (default: {})",
                       otherwise.corrupt))
      .at_least(0);
  flags
      .add("--distill_own_share", distill.own_share,
           fmt::format("share of an epoch that the task's own rows have: the side that is too short comes more often "
                       "(default: {})",
                       otherwise.own_share))
      .range(0.01, 0.99);
}

DistillJob distill_job(const DistillFlags& distill, const std::filesystem::path& data_dir, std::uint64_t seed) {
  DistillJob job{.sources = {.data_dir = data_dir}};
  if (distill.tasks != "none") job.sources.tasks = comma_separated(distill.tasks.value_or(""));
  for (const std::string& file : comma_separated(distill.files.value_or(""))) job.sources.files.emplace_back(file);
  job.text.samples = distill.samples;
  job.text.pairs = distill.pairs.value_or(0);
  job.text.corrupt = distill.corrupt.value_or(0);
  job.text.seed = seed;
  job.own_share = distill.own_share.value_or(job.own_share);
  return job;
}

std::vector<std::string> distill_problems(const DistillJob& job, const Task& task) {
  std::vector<std::string> problems = source_problems(job.sources, task);
  if (job.text.pairs > 0 && task.texts == 1)
    problems.push_back(concat("--distill_pairs: ", task.name, " has no pairs"));
  return problems;
}

}  // namespace tk
