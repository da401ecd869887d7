#include "transkimmer/cli/report/report.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

#include "tensor/error.h"
#include "tests/support/catch.h"
#include "transkimmer/cli/report/html.h"

namespace tk {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::int64_t count(const std::string& text, const std::string& part) {
  std::int64_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++n;
  return n;
}

// The page without the contents of <style> and <script>, which are no markup.
std::string without_raw_text(std::string page) {
  for (const std::string name : {"style", "script"}) {
    const std::size_t begin = page.find("<" + name + ">") + name.size() + 2;
    page.erase(begin, page.find("</" + name + ">") - begin);
  }
  return page;
}

// "" when every element is closed in order and attributes are quoted, else the place of the first fault.
std::string first_fault(const std::string& page) {
  const std::vector<std::string> void_elements{"meta", "link", "input", "!DOCTYPE"};
  std::vector<std::string> open;
  for (std::size_t at = page.find('<'); at != std::string::npos; at = page.find('<', at)) {
    std::size_t end = at + 1;
    for (bool quoted = false; end < page.size() && (quoted || page[end] != '>'); ++end) {
      if (page[end] == '<') return page.substr(at, 80);
      quoted ^= page[end] == '"';
    }
    const std::string tag = page.substr(at + 1, end - at - 1);
    const std::string name = tag.substr(0, tag.find_first_of(" /", 1));
    if (name[0] == '/') {
      if (open.empty() || open.back() != name.substr(1)) return page.substr(at, 80);
      open.pop_back();
    } else if (tag.back() != '/' &&
               std::find(void_elements.begin(), void_elements.end(), name) == void_elements.end()) {
      open.push_back(name);
    }
    at = end;
  }
  return open.empty() ? "" : "never closed: " + open.back();
}

Curve line(const std::string& name, std::int64_t steps) {
  Curve curve{name, {}, LineStyle::kSolid};
  for (std::int64_t i = 1; i <= steps; ++i)
    curve.points.push_back({static_cast<double>(i), 1.0 / static_cast<double>(i)});
  return curve;
}

Report full_report() {
  Report report;
  report.title = "A small run";
  report.task = "sst2";
  report.model = "tiny";
  report.command = "transkimmer train --task_name sst2";
  report.summary = {"Kept the score."};
  report.scores = {{"Accuracy", 0.8922, 0.8964}, {"F1", 0.9, kNotMeasured}};
  report.speed_ups = {8.3, 2.44, 2.07, 5.9, 64, "32"};
  report.charts = {{"Loss", "cross-entropy", {line("smoothed", 30)}}};
  report.layers = {{1, 1, 0.8}, {0.6, 0.5, 0.3}, {0.25, 0.1, 0.1}};
  report.is_staged = true;
  report.examples = {{{{"[CLS]", 3, -1, true}, {"truly", 1, 0, false}, {"moving", 3, 2, false}, {"film", 0, -1, false}},
                      "positive",
                      "positive",
                      "negative",
                      0.38}};
  report.facts = {{"Seed", "42"}, {"Threads", "2"}};
  return report;
}

const std::vector<std::string> kSections{"results", "sentences", "layers", "training", "run"};

}  // namespace

TEST_CASE("report: a full report has every section, linked from the top, and is well formed") {
  const std::string page = render_report(full_report());
  for (const std::string& id : kSections) {
    INFO(id);
    REQUIRE(contains(page, "<section id=\"" + id + "\""));
    REQUIRE(contains(page, "href=\"#" + id + "\""));
  }
  REQUIRE(first_fault(without_raw_text(page)) == "");
  REQUIRE(count(page, "<h1>") == 1);
}

TEST_CASE("report: the check for well-formedness finds faults") {
  REQUIRE(first_fault("<p><b>x</b></p>") == "");
  REQUIRE(first_fault("<p><b>x</p></b>") != "");
  REQUIRE(first_fault("<p>") != "");
  REQUIRE(first_fault("<p title=\"<\">x</p>") != "");
}

TEST_CASE("report: an empty report is a whole page without sections") {
  const std::string page = render_report(Report{});
  REQUIRE(first_fault(without_raw_text(page)) == "");
  REQUIRE_FALSE(contains(page, "<section"));
  REQUIRE_FALSE(contains(page, "<nav"));
}

