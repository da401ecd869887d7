#include "transkimmer/cli/report/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tensor/io/atomic_file.h"
#include "transkimmer/cli/report/html.h"
#include "transkimmer/cli/report/report_examples.h"
#include "transkimmer/cli/report/report_style.h"

namespace tk {
namespace {

struct SpeedUpRow {
  std::string name;
  std::string note;
  double factor;
  bool is_headline;  // skimming alone; padding has no part in it
};

std::vector<SpeedUpRow> measured_rows(const ReportSpeedUps& s) {
  const std::string length = s.padded_length > 0 ? fmt::format(" to {} tokens", s.padded_length) : "";
  const std::string batch = s.batch.empty() ? "" : ", batches of " + s.batch;
  std::vector<SpeedUpRow> rows = {
      {"MACs, unpadded", "without padding; the predictor's own cost is counted", s.macs_unpadded, true},
      {"Time, unpadded", "measured without padding" + batch, s.time_unpadded, true},
      {"MACs, padded", "the dense BERT padded" + length + "; a good part of this is the padding", s.macs_padded, false},
      {"Time, padded", "measured, the dense BERT padded" + length + batch, s.time_padded, false},
  };
  std::erase_if(rows, [](const SpeedUpRow& row) { return !std::isfinite(row.factor); });
  return rows;
}

std::int64_t count_layers(const Report& report) {
  auto count = static_cast<std::int64_t>(report.layers.size());
  for (const ReportExample& example : report.examples) {
    for (const ReportWord& word : example.words) count = std::max(count, report.layers.empty() ? word.layers_read : 0);
  }
  return std::max<std::int64_t>(count, 1);
}

// Headline

std::string card_html(const std::string& name, const std::string& value, const std::string& note) {
  return fmt::format(R"(<li class="card stat"><span class="name">{}</span><span class="value">{}</span>)"
                     R"(<span class="note">{}</span></li>)",
                     escape_html(name), value, escape_html(note));
}

std::string score_card(const ReportScore& score) {
  const bool has_dense = std::isfinite(score.dense);
  return card_html(
      score.metric, format_score(score.value),
      has_dense ? fmt::format("dense {}, {}", format_score(score.dense), format_score_change(score.value, score.dense))
                : "on the dev set");
}

std::string cards_html(const Report& report) {
  std::string cards;
  for (std::size_t i = 0; i < std::min<std::size_t>(report.scores.size(), 2); ++i)
    cards += score_card(report.scores[i]);
  const ReportSpeedUps& s = report.speed_ups;
  if (std::isfinite(s.macs_unpadded))
    cards += card_html("Less arithmetic", format_factor(s.macs_unpadded), "MACs, padding not counted");
  if (std::isfinite(s.time_unpadded))
    cards += card_html("Measured speed", format_factor(s.time_unpadded), "of the dense model, unpadded");
  const std::size_t n = report.layers.size();
  if (report.is_staged && n >= 2 && std::isfinite(report.layers[n - 2].updated)) {
    // The last layer updates [CLS] alone; the one before it says what skimming left.
    cards += card_html("Tokens still updated", format_percent(report.layers[n - 2].updated),
                       fmt::format("by layer {}", n - 1));
  } else if (n > 0 && std::isfinite(report.layers.back().keys)) {
    cards += card_html("Tokens left at the end", format_percent(report.layers.back().keys),
                       fmt::format("read by layer {}", report.layers.size()));
  }
  return cards.empty() ? "" : R"(<ul class="stats">)" + cards + "</ul>";
}

std::string header_html(const Report& report, const std::string& navigation) {
  std::string subtitle;
  for (const std::string& part : {report.task, report.model}) {
    if (!part.empty()) subtitle += fmt::format("<span>{}</span>", escape_html(part));
  }
  std::string summary;
  for (const std::string& paragraph : report.summary) summary += "<p>" + escape_html(paragraph) + "</p>";
  return fmt::format(R"(<header><p class="brand">{}Transkimmer</p><h1>{}</h1><p class="subtitle">{}</p>)"
                     R"(<div class="summary">{}</div>{}{}</header>)"
                     "\n",
                     kLogoSvg, escape_html(report.title.empty() ? "Training report" : report.title), subtitle, summary,
                     cards_html(report), navigation);
}

// Results

std::string scores_html(const Report& report) {
  if (report.scores.empty()) return {};
  const bool has_dense = std::any_of(report.scores.begin(), report.scores.end(),
                                     [](const ReportScore& s) { return std::isfinite(s.dense); });
  std::string rows;
  for (const ReportScore& s : report.scores) {
    rows += fmt::format(R"(<tr><th scope="row">{}</th><td>{}</td>)", escape_html(s.metric), format_score(s.value));
    if (has_dense)
      rows += fmt::format("<td>{}</td><td>{}</td>", format_score(s.dense), format_score_change(s.value, s.dense));
    rows += "</tr>";
  }
  return fmt::format(
      R"(<div class="card scroll"><h3>Dev scores</h3><table class="scores"><thead><tr>)"
      R"(<th scope="col">Metric</th><th scope="col">{}</th>{}</tr></thead><tbody>{}</tbody></table></div>)",
      has_dense ? "Skimmed" : "Score", has_dense ? R"(<th scope="col">Dense</th><th scope="col">Change</th>)" : "",
      rows);
}

std::string speed_ups_html(const Report& report) {
  const std::vector<SpeedUpRow> rows = measured_rows(report.speed_ups);
  if (rows.empty()) return {};
  double longest = 1;
  for (const SpeedUpRow& row : rows) longest = std::max(longest, row.factor);
  std::string out = R"(<div class="card"><h3>Speed-up over a dense BERT</h3><ul class="bars">)";
  for (const SpeedUpRow& row : rows) {
    out += fmt::format(R"(<li><span class="name">{}</span><span class="value">{}</span>{}<span class="note">{}</span>)"
                       R"(</li>)",
                       row.name, format_factor(row.factor),
                       bar_svg({{row.factor / longest, row.is_headline ? "fed" : "updated"}}, 1 / longest), row.note);
  }
  return out + R"(</ul><p class="note">The line across a bar is the dense model, 1×. )"
               R"(The unpadded figures are what skimming gives by itself.</p></div>)";
}

std::string row_html(const std::vector<std::string>& cells) {
  std::string row = "<tr>";
  for (std::size_t i = 0; i < cells.size(); ++i) {
    row += i == 0 ? R"(<th scope="row">)" + escape_html(cells[i]) + "</th>" : "<td>" + escape_html(cells[i]) + "</td>";
  }
  return row + "</tr>";
}

std::string table_html(const ReportTable& table) {
  std::string header, rows;
  for (const std::string& name : table.header) header += R"(<th scope="col">)" + escape_html(name) + "</th>";
  for (const std::vector<std::string>& cells : table.rows) rows += row_html(cells);
  return fmt::format(R"(<div class="card scroll"><h3>{}</h3><table class="scores"><thead><tr>{}</tr></thead>)"
                     R"(<tbody>{}</tbody></table></div>)",
                     escape_html(table.title), header, rows);
}

std::string results_html(const Report& report) {
  std::string body = scores_html(report) + speed_ups_html(report);
  for (const ReportTable& table : report.tables) body += table_html(table);
  return body.empty() ? ""
                      : R"(<section id="results"><h2>Results</h2><div class="stack">)" + body + "</div></section>\n";
}

// Layers

std::string layer_row(const ReportLayer& layer, std::size_t number, bool is_staged) {
  std::string row = fmt::format(R"(<tr><th scope="row">{}</th><td class="bar-cell">)", number);
  if (!is_staged)
    return row + bar_svg({{layer.keys, "fed"}}) + fmt::format("</td><td>{}</td></tr>", format_percent(layer.keys));
  return row + bar_svg({{layer.keys, "read"}, {layer.updated, "updated"}, {layer.feed_forward, "fed"}}) +
         fmt::format("</td><td>{}</td><td>{}</td><td>{}</td></tr>", format_percent(layer.keys),
                     format_percent(layer.updated), format_percent(layer.feed_forward));
}

std::string layer_key(const char* css_class, const char* text) {
  return fmt::format(R"(<li><svg class="key" width="14" height="14" aria-hidden="true">)"
                     R"(<rect class="{}" width="14" height="14" rx="3"/></svg>{}</li>)",
                     css_class, text);
}

std::string layers_html(const Report& report) {
  if (report.layers.empty()) return {};
  std::string rows;
  for (std::size_t i = 0; i < report.layers.size(); ++i) rows += layer_row(report.layers[i], i + 1, report.is_staged);
  const std::string legend = report.is_staged ? layer_key("read", "R, read as keys and values") +
                                                    layer_key("updated", "U, also updated") +
                                                    layer_key("fed", "F, also through the feed-forward")
                                              : layer_key("fed", "kept");
  const char* lead =
      report.is_staged
          ? "A token is let go in stages: first the feed-forward, then its own update, at last its key and value."
          : "A token that a layer skims is never computed again.";
  return fmt::format(
      R"(<section id="layers"><h2>What each layer computes</h2>)"
      R"(<p class="lead">{} Shares of all dev tokens; the empty part of a bar is work that a dense model does.</p>)"
      R"(<div class="card scroll"><ul class="legend">{}{}</ul><table class="layers"><thead><tr>)"
      R"(<th scope="col">Layer</th><th scope="col"><span class="visually-hidden">Bar</span></th>{}</tr></thead>)"
      R"(<tbody>{}</tbody></table></div></section>)"
      "\n",
      lead, legend, layer_key("track", "not computed"),
      report.is_staged ? R"(<th scope="col">R</th><th scope="col">U</th><th scope="col">F</th>)"
                       : R"(<th scope="col">Kept</th>)",
      rows);
}

// Training and facts

std::string charts_html(const Report& report) {
  if (report.charts.empty()) return {};
  std::string out =
      fmt::format(R"(<section id="training"><h2>{}</h2><div class="columns">)", escape_html(report.charts_title));
  for (const LineChart& chart : report.charts) out += line_chart_html(chart);
  return out + "</div></section>\n";
}

// Each argument in its own span, so that a line is not broken inside "--flag".
std::string command_html(const std::string& command) {
  std::string out;
  for (std::size_t begin = 0; begin <= command.size();) {
    const std::size_t end = std::min(command.find(' ', begin), command.size());
    out += fmt::format("{}<span>{}</span>", begin == 0 ? "" : " ",
                       escape_html(std::string_view(command).substr(begin, end - begin)));
    begin = end + 1;
  }
  return out;
}

std::string facts_html(const Report& report) {
  if (report.facts.empty() && report.command.empty()) return {};
  std::string out = R"(<section id="run"><h2>The run</h2>)";
  if (!report.command.empty()) out += "<pre><code>" + command_html(report.command) + "</code></pre>";
  if (!report.facts.empty()) {
    out += R"(<dl class="card facts">)";
    for (const auto& [name, value] : report.facts) {
      out += fmt::format("<div><dt>{}</dt><dd>{}</dd></div>", escape_html(name), escape_html(value));
    }
    out += "</dl>";
  }
  return out + "</section>\n";
}

struct Section {
  std::string id, name, html;
};

std::string navigation_html(const std::vector<Section>& sections) {
  if (sections.size() < 2) return {};
  std::string out = R"(<nav aria-label="Sections">)";
  for (const Section& section : sections) out += fmt::format(R"(<a href="#{}">{}</a>)", section.id, section.name);
  return out + "</nav>";
}

}  // namespace

std::string render_report(const Report& report) {
  std::vector<Section> sections = {
      {"results", "Results", results_html(report)},
      {"sentences", "Sentences", report.examples.empty() ? "" : examples_html(report, count_layers(report))},
      {"layers", "Layers", layers_html(report)},
      {"training", escape_html(report.charts_title), charts_html(report)},
      {"run", "The run", facts_html(report)},
  };
  std::erase_if(sections, [](const Section& section) { return section.html.empty(); });
  std::string body;
  for (const Section& section : sections) body += section.html;
  const std::string title = escape_html(report.title.empty() ? "Transkimmer report" : report.title);
  return fmt::format(R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{}</title>
<style>{}</style>
</head>
<body>
<main>
{}{}</main>
<script>{}</script>
</body>
</html>
)",
                     title, kReportStyle, header_html(report, navigation_html(sections)), body, kReportScript);
}

void write_report(const std::string& path, const Report& report) { write_file_atomically(path, render_report(report)); }

}  // namespace tk
