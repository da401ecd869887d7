#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>

#include "data/glue_task.h"
#include "data/glue_verify.h"
#include "tensor/error.h"
#include "tensor/io/in_quotes.h"
#include "transkimmer/cli/commands/commands.h"
#include "transkimmer/cli/run/log.h"
#include "transkimmer/cli/run/options.h"
#include "transkimmer/cli/run/print.h"

namespace tk {
namespace {

struct GlueCommand {
  explicit GlueCommand(CLI::App& program)
      : flags(program, "glue", "the GLUE data sets: what they are, and whether a folder holds them"),
        info(flags.command(), "info", "a table of the tasks: splits, labels, metrics"),
        verify(flags.command(), "verify", "compare a folder's files with the official row counts") {
    flags.need_command();
    verify.group("Data");
    verify.add("--data_dir", data_dir, "folder that holds CoLA/, SST-2/ ...", "DIR").required();
    verify.footer(
        "Exit code 1 when a file is broken or has another number of rows; files that are not there, and\n"
        "train-subset.tsv in the place of train.tsv, are said and are no error.");
  }

  Flags flags;
  Flags info;
  Flags verify;
  std::string data_dir;
};

std::string joined(const std::vector<std::string>& texts) {
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
          rows_text(task), joined(task.task.metrics),
          task.task.regression() ? fmt::format("a number from 0 to {}", task.highest_score) : joined(task.task.labels));
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

}  // namespace

std::vector<Command> add_glue(CLI::App& program) {
  auto command = std::make_shared<GlueCommand>(program);
  return {{&command->info, [command] { return print_info(); }},
          {&command->verify, [command] { return verify_folder(command->data_dir); }}};
}

}  // namespace tk
