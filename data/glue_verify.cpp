#include "data/glue_verify.h"

#include "data/glue_reader.h"
#include "tensor/error.h"
#include "tensor/io/problem_text.h"

namespace tk {
namespace {

GlueFileStatus status_of(const GlueExamples& examples) {
  if (examples.subset) return GlueFileStatus::kSubset;
  return examples.complete() ? GlueFileStatus::kOk : GlueFileStatus::kWrongCount;
}

GlueFileReport verify_split(const GlueTask& task, const SplitInfo& split, const std::filesystem::path& data_dir) {
  GlueFileReport report{&task, &split, data_dir / task.folder / split.file, 0, split.rows, {}, GlueFileStatus::kMissing,
                        ""};
  try {
    const std::optional<SplitFile> file = look_for_split_file(task, split, data_dir);
    if (!file) return report;
    report.file = file->path;
    const GlueExamples examples = read_examples(task, split, *file);
    report.rows = std::ssize(examples.examples);
    if (split.labelled()) report.label_counts = label_counts(task.task, examples.examples);
    report.status = status_of(examples);
  } catch (const std::exception& error) {
    report.status = GlueFileStatus::kBroken;
    report.problem = problem_text(error);
  }
  return report;
}

}  // namespace

const char* name(GlueFileStatus status) {
  switch (status) {
    case GlueFileStatus::kOk:
      return "ok";
    case GlueFileStatus::kSubset:
      return "subset";
    case GlueFileStatus::kWrongCount:
      return "wrong count";
    case GlueFileStatus::kMissing:
      return "missing";
    case GlueFileStatus::kBroken:
      return "broken";
  }
  return "?";
}

std::vector<GlueFileReport> verify_task(const GlueTask& task, const std::filesystem::path& data_dir) {
  std::vector<GlueFileReport> reports;
  for (const SplitInfo& split : task.splits) reports.push_back(verify_split(task, split, data_dir));
  return reports;
}

std::vector<GlueFileReport> verify_glue(const std::filesystem::path& data_dir) {
  TK_CHECK(std::filesystem::is_directory(data_dir), "no such folder: ", data_dir.string());
  std::vector<GlueFileReport> reports;
  for (const GlueTask& task : glue_tasks()) {
    for (GlueFileReport& report : verify_task(task, data_dir)) reports.push_back(std::move(report));
  }
  return reports;
}

}  // namespace tk
