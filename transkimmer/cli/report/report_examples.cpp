#include "transkimmer/cli/report/report_examples.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "transkimmer/cli/report/html.h"

namespace tk {
namespace {

constexpr std::size_t kOpenExamples = 12;   // the rest is folded away
constexpr std::size_t kWordsPerLayer = 16;  // listed in the table

std::int64_t layers_read(const ReportWord& word, std::int64_t layer_count) {
  return std::clamp<std::int64_t>(word.layers_read, 0, layer_count);
}

std::int64_t layers_updated(const ReportWord& word, std::int64_t layer_count) {
  const std::int64_t read = layers_read(word, layer_count);
  return word.layers_updated < 0 ? read : std::min(word.layers_updated, read);
}

std::string fate(std::int64_t read, std::int64_t updated, std::int64_t layer_count) {
  const std::string dropped = read == layer_count ? "read by every layer"
                              : read == 0         ? "dropped before the first layer"
                                                  : fmt::format("dropped after layer {}", read);
  if (updated == read) return dropped;
  return dropped + (updated == 0 ? ", never updated" : fmt::format(", last updated by layer {}", updated));
}

// A word fades with the layers that stopped working on it; the last one that did stands small beside it, so that
// nothing hangs on colour alone. With the published gate reading and updating end together.
std::string word_html(const ReportWord& word, std::int64_t layer_count) {
  const std::int64_t read = layers_read(word, layer_count);
  const std::int64_t updated = layers_updated(word, layer_count);
  const double depth = static_cast<double>(read) / static_cast<double>(layer_count);
  const double updated_depth = static_cast<double>(updated) / static_cast<double>(layer_count);
  const std::string mark = updated == layer_count ? "" : fmt::format("<sub>{}</sub>", updated);
  return fmt::format(
      R"(<span class="word{}" data-read="{}" data-updated="{}" style="--r:{};--u:{}" title="{}"{}>{}{}</span> )",
      word.is_special ? " special" : "", read, updated, fixed(depth, 3), fixed(updated_depth, 3),
      fate(read, updated, layer_count), word.is_special ? R"( dir="ltr")" : "", escape_html(word.text), mark);
}

std::string label_html(const std::string& name, const std::string& label, const std::string& css_class,
                       const char* mark) {
  if (label.empty()) return {};
  return fmt::format(R"(<span class="label {}">{} <b>{}</b>{}</span>)", css_class, name, escape_html(label), mark);
}

std::string prediction_html(const Report& report, const std::string& name, const std::string& prediction,
                            const std::string& gold) {
  if (report.is_regression || gold.empty()) return label_html(name, prediction, "", "");
  if (prediction == gold)
    return label_html(name, prediction, "right", R"( <span role="img" aria-label="right">✓</span>)");
  return label_html(name, prediction, "wrong", R"( <span role="img" aria-label="wrong">✗</span>)");
}

std::string cost_html(double share) {
  if (!(share >= 0)) return {};
  return fmt::format(R"(<span class="cost">{} of the dense computation{}</span>)", format_percent(share),
                     bar_svg({{share, "fed"}}));
}

std::string example_html(const Report& report, const ReportExample& example, std::int64_t layer_count) {
  std::string words;
  for (const ReportWord& word : example.words) words += word_html(word, layer_count);
  if (words.empty()) words = R"(<span class="empty">an empty sentence</span>)";
  return fmt::format(R"(<li class="example card"><p class="words" dir="auto">{}</p>)"
                     R"(<p class="labels">{}{}{}{}</p></li>)"
                     "\n",
                     words, label_html("gold", example.gold, "", ""),
                     prediction_html(report, "skimmed", example.prediction, example.gold),
                     prediction_html(report, "dense", example.dense_prediction, example.gold),
                     cost_html(example.cost_share));
}

std::string list_html(const Report& report, std::int64_t layer_count) {
  const std::size_t n = report.examples.size();
  const auto items = [&](std::size_t begin, std::size_t end) {
    std::string out = R"(<ol class="examples">)";
    for (std::size_t i = begin; i < end; ++i) out += example_html(report, report.examples[i], layer_count);
    return out + "</ol>";
  };
  if (n <= kOpenExamples) return items(0, n);
  return items(0, kOpenExamples) +
         fmt::format("<details><summary>{} more</summary>{}</details>", n - kOpenExamples, items(kOpenExamples, n));
}

using WordCounts = std::map<std::string, std::int64_t>;

// Most frequent first, then alphabetically.
std::vector<std::pair<std::string, std::int64_t>> by_count(const WordCounts& counts) {
  std::vector<std::pair<std::string, std::int64_t>> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  return sorted;
}

std::string fate_row(const std::string& name, const WordCounts& counts) {
  const auto sorted = by_count(counts);
  std::int64_t total = 0;
  for (const auto& [word, count] : sorted) total += count;
  std::string words;
  for (std::size_t i = 0; i < std::min(sorted.size(), kWordsPerLayer); ++i) {
    words += fmt::format("<bdi>{}</bdi>{} ", escape_html(sorted[i].first),
                         sorted[i].second > 1 ? fmt::format("<small>×{}</small>", sorted[i].second) : "");
  }
  if (sorted.size() > kWordsPerLayer)
    words += fmt::format("<small>and {} more</small>", sorted.size() - kWordsPerLayer);
  return fmt::format(R"(<tr><th scope="row">{}</th><td>{}</td><td class="list">{}</td></tr>)", name, total,
                     words.empty() ? "–" : words);
}

std::string fates_html(const Report& report, std::int64_t layer_count) {
  std::vector<WordCounts> fates(static_cast<std::size_t>(layer_count) + 1);
  for (const ReportExample& example : report.examples) {
    for (const ReportWord& word : example.words) ++fates[layers_updated(word, layer_count)][word.text];
  }
  std::string rows;
  if (!fates.front().empty()) rows += fate_row("none", fates.front());
  for (std::int64_t i = 1; i < layer_count; ++i) rows += fate_row(fmt::format("layer {}", i), fates[i]);
  rows += fate_row("every layer", fates.back());
  return R"(<div class="scroll card"><table class="fates">)"
         R"(<caption>Words of these sentences, by the last layer that worked on them</caption>)"
         R"(<thead><tr><th scope="col">Last layer</th><th scope="col">Words</th><th scope="col">Which</th></tr>)"
         R"(</thead><tbody>)" +
         rows + "</tbody></table></div>\n";
}

std::string stepper_html(std::int64_t layer_count) {
  return fmt::format(
      R"(<div class="stepper card" hidden><button type="button" class="play" aria-pressed="false">Play</button>)"
      R"(<label><span class="visually-hidden">What one layer reads; 0 shows all layers at once</span>)"
      R"(<input type="range" min="0" max="{}" value="0" step="1"></label><output>All layers at once</output></div>)",
      layer_count);
}

std::string legend_html(const Report& report, std::int64_t layer_count) {
  const auto sample = [&](const char* text, std::int64_t read, std::int64_t updated) {
    return word_html({text, read, updated, false}, layer_count);
  };
  const std::int64_t early = (layer_count - 1) / 3 + (layer_count > 1), late = layer_count - 1;
  std::string out = R"(<ul class="legend words" aria-hidden="true">)";
  out += "<li>" + sample("kept", layer_count, -1) + "worked on by every layer</li>";
  if (layer_count > 1) out += "<li>" + sample("dropped", early, -1) + fmt::format("dropped after layer {}</li>", early);
  if (report.is_staged && late > early) {
    out += "<li>" + sample("frozen", late, early) +
           fmt::format("not updated after layer {}, still read to layer {}</li>", early, late);
  }
  return out + "</ul>";
}

}  // namespace

std::string examples_html(const Report& report, std::int64_t layer_count) {
  return fmt::format(
             R"(<section id="sentences" data-layers="{}"><h2>What it skims</h2>)"
             R"(<p class="lead">Dev sentences, each word shaded by how deep layers work on it; a small number names the )"
             R"(last one that did. The line under a word grows with the layers that update it, and fainter with those )"
             R"(that still read it.</p>)",
             layer_count) +
         legend_html(report, layer_count) + stepper_html(layer_count) + list_html(report, layer_count) +
         fates_html(report, layer_count) + "</section>\n";
}

}  // namespace tk
