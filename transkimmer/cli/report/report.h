#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "transkimmer/cli/report/svg_chart.h"

namespace tk {

/// Stands for a figure that was not measured; the report shows a dash, or leaves the figure out.
inline constexpr double kNotMeasured = std::numeric_limits<double>::quiet_NaN();

/// A dev score as a fraction (shown times 100), beside that of the dense model where it is known.
struct ReportScore {
  std::string metric;
  double value = kNotMeasured;
  double dense = kNotMeasured;
};

/// Speed-ups as factors over a dense BERT, in the three countings: MACs against a padded and an unpadded one, and
/// measured time.
struct ReportSpeedUps {
  double macs_padded = kNotMeasured;
  double macs_unpadded = kNotMeasured;  // every row of every layer, the predictor's own cost included
  double time_unpadded = kNotMeasured;
  double time_padded = kNotMeasured;
  std::int64_t padded_length = 0;  // tokens a sentence is padded to; 0: not said
  std::string batch = {};          // of the measured times, such as "32"; empty: not said
};

/// Shares (0 to 1) of all dev tokens that layer `i` reads as keys (R), updates (U) and sends through its feed-forward
/// (F); with the published gate the three are equal.
struct ReportLayer {
  double keys = kNotMeasured;
  double updated = kNotMeasured;
  double feed_forward = kNotMeasured;
};

/// A word of an example, with the number of layers that read it: 0 when it was dropped before the first, the number of
/// layers when it was kept to the end.
struct ReportWord {
  std::string text;
  std::int64_t layers_read = 0;
  std::int64_t layers_updated = -1;  // layers after which it was never updated again; -1: as long as it was read
  bool is_special = false;           // [CLS], [SEP]
};

/// A dev sentence (or pair) with its labels; a label that is empty is not shown.
struct ReportExample {
  std::vector<ReportWord> words;
  std::string gold;
  std::string prediction;
  std::string dense_prediction;
  double cost_share = kNotMeasured;  // its MACs over those of the dense model
};

/// A table whose first column names the rows.
struct ReportTable {
  std::string title;
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
};

/// All that `report.html` shows. Every text is plain and untrusted; parts that are empty are left out of the page.
struct Report {
  std::string title;
  std::string task;
  std::string model;
  std::string command;
  std::vector<std::string> summary;  // sentences or paragraphs under the title
  std::vector<ReportScore> scores;   // the first is the headline
  ReportSpeedUps speed_ups;
  std::vector<ReportTable> tables;  // among the results
  std::vector<LineChart> charts;
  std::string charts_title = "Training";
  std::vector<ReportLayer> layers;
  bool is_staged = false;      // R, U and F differ
  bool is_regression = false;  // labels are numbers: no prediction is marked right or wrong
  std::vector<ReportExample> examples;
  std::vector<std::pair<std::string, std::string>> facts;  // the manifest: seed, threads, BLAS core, version, date ...
};

/// The report as one self-contained HTML page that loads nothing.
std::string render_report(const Report& report);

/// Writes the page to `path`, whole or not at all; throws tk::Error with the path when that fails.
void write_report(const std::string& path, const Report& report);

}  // namespace tk