TEST_CASE("report: a part that is missing leaves out its section alone") {
  Report report = full_report();
  report.examples.clear();
  report.charts.clear();
  const std::string page = render_report(report);
  REQUIRE_FALSE(contains(page, "<section id=\"sentences\""));
  REQUIRE_FALSE(contains(page, "<section id=\"training\""));
  REQUIRE(contains(page, "<section id=\"layers\""));
}

TEST_CASE("report: the page loads nothing from elsewhere") {
  const std::string page = render_report(full_report());
  for (const std::string part : {"http:", "https:", "src=", "url(", "@import", "<iframe", "fetch("}) {
    INFO(part);
    REQUIRE_FALSE(contains(page, part));
  }
  REQUIRE(contains(page, "default-src 'none'"));
}

TEST_CASE("report: text from outside is escaped wherever it appears") {
  const std::string evil = "</title><script>alert(\"1\")</script><b a='";
  Report report = full_report();
  report.title = report.task = report.model = report.command = evil;
  report.summary = {evil};
  report.scores[0].metric = evil;
  report.charts[0].title = report.charts[0].unit = report.charts[0].step_name = report.charts[0].curves[0].name = evil;
  report.examples[0].words[1].text = evil;
  report.examples[0].gold = report.examples[0].prediction = report.examples[0].dense_prediction = evil;
  report.facts = {{evil, evil}};
  const std::string page = render_report(report);
  REQUIRE_FALSE(contains(page, "<script>alert"));
  REQUIRE_FALSE(contains(page, "<b a="));
  REQUIRE(count(page, "<script>") == 1);
  REQUIRE(first_fault(without_raw_text(page)) == "");
}

TEST_CASE("html: ill-formed UTF-8 and control characters become U+FFFD, other text stays") {
  REQUIRE(escape_html("a\xff"
                      "b\x01\xc3") == "a\uFFFDb\uFFFD\uFFFD");
  REQUIRE(escape_html(std::string_view("\0", 1)) == "\uFFFD");
  REQUIRE(escape_html("naïve 电影 😀 &<>\"'") == "naïve 电影 😀 &amp;&lt;&gt;&quot;&#39;");
}

TEST_CASE("html: numbers are short and use a proper minus") {
  REQUIRE(format_number(0) == "0");
  REQUIRE(format_number(0.25) == "0.25");
  REQUIRE(format_number(-1234.567) == "−1235");
  REQUIRE(format_number(1234567) == "1\u202f234\u202f567");
  REQUIRE(format_number(12345) == "12\u202f345");
  REQUIRE(format_number(5e-5) == "5e−5");
  REQUIRE(format_number(1.5e300) == "1.5e300");
  REQUIRE(format_number(kNotMeasured) == "–");
  REQUIRE(format_number(-kInfinity) == "−∞");
  REQUIRE(format_percent(0.314) == "31.4\u202f%");
  REQUIRE(format_percent(1) == "100\u202f%");
  REQUIRE(format_percent(-0.0001) == "0\u202f%");
  REQUIRE(format_factor(2.314) == "2.31×");
  REQUIRE(format_factor(10.97) == "11.0×");
  REQUIRE(format_factor(kInfinity) == "–");
  REQUIRE(format_score(0.8941) == "89.4");
  REQUIRE(format_score(-0.031) == "−3.1");
  REQUIRE(format_score_change(0.8922, 0.8964) == "−0.4");
  REQUIRE(format_score_change(0.9, 0.88) == "+2.0");
  REQUIRE(format_score_change(0.9, 0.90001) == "±0.0");
  REQUIRE(format_score_change(0.9, kNotMeasured) == "–");
}

TEST_CASE("report: a word says which layer dropped it and which updated it last") {
  const std::string page = render_report(full_report());
  REQUIRE(contains(page, "dropped after layer 1, never updated\">truly<sub>0</sub>"));
  REQUIRE(contains(page, "read by every layer, last updated by layer 2\">moving<sub>2</sub></span>"));
  REQUIRE(contains(page, "dropped before the first layer\">film<sub>0</sub>"));
  REQUIRE(contains(page, "<th scope=\"row\">none</th><td>2</td><td class=\"list\"><bdi>film</bdi> <bdi>truly</bdi>"));
  REQUIRE(contains(page, "<th scope=\"row\">every layer</th><td>1</td>"));
}

