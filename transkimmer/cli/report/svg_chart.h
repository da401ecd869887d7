#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "transkimmer/cli/run/curve_point.h"

namespace tk {

enum class LineStyle {
  kSolid,   // in its own colour
  kFaint,   // thin, in the colour of the solid curve that follows: raw values behind smoothed ones
  kDashed,  // dotted, in the colour of the text, above the others: a target
};

/// What several values at one place of a curve lie between.
struct ValueRange {
  double low = 0;
  double high = 0;
};

/// A line of a chart; its points come in order of their steps.
struct Curve {
  std::string name;
  std::vector<CurvePoint> points;
  LineStyle style = LineStyle::kSolid;
  std::vector<ValueRange> ranges = {};  // of each point, drawn upright through it; or empty
};

/// Curves over one pair of axes.
struct LineChart {
  std::string title;
  std::string unit;  // beside the title: "cross-entropy", "share of the dense MACs"
  std::vector<Curve> curves;
  bool is_percent = false;      // values are shares, shown as percentages
  bool starts_at_zero = false;  // the value axis includes 0 whatever the data
  std::string step_name = "step";
  // What a run went through: the legend shows where it ended, a table how far it came. Else steps are any other
  // quantity, whose axis ends at round numbers.
  bool is_history = true;
};

/// A coloured stretch of a bar, from its start to `share` (0 to 1) of its length.
struct BarPart {
  double share = 0;
  std::string css_class;
};

/// Round numbers (1, 2 or 5 times a power of ten apart), about `count` of them, from at or below `low` to at or above
/// `high`.
std::vector<double> nice_ticks(double low, double high, int count);

/// At most 3 `buckets` + 1 of the points: least, greatest and first unfinite one of each bucket, so that spikes and
/// gaps survive.
std::vector<CurvePoint> thin_points(const std::vector<CurvePoint>& points, std::int64_t buckets);

/// The chart as an HTML `figure` with inline SVG, a legend and a table of extremes; it fills the width that it is
/// given.
std::string line_chart_html(const LineChart& chart);

/// A horizontal bar as inline SVG; later parts are painted over earlier ones, so nested shares go from the largest
/// down. A `mark` inside (0, 1) draws a line across it there.
std::string bar_svg(const std::vector<BarPart>& parts, double mark = 0);

}  // namespace tk
