#include "transkimmer/cli/report/svg_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "transkimmer/cli/report/html.h"

namespace tk {
namespace {

constexpr std::int64_t kBuckets = 300;         // drawn detail: about one bucket for every two pixels
constexpr std::size_t kMostMarkedPoints = 40;  // beyond this, dots hide the line
constexpr int kColors = 6;
constexpr double kPlotSize = 1000;  // the plot's own coordinates, stretched to the figure

// Differences of larger values overflow.
bool is_drawable(double value) { return std::abs(value) <= 1e300; }
bool is_drawable(const CurvePoint& p) { return is_drawable(p.step) && is_drawable(p.value); }

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  bool is_empty() const { return low > high; }
  void include(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  /// 0 at `low`, 1 at `high`, the middle where they are equal.
  double share(double value) const { return high > low ? (value - low) / (high - low) : 0.5; }
};

struct Axes {
  Range steps, values;
  std::vector<double> step_ticks, value_ticks;
};

struct Summary {
  CurvePoint first, last, least, greatest;
  std::int64_t gaps = 0;
  bool is_empty = true;
};

Summary summarize(const std::vector<CurvePoint>& points) {
  Summary s;
  for (const CurvePoint& p : points) {
    if (!is_drawable(p)) {
      ++s.gaps;
      continue;
    }
    if (s.is_empty) s = {p, p, p, p, s.gaps, false};
    s.last = p;
    if (p.value < s.least.value) s.least = p;
    if (p.value > s.greatest.value) s.greatest = p;
  }
  return s;
}

std::string value_text(const LineChart& chart, double value) {
  return chart.is_percent ? format_percent(value) : format_number(value);
}

std::vector<double> ticks_inside(const Range& range, int count) {
  std::vector<double> ticks = nice_ticks(range.low, range.high, count);
  std::erase_if(ticks, [&](double t) { return t < range.low || t > range.high; });
  if (range.low == range.high) ticks = {range.low};
  return ticks;
}

Axes axes_of(const LineChart& chart) {
  Axes axes;
  for (const Curve& curve : chart.curves) {
    for (const CurvePoint& p : curve.points) {
      if (!is_drawable(p)) continue;
      axes.steps.include(p.step);
      axes.values.include(p.value);
    }
    for (const ValueRange& range : curve.ranges) {
      for (const double end : {range.low, range.high}) {
        if (is_drawable(end)) axes.values.include(end);
      }
    }
  }
  if (axes.steps.is_empty()) return axes;
  if (chart.starts_at_zero) axes.values.include(0);
  if (!chart.is_history) {
    for (const double tick : nice_ticks(axes.steps.low, axes.steps.high, 5)) axes.steps.include(tick);
  }
  axes.step_ticks = ticks_inside(axes.steps, 5);
  axes.value_ticks = nice_ticks(axes.values.low, axes.values.high, 5);
  axes.values.include(axes.value_ticks.front());
  axes.values.include(axes.value_ticks.back());
  return axes;
}

std::string percent_position(double share) { return fixed(100 * share, 2) + "%"; }

std::string grid_svg(const LineChart& chart, const Axes& axes) {
  std::string out;
  for (double tick : axes.value_ticks) {
    const std::string y = percent_position(1 - axes.values.share(tick));
    out += fmt::format(R"(<line class="grid" x1="0" x2="100%" y1="{0}" y2="{0}"/>)"
                       R"(<text class="tick" x="-8" y="{0}" dy=".32em" text-anchor="end">{1}</text>)",
                       y, value_text(chart, tick));
  }
  for (double tick : axes.step_ticks) {
    const double share = axes.steps.share(tick);
    const char* anchor = share > 0.97 ? "end" : "middle";
    out += fmt::format(R"(<text class="tick" x="{}" y="100%" dy="1.6em" text-anchor="{}">{}</text>)",
                       percent_position(share), anchor, format_number(tick));
  }
  return out;
}

// "M0 0L10 5" with a new M after each gap; a point alone is a line of no length, which round caps turn into a dot.
std::string path_data(const std::vector<CurvePoint>& points, const Axes& axes) {
  std::string out;
  bool is_pen_down = false;
  for (const CurvePoint& p : points) {
    if (!is_drawable(p.value)) {
      is_pen_down = false;
      continue;
    }
    out += fmt::format("{}{:.1f} {:.1f}{}", is_pen_down ? "L" : "M", kPlotSize * axes.steps.share(p.step),
                       kPlotSize * (1 - axes.values.share(p.value)), is_pen_down ? "" : "h0");
    is_pen_down = true;
  }
  return out;
}

std::string points_attribute(const std::vector<CurvePoint>& points) {
  std::string out;
  for (const CurvePoint& p : points) {
    if (is_drawable(p.value)) out += fmt::format("{}{:.7g},{:.5g}", out.empty() ? "" : " ", p.step, p.value);
  }
  return out;
}

std::string curve_class(const Curve& curve, int color) {
  if (curve.style == LineStyle::kDashed) return "curve dashed";
  return fmt::format("curve {} c{}", curve.style == LineStyle::kFaint ? "faint" : "solid", color);
}

// One class a curve; a faint one shares the colour of the next solid one.
std::vector<std::string> curve_classes(const std::vector<Curve>& curves) {
  std::vector<std::string> classes;
  int color = 0;
  for (const Curve& curve : curves) {
    classes.push_back(curve_class(curve, color % kColors));
    color += curve.style == LineStyle::kSolid;
  }
  return classes;
}

std::vector<CurvePoint> drawn_points(const Curve& curve) {
  std::vector<CurvePoint> points = curve.points;
  std::erase_if(points, [](const CurvePoint& p) { return !is_drawable(p.step); });
  return thin_points(points, kBuckets);
}

std::string curve_svg(const Curve& curve, const std::string& css_class, const Axes& axes) {
  const std::vector<CurvePoint> points = drawn_points(curve);
  return fmt::format(R"(<path class="{}" data-name="{}" data-points="{}")"
                     R"( d="{}"/>)",
                     css_class, escape_html(curve.name), points_attribute(points), path_data(points, axes));
}

// Dots on every point of a short curve, and on the last point of a long one.
std::string dots_svg(const Curve& curve, const std::string& css_class, const Axes& axes) {
  if (curve.style != LineStyle::kSolid) return {};
  std::string out;
  const auto dot = [&](const CurvePoint& p) {
    out += fmt::format(R"(<circle class="dot {}" cx="{}" cy="{}" r="3"/>)", css_class,
                       percent_position(axes.steps.share(p.step)), percent_position(1 - axes.values.share(p.value)));
  };
  const Summary summary = summarize(curve.points);
  if (curve.points.size() > kMostMarkedPoints) {
    if (!summary.is_empty) dot(summary.last);
    return out;
  }
  for (const CurvePoint& p : curve.points) {
    if (is_drawable(p)) dot(p);
  }
  return out;
}

std::string ranges_svg(const Curve& curve, const std::string& css_class, const Axes& axes) {
  std::string out;
  for (std::size_t i = 0; i < std::min(curve.ranges.size(), curve.points.size()); ++i) {
    const auto& [low, high] = curve.ranges[i];
    if (!is_drawable(curve.points[i]) || !is_drawable(low) || !is_drawable(high) || low == high) continue;
    out += fmt::format(R"(<line class="range {0}" x1="{1}" x2="{1}" y1="{2}" y2="{3}"/>)", css_class,
                       percent_position(axes.steps.share(curve.points[i].step)),
                       percent_position(1 - axes.values.share(low)), percent_position(1 - axes.values.share(high)));
  }
  return out;
}

std::string legend_html(const LineChart& chart, const std::vector<std::string>& classes) {
  std::string out = R"(<ul class="legend">)";
  for (std::size_t i = 0; i < chart.curves.size(); ++i) {
    const Summary s = summarize(chart.curves[i].points);
    out += fmt::format(R"(<li><svg class="key" width="20" height="10" aria-hidden="true">)"
                       R"(<line class="{}" x1="1" x2="19" y1="5" y2="5"/></svg>{} <b>{}</b></li>)",
                       classes[i], escape_html(chart.curves[i].name),
                       s.is_empty         ? "no values"
                       : chart.is_history ? value_text(chart, s.last.value)
                                          : "");
  }
  return out + "</ul>";
}

std::string spoken_summary(const LineChart& chart) {
  std::string out = chart.title + ".";
  for (const Curve& curve : chart.curves) {
    const Summary s = summarize(curve.points);
    if (s.is_empty) continue;
    out += fmt::format(" {}: from {} at {} {} to {} at {} {}.", curve.name, value_text(chart, s.first.value),
                       chart.step_name, format_number(s.first.step), value_text(chart, s.last.value), chart.step_name,
                       format_number(s.last.step));
  }
  return escape_html(out);
}

std::string extremes_row(const LineChart& chart, const Curve& curve) {
  const Summary s = summarize(curve.points);
  std::string row = fmt::format(R"(<tr><th scope="row">{}</th>)", escape_html(curve.name));
  for (const CurvePoint& p : {s.first, s.least, s.greatest, s.last}) {
    row += s.is_empty
               ? "<td>–</td>"
               : fmt::format("<td>{} <small>at {}</small></td>", value_text(chart, p.value), format_number(p.step));
  }
  return row + "</tr>";
}

std::string extremes_html(const LineChart& chart) {
  std::string out =
      R"(<details><summary>Numbers</summary><div class="scroll"><table><thead><tr><th scope="col">Curve</th>)"
      R"(<th scope="col">First</th>)"
      R"(<th scope="col">Lowest</th><th scope="col">Highest</th><th scope="col">Last</th></tr></thead><tbody>)";
  for (const Curve& curve : chart.curves) out += extremes_row(chart, curve);
  return out + "</tbody></table></div></details>";
}

// Width of the labels of the value axis, in characters.
std::size_t gutter(const LineChart& chart, const Axes& axes) {
  std::size_t width = 2;
  for (double tick : axes.value_ticks) {
    const std::string text = value_text(chart, tick);
    const auto is_lead = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
    width = std::max<std::size_t>(width, std::count_if(text.begin(), text.end(), is_lead));
  }
  return width;
}

// Targets last, so that no curve hides them.
std::vector<std::size_t> drawing_order(const std::vector<Curve>& curves) {
  std::vector<std::size_t> order(curves.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_partition(order.begin(), order.end(),
                        [&](std::size_t i) { return curves[i].style != LineStyle::kDashed; });
  return order;
}

std::string plot_html(const LineChart& chart, const Axes& axes, const std::vector<std::string>& classes) {
  std::string paths, dots, cursor_dots;
  for (std::size_t i : drawing_order(chart.curves)) {
    paths += curve_svg(chart.curves[i], classes[i], axes);
    dots += ranges_svg(chart.curves[i], classes[i], axes) + dots_svg(chart.curves[i], classes[i], axes);
    cursor_dots += fmt::format(R"(<circle class="dot cursor {}" r="4"/>)", classes[i]);
  }
  return fmt::format(R"(<div class="plot" style="--gutter:{}ch">)"
                     R"(<svg width="100%" height="100%" role="img" aria-label="{}" data-format="{}" data-step="{}" )"
                     R"(data-domain="{:.17g} {:.17g} {:.17g} {:.17g}">{}<line class="rule cursor" y1="0" y2="100%"/>)"
                     R"(<svg class="stretch" viewBox="0 0 {} {}" preserveAspectRatio="none" width="100%")"
                     R"( height="100%">{}</svg>{}{}</svg>)"
                     R"(<div class="tip" role="status" hidden></div></div><p class="axis">{}</p>)",
                     gutter(chart, axes), spoken_summary(chart), chart.is_percent ? "percent" : "number",
                     escape_html(chart.step_name), axes.steps.low, axes.steps.high, axes.values.low, axes.values.high,
                     grid_svg(chart, axes), kPlotSize, kPlotSize, paths, dots, cursor_dots,
                     escape_html(chart.step_name));
}

std::string gaps_html(const LineChart& chart) {
  std::int64_t gaps = 0;
  for (const Curve& curve : chart.curves) gaps += summarize(curve.points).gaps;
  if (gaps == 0) return {};
  return fmt::format(R"(<p class="warning">{} {} not finite and left out.</p>)", gaps,
                     gaps == 1 ? "value is" : "values are");
}

}  // namespace

std::vector<double> nice_ticks(double low, double high, int count) {
  const double magnitude = std::max(std::abs(low), std::abs(high));
  if (high - low <= 1e-12 * magnitude || magnitude < 1e-290) {
    const double margin = magnitude < 1e-290 ? 1 : 0.1 * magnitude;
    low -= margin;
    high += margin;
  }
  const double rough = (high - low) / count;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  const double lead = rough / power;
  const double step = power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
  std::vector<double> ticks;
  const double first = std::floor(low / step + 1e-9);
  const double last = std::ceil(high / step - 1e-9);
  for (double i = first; i <= last && ticks.size() < 3 * static_cast<std::size_t>(count); ++i)
    ticks.push_back(i * step);
  return ticks;
}

std::vector<CurvePoint> thin_points(const std::vector<CurvePoint>& points, std::int64_t buckets) {
  const auto n = static_cast<std::int64_t>(points.size());
  if (n <= 3 * buckets) return points;
  std::vector<CurvePoint> kept;
  for (std::int64_t b = 0; b < buckets; ++b) {
    std::int64_t least = -1, greatest = -1, gap = -1;
    for (std::int64_t i = n * b / buckets; i < n * (b + 1) / buckets; ++i) {
      const double value = points[i].value;
      if (!is_drawable(value)) {
        if (gap < 0) gap = i;
        continue;
      }
      if (least < 0 || value < points[least].value) least = i;
      if (greatest < 0 || value > points[greatest].value) greatest = i;
    }
    std::vector<std::int64_t> chosen{least, greatest, gap};
    std::sort(chosen.begin(), chosen.end());
    chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
    for (std::int64_t i : chosen) {
      if (i >= 0) kept.push_back(points[i]);
    }
  }
  if (kept.back().step != points.back().step) kept.push_back(points.back());
  return kept;
}

std::string line_chart_html(const LineChart& chart) {
  const Axes axes = axes_of(chart);
  const std::vector<std::string> classes = curve_classes(chart.curves);
  const std::string unit = chart.unit.empty() ? "" : " <small>" + escape_html(chart.unit) + "</small>";
  std::string out = fmt::format(R"(<figure class="chart card"><figcaption><h3>{}{}</h3>{}</figcaption>)",
                                escape_html(chart.title), unit, legend_html(chart, classes));
  if (axes.steps.is_empty()) return out + R"(<p class="empty">No finite values were recorded.</p></figure>)";
  return out + plot_html(chart, axes, classes) + gaps_html(chart) + (chart.is_history ? extremes_html(chart) : "") +
         "</figure>\n";
}

std::string bar_svg(const std::vector<BarPart>& parts, double mark) {
  std::string out = R"(<svg class="bar" width="100%" height="14" aria-hidden="true">)"
                    R"(<rect class="track" width="100%" height="14" rx="3"/>)";
  for (const BarPart& part : parts) {
    const double share = std::isfinite(part.share) ? std::clamp(part.share, 0.0, 1.0) : 0;
    out += fmt::format(R"(<rect class="{}" width="{}" height="14" rx="3"/>)", part.css_class, percent_position(share));
  }
  if (mark > 0 && mark < 1) {
    out += fmt::format(R"(<line class="mark" x1="{0}" x2="{0}" y1="0" y2="14"/>)", percent_position(mark));
  }
  return out + "</svg>";
}

}  // namespace tk