TEST_CASE("report: layers beyond the model's are clamped") {
  Report report = full_report();
  report.examples[0].words = {{"far", 99, 50, false}, {"below", -5, -1, false}};
  const std::string page = render_report(report);
  REQUIRE(contains(page, "data-read=\"3\" data-updated=\"3\""));
  REQUIRE(contains(page, "data-read=\"0\" data-updated=\"0\""));
}

TEST_CASE("report: predictions are marked right and wrong, numbers are not") {
  Report report = full_report();
  REQUIRE(contains(render_report(report), "skimmed <b>positive</b> <span role=\"img\" aria-label=\"right\">"));
  REQUIRE(contains(render_report(report), "dense <b>negative</b> <span role=\"img\" aria-label=\"wrong\">"));
  report.is_regression = true;
  REQUIRE_FALSE(contains(render_report(report), "aria-label=\"wrong\""));
}

TEST_CASE("report: figures that were not measured are left out") {
  Report report = full_report();
  report.speed_ups = {};
  report.speed_ups.macs_unpadded = 2.44;
  const std::string page = render_report(report);
  REQUIRE(contains(page, "2.44×"));
  REQUIRE_FALSE(contains(page, "Time, unpadded"));
  REQUIRE_FALSE(contains(page, "Measured speed"));
}

TEST_CASE("report: long sentences and many examples stay well formed") {
  Report report = full_report();
  const ReportExample example = report.examples[0];
  report.examples.assign(30, example);
  report.examples[3].words.assign(512, {std::string(300, 'w'), 2, 1, false});
  report.examples[4].words.clear();
  const std::string page = render_report(report);
  REQUIRE(first_fault(without_raw_text(page)) == "");
  REQUIRE(contains(page, "<summary>18 more</summary>"));
  REQUIRE(count(page, "<li class=\"example card\">") == 30);
}

TEST_CASE("line chart: odd values neither break the page nor reach its numbers") {
  const std::vector<std::vector<CurvePoint>> cases{
      {},
      {{1, kNotMeasured}},
      {{5, 0.5}},
      {{1, 3.25}, {2, 3.25}},
      {{1, kInfinity}, {2, 1}, {3, kNotMeasured}, {4, 2}},
      {{1, 1e308}, {2, -1e308}, {3, 0}},
      {{0, -1e300}, {1, 1e300}},
      {{0, 1e-320}, {1, 2e-320}},
      {{kNotMeasured, 1}, {kInfinity, 2}},
      {{1, 1e16}, {2, 1e16 + 2}},
  };
  for (std::size_t i = 0; i < cases.size(); ++i) {
    INFO("case " << i);
    const std::string chart = line_chart_html({"T", "", {{"c", cases[i]}}});
    REQUIRE(first_fault(chart) == "");
    REQUIRE_FALSE(contains(chart, "nan"));
    REQUIRE_FALSE(contains(chart, "inf"));
  }
  Curve lost_at_the_end = line("c", 60);
  lost_at_the_end.points.back().step = kNotMeasured;
  REQUIRE_FALSE(contains(line_chart_html({"T", "", {lost_at_the_end}}), "nan"));
  REQUIRE(contains(line_chart_html({"T", "", {{"c", cases[4]}}}), "2 values are not finite and left out."));
  REQUIRE(contains(line_chart_html({"T", "", {{"c", cases[1]}}}), "No finite values were recorded."));
}

TEST_CASE("line chart: a gap starts a new stretch of the line") {
  const std::string chart = line_chart_html({"T", "", {{"c", {{0, 0}, {1, 1}, {2, kNotMeasured}, {3, 0}, {4, 1}}}}});
  REQUIRE(contains(chart, "d=\"M0.0 1000.0h0L250.0 0.0M750.0 1000.0h0L1000.0 0.0\""));
}

