#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "data/glue_task.h"

// What GLUE's server takes: a zip with a file for each test set.
namespace tk {

/// A file of the zip.
struct SubmissionFile {
  std::string name;         ///< "CoLA.tsv", "MNLI-mm.tsv"
  std::string text;         ///< "index\tprediction", then a line for each row of the test set
  std::int64_t rows = 0;    ///< of the test set
  std::int64_t filled = 0;  ///< rows of which there was no prediction
  std::string note = {};    ///< what these got, to be said to the user; empty where there are none
};

/// The server's name for the file of a test set.
std::string submission_name(const GlueTask& task, const SplitInfo& split);

/// The name under which `predict` writes a test set's predictions: "predict_results_mnli-mm.txt".
std::string prediction_name(const GlueTask& task, const SplitInfo& split);

/// The server's file from one that `predict` wrote: labels in the server's spelling, scores within their bounds. Up to
/// one row in a hundred may have no prediction, because it was lost at parsing: it gets the class that is predicted
/// most, or the mean score. Throws, naming file and line, on more of these, on rows that the test set does not have or
/// that come twice, and on what is no label.
SubmissionFile submission_file(const GlueTask& task, const SplitInfo& split, const std::filesystem::path& predictions);

}  // namespace tk
