#include "transkimmer/cli/run/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "transkimmer/cli/run/log.h"
#include "transkimmer/cli/run/manifest.h"

namespace tk {
namespace {

using nlohmann::json;

// JSON has no NaN.
json number(double value) { return std::isfinite(value) ? json(value) : json(); }

// "0:01:02.35", as Hugging Face shows run times.
std::string runtime_text(double seconds) {
  const auto hundredths = static_cast<std::int64_t>(std::llround(seconds * 100));
  return fmt::format("{}:{:02}:{:02}.{:02}", hundredths / 360000, hundredths / 6000 % 60, hundredths / 100 % 60,
                     hundredths % 100);
}

std::string value_text(const std::string& key, const json& value) {
  if (key.ends_with("_runtime")) return runtime_text(value.get<double>());
  if (key == "total_flos") return fmt::format("{}GF", std::llround(value.get<double>()) >> 30);
  if (key.ends_with("_macs")) return fmt::format("{:.4g}", value.get<double>());
  if (value.is_number_float()) return fmt::format("{:.4f}", value.get<double>());
  return value.is_null() ? "nan" : value.dump();
}

}  // namespace

void warn_of_undefined(const std::vector<SplitScore>& scores) {
  for (const SplitScore& score : scores) {
    for (const Metric& metric : score.metrics) {
      if (std::isfinite(metric.value)) continue;
      warn("{}{}: not defined for these {} examples: too few, or all predictions or labels are equal", metric.name,
           score.suffix, score.examples);
    }
  }
}

json eval_results(const std::vector<SplitScore>& scores) {
  json results = json::object();
  for (const SplitScore& s : scores) {
    const auto set = [&](const std::string& key, const json& value) { results["eval_" + key + s.suffix] = value; };
    const Evaluation& e = s.evaluation;
    for (const Metric& metric : s.metrics) set(metric.name, number(metric.value));
    set("loss", number(e.loss));
    set("runtime", rounded(s.seconds, 4));
    set("samples", s.examples);
    set("samples_per_second", rounded(static_cast<double>(s.examples) / s.seconds, 3));
    set("steps_per_second", rounded(static_cast<double>(e.batches) / s.seconds, 3));
    set("mac_share", number(e.mac_share()));
    set("mac_speedup_unpadded", number(e.dense_macs / e.counted_macs));
    set("mac_speedup_padded", number(e.padded_macs / e.counted_macs));
    set("executed_mac_share", number(e.executed_macs / e.dense_macs));
    set("executed_macs", number(e.executed_macs));
  }
  return results;
}

std::string metrics_text(const std::string& title, const json& results) {
  std::size_t key_width = 0;
  std::size_t value_width = 0;
  for (const auto& [key, value] : results.items()) {
    key_width = std::max(key_width, key.size());
    value_width = std::max(value_width, value_text(key, value).size());
  }
  std::string text = "***** " + title + " *****\n";
  for (const auto& [key, value] : results.items()) {
    text += fmt::format("  {:<{}} = {:>{}}\n", key, key_width, value_text(key, value), value_width);
  }
  return text;
}

std::string layers_text(const Evaluation& evaluation, bool staged) {
  std::string text = staged ? "layer   read  updated  fed forward\n" : "layer   kept\n";
  for (std::size_t i = 0; i < evaluation.layers.size(); ++i) {
    const LayerShares& layer = evaluation.layers[i];
    text += fmt::format("{:>5}  {:>4.1f}%", i, 100 * layer.keys);
    if (staged) text += fmt::format("   {:>5.1f}%       {:>5.1f}%", 100 * layer.updated, 100 * layer.fed);
    text += '\n';
  }
  return text;
}

json layers_json(const Evaluation& evaluation) {
  json layers = json::array();
  for (const LayerShares& layer : evaluation.layers) {
    layers.push_back({{"keys", layer.keys}, {"updated", layer.updated}, {"fed", layer.fed}});
  }
  return layers;
}

}  // namespace tk