TEST_CASE("line chart: ranges are drawn through their points, inside the axes") {
  LineChart chart{.title = "CoLA", .unit = "", .curves = {line("mean", 2)}, .is_history = false};
  chart.curves[0].points = {{21, 50}, {99, 60}};
  chart.curves[0].ranges = {{44, 55}, {60, 60}};
  const std::string html = line_chart_html(chart);
  CHECK(first_fault(html) == "");
  CHECK(count(html, "class=\"range") == 1);  // none where the values agree
  CHECK(contains(html, "data-domain=\"20 100 40 60\""));
  CHECK_FALSE(contains(html, "<details>"));
  chart.is_history = true;
  CHECK(contains(line_chart_html(chart), "data-domain=\"21 99 40 60\""));
  CHECK(contains(line_chart_html(chart), "<details>"));
}

TEST_CASE("report: tables are among the results, their text escaped") {
  Report report;
  report.tables = {{"A <b>", {"Model", "Score"}, {{"dense", "<1>"}}}};
  report.charts = {{"Loss", "", {line("one", 3)}}};
  report.charts_title = "Pictures";
  const std::string page = render_report(report);
  CHECK(first_fault(without_raw_text(page)) == "");
  CHECK(contains(page, "<h3>A &lt;b&gt;</h3>"));
  CHECK(contains(page, "<th scope=\"row\">dense</th><td>&lt;1&gt;</td>"));
  CHECK(contains(page, "<h2>Pictures</h2>"));
}

TEST_CASE("line chart: thinning keeps spikes, gaps and the last point") {
  Curve curve = line("c", 100000);
  curve.points[41234].value = 7;
  curve.points[77777].value = kNotMeasured;
  const std::vector<CurvePoint> thin = thin_points(curve.points, 100);
  REQUIRE(thin.size() <= 301);
  REQUIRE(thin.back().step == 100000);
  REQUIRE(std::any_of(thin.begin(), thin.end(), [](const CurvePoint& p) { return p.value == 7; }));
  REQUIRE(std::any_of(thin.begin(), thin.end(), [](const CurvePoint& p) { return std::isnan(p.value); }));
  REQUIRE(std::is_sorted(thin.begin(), thin.end(), [](const auto& a, const auto& b) { return a.step < b.step; }));
}

TEST_CASE("line chart: ticks are round and cover the range") {
  REQUIRE(nice_ticks(0, 1, 5) == std::vector<double>{0, 1 * 0.2, 2 * 0.2, 3 * 0.2, 4 * 0.2, 5 * 0.2});
  REQUIRE(nice_ticks(3, 97, 5) == std::vector<double>{0, 20, 40, 60, 80, 100});
  REQUIRE(nice_ticks(-12, 7, 4) == std::vector<double>{-15, -10, -5, 0, 5, 10});
  const std::vector<double> around = nice_ticks(2, 2, 5);
  REQUIRE(around.front() < 2);
  REQUIRE(around.back() > 2);
}

TEST_CASE("bar: shares are clamped to the bar") {
  const std::string bar = bar_svg({{1.7, "read"}, {kNotMeasured, "updated"}, {-1, "fed"}});
  REQUIRE(contains(bar, "class=\"read\" width=\"100.00%\""));
  REQUIRE(contains(bar, "class=\"updated\" width=\"0.00%\""));
  REQUIRE(contains(bar, "class=\"fed\" width=\"0.00%\""));
  REQUIRE_FALSE(contains(bar, "mark"));
  REQUIRE(contains(bar_svg({{1, "fed"}}, 0.25), "class=\"mark\" x1=\"25.00%\""));
}

TEST_CASE("report: it is written whole, and a path that cannot be written is named") {
  const std::filesystem::path folder = std::filesystem::temp_directory_path() / "tk_report_test";
  std::filesystem::create_directories(folder);
  const std::filesystem::path path = folder / "report.html";
  write_report(path, full_report());
  std::ifstream in(path, std::ios::binary);
  std::stringstream text;
  text << in.rdbuf();
  REQUIRE(text.str() == render_report(full_report()));
  REQUIRE(std::distance(std::filesystem::directory_iterator(folder), {}) == 1);
  std::filesystem::remove_all(folder);
  REQUIRE_THROWS_WITH(write_report(path, full_report()), ContainsSubstring(path.string()));
}

}  // namespace tk
