#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/glue_sources.h"
#include "data/glue_submission.h"
#include "data/glue_task.h"
#include "data/glue_verify.h"
#include "tensor/error.h"
#include "tensor/io/atomic_file.h"
#include "tensor/io/in_quotes.h"
#include "tensor/io/input_file.h"
#include "transkimmer/cli/commands/commands.h"
#include "transkimmer/cli/run/download.h"
#include "transkimmer/cli/run/glue_download.h"
#include "transkimmer/cli/run/log.h"
#include "transkimmer/cli/run/options.h"
#include "transkimmer/cli/run/output_folder.h"
#include "transkimmer/cli/run/print.h"
#include "transkimmer/cli/run/signals.h"
#include "transkimmer/cli/run/zip.h"

namespace tk {
namespace fs = std::filesystem;
namespace {

std::string problem_of_tasks(const std::string& names) {
  try {
    for (const std::string& name : comma_separated(names)) find_glue_task(name);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

struct GlueCommand {
  explicit GlueCommand(CLI::App& program)
      : flags(program, "glue",
              "the GLUE data sets: what they are, getting them, whether a folder holds them, what their server takes"),
        info(flags.command(), "info", "a table of the tasks: splits, labels, metrics"),
        verify(flags.command(), "verify", "compare a folder's files with the official row counts"),
        download(flags.command(), "download", "get the data sets as they are published"),
        submit(flags.command(), "submit", "make the zip that the GLUE server takes from what `predict` wrote") {
    flags.need_command();
    verify.group("Data");
    verify.add("--data_dir", data_dir, "folder that holds CoLA/, SST-2/ ...", "DIR").required();
    verify.footer(
        "Exit code 1 when a file is broken or has another number of rows; files that are not there, and\n"
        "train-subset.tsv in the place of train.tsv, are said and are no error.");
    download.group("Data");
    download.add("--data_dir", data_dir, "folder to write CoLA/, SST-2/ ... to", "DIR").required();
    download.add("--tasks", tasks, "which, with commas between (default: all ten)", "TASKS")
        .words()
        .check(problem_of_tasks);
    download.add("--url", url, "where the files lie, in place of their publisher's: http, https or file://FOLDER",
                 "URL");
    download.add("--progress", progress, "bar while it works: auto is where standard error is a terminal");
    download.footer(
        "Every file is checked by its SHA-256. A folder appears whole; one that is there stays as it is. What was\n"
        "stopped goes on when the same command is given again: until a file is complete it is called NAME.part.");
    submit.group("Submission");
    submit
        .add("--predictions", predictions,
             "folders with predict_results_TASK.txt of test sets, as `predict --output_dir` makes them, with commas "
             "between",
             "DIRS")
        .words()
        .required();
    submit.add("--output", output, "the zip to write; a file of that name is replaced", "FILE").required();
    submit.add("--partial", partial, "leave out test sets of which there are no predictions; else that is an error");
    submit.footer(
        "Test sets are those of the nine tasks, MNLI's two, and ax, which an MNLI model answers:\n"
        "  transkimmer predict --task_name ax --data_dir glue --model_name_or_path mnli --output_dir predictions\n"
        "Labels get the server's spelling, scores lie from 0 to 5. Rows that were lost at parsing, at most one in a\n"
        "hundred, get what is predicted most, which is said; any other number of rows is an error. Predictions for a\n"
        "dev set (`predict --split dev`) have the same files' names, and QNLI's as many rows.");
  }

  Flags flags;
  Flags info;
  Flags verify;
  Flags download;
  Flags submit;
  std::string data_dir;
  std::optional<std::string> tasks;
  std::optional<std::string> url;
  ProgressMode progress = ProgressMode::kAuto;
  std::string predictions;
  std::string output;
  bool partial = false;
};

std::string words_text(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : " ") + text;
  return all;
}

std::string rows_text(const GlueTask& task) {
  std::string text;
  for (const SplitInfo& split : task.splits) text += fmt::format("{}{}", text.empty() ? "" : " / ", split.rows);
  return text;
}

int print_info() {
  print("{:<6} {:<6} {:<7} {:<36} {:<33} {}\n", "task", "folder", "type", "rows of its files", "metrics", "labels");
  for (const GlueTask& task : glue_tasks()) {
    print("{:<6} {:<6} {:<7} {:<36} {:<33} {}\n", task.task.name, task.folder, task.task.texts == 2 ? "pair" : "single",
          rows_text(task), words_text(task.task.metrics),
          task.task.regression() ? fmt::format("a number from 0 to {}", task.highest_score)
                                 : words_text(task.task.labels));
  }
  return 0;
}

std::string counts_text(const GlueFileReport& report) {
  std::string text;
  for (std::size_t i = 0; i < report.label_counts.size(); ++i) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", report.task->task.labels[i], report.label_counts[i]);
  }
  return text;
}

bool is_wrong(const GlueFileReport& report) {
  return report.status == GlueFileStatus::kBroken || report.status == GlueFileStatus::kWrongCount;
}

// The rows of a file, as far as they could be read.
std::string found_text(const GlueFileReport& report) {
  return report.status == GlueFileStatus::kMissing ? "" : std::to_string(report.rows);
}

std::string problem_of(const GlueFileReport& report) {
  if (!report.problem.empty()) return report.problem;
  return fmt::format("{}: expected {} rows, got {}", report.file.string(), report.expected, report.rows);
}

int verify_folder(const std::string& data_dir) {
  const std::vector<GlueFileReport> reports = verify_glue(data_dir);
  print("{:<6} {:<16} {:<12} {:>8} {:>8}  {}\n", "task", "split", "status", "rows", "official", "labels");
  std::vector<std::string> problems;
  for (const GlueFileReport& report : reports) {
    if (is_wrong(report)) problems.push_back(problem_of(report));
    print("{:<6} {:<16} {:<12} {:>8} {:>8}  {}\n", report.task->task.name, report.split->name, name(report.status),
          found_text(report), report.expected,
          report.problem.empty() ? counts_text(report) : printable_line(report.problem, kLongestLine));
  }
  if (problems.empty()) return 0;
  throw Error(fmt::format("{}{}", problems.front(),
                          problems.size() > 1 ? fmt::format(" (and {} more files)", problems.size() - 1) : ""));
}

void check_nothing_lacks(const char* command, const std::string& problem) {
  TK_CHECK(problem.empty(), command, ": ", problem);
}

std::vector<const GlueTask*> tasks_to_download(const GlueCommand& c) {
  std::vector<const GlueTask*> tasks;
  if (c.tasks) {
    for (const std::string& name : comma_separated(*c.tasks)) tasks.push_back(&find_glue_task(name));
  } else {
    for (const GlueTask& task : glue_tasks()) tasks.push_back(&task);
  }
  return tasks;
}

int download(const GlueCommand& c) {
  check_nothing_lacks("glue download", download_problem());
  check_nothing_lacks("glue download", zip_problem());
  catch_stop_signals();
  const WritableFolder folder(c.data_dir);
  const std::vector<GlueSource> sources = c.url ? sources_at(*c.url, glue_sources()) : glue_sources();
  for (const GlueTask* task : tasks_to_download(c)) {
    const bool is_new = download_task(*task, sources, folder.path(), c.progress);
    print("{}: {}\n", (folder.path() / task->folder).string(), is_new ? "downloaded" : "is there");
  }
  return 0;
}

// The file of that name in one of the folders; nothing where none has it.
std::optional<fs::path> find_in(const std::vector<std::string>& folders, const std::string& name) {
  std::optional<fs::path> found;
  for (const std::string& folder : folders) {
    const fs::path file = fs::path(folder) / name;
    if (!fs::exists(file)) continue;
    TK_CHECK(!found, "--predictions: ", name, " is in ", found->parent_path().string(), " and in ", folder);
    found = file;
  }
  return found;
}

std::vector<std::string> prediction_folders(const GlueCommand& c) {
  std::vector<std::string> folders = comma_separated(c.predictions);
  for (const std::string& folder : folders) {
    TK_CHECK(fs::is_directory(folder), "--predictions: no such folder: ", folder);
  }
  return folders;
}

std::vector<SubmissionFile> submission_files(const GlueCommand& c) {
  const std::vector<std::string> folders = prediction_folders(c);
  std::vector<SubmissionFile> files;
  std::vector<std::string> missing;
  for (const GlueTask& task : glue_tasks()) {
    for (const SplitInfo& split : task.splits) {
      if (split.part != Part::kTest) continue;
      const std::string name = prediction_name(task, split);
      const std::optional<fs::path> file = find_in(folders, name);
      file ? files.push_back(submission_file(task, split, *file)) : missing.push_back(name);
    }
  }
  TK_CHECK(missing.empty() || c.partial, "--predictions: no ", listed(missing), " in ", c.predictions,
           "; --partial leaves these out");
  TK_CHECK(!files.empty(), "--predictions: no predict_results_TASK.txt in ", c.predictions);
  return files;
}

int submit(const GlueCommand& c) {
  check_nothing_lacks("glue submit", zip_problem());
  catch_stop_signals();
  std::vector<ZipEntry> entries;
  const std::vector<SubmissionFile> files = submission_files(c);
  for (const SubmissionFile& file : files) entries.push_back({file.name, file.text});
  const std::string bytes = zipped(entries);
  TK_CHECK(unzipped(bytes, c.output) == entries, c.output, ": the archive does not give back what it was made of");
  throw_if_stopped();
  write_file_atomically(c.output, bytes);
  TK_CHECK(unzipped(read_file(c.output), c.output) == entries, c.output, ": does not hold what was written");
  print("{:<11} {:>8} {:>8}\n", "file", "rows", "filled");
  for (const SubmissionFile& file : files) {
    if (!file.note.empty()) warn("{}", file.note);
    print("{:<11} {:>8} {:>8}\n", file.name, file.rows, file.filled);
  }
  info("wrote {}: {} files, read back", c.output, files.size());
  return 0;
}

}  // namespace

std::vector<Command> add_glue(CLI::App& program) {
  auto command = std::make_shared<GlueCommand>(program);
  return {{&command->info, [command] { return print_info(); }},
          {&command->verify, [command] { return verify_folder(command->data_dir); }},
          {&command->download, [command] { return download(*command); }},
          {&command->submit, [command] { return submit(*command); }}};
}

}  // namespace tk
