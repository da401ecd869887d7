#include "transkimmer/cli/run/sweep_results.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "data/metrics.h"
#include "tensor/error.h"
#include "tensor/io/json.h"
#include "transkimmer/cli/run/run_files.h"
#include "transkimmer/cli/run/speedups.h"

namespace tk {
namespace fs = std::filesystem;
namespace {

using nlohmann::json;

constexpr const char* kUncounted = "wnli";

// A number of a results file, NaN for null; throws for a key that is not there and for any other value.
double number_in(const json& results, const std::string& key, const fs::path& file) {
  TK_CHECK(results.is_object() && results.contains(key), file.string(), ": has no ", key);
  const json& value = results[key];
  TK_CHECK(value.is_number() || value.is_null(), file.string(), ": ", key, ": expected a number, got ", shown(value));
  return value.is_null() ? SweepRun::kNone : value.get<double>();
}

double number_if_there(const json& results, const std::string& key, const fs::path& file) {
  return results.contains(key) ? number_in(results, key, file) : SweepRun::kNone;
}

// The first dev set's metrics, in the task's order.
std::vector<Metric> metrics_in(const Task& task, const json& results, const fs::path& file,
                               const std::string& suffix = "") {
  std::vector<std::string> names = task.metrics;
  if (task.has_combined_score()) names.emplace_back("combined_score");
  std::vector<Metric> metrics;
  for (const std::string& name : names) metrics.push_back({name, number_in(results, "eval_" + name + suffix, file)});
  return metrics;
}

// JSON has no NaN.
json number(double value) { return std::isfinite(value) ? json(value) : json(); }

// Those of MNLI's second dev set, too.
json to_json(const std::vector<Metric>& metrics, const json& results, const fs::path& file,
             const std::string& suffix = "") {
  json object = json::object();
  for (const Metric& metric : metrics) {
    for (const char* split : {"", "_mm"}) {
      const std::string key = "eval_" + metric.name + split;
      if (results.contains(key + suffix)) object[key] = number(number_in(results, key + suffix, file));
    }
  }
  return object;
}

json to_json(const SweepRun& run) {
  return {{"task", run.task.name},
          {"seed", run.seed},
          {"speedup", run.speedup ? json(*run.speedup) : json()},
          {"score", number(run.score)},
          {"dense_score", number(run.dense_score)},
          {"metrics", run.metrics},
          {"test_score", number(run.test_score)},
          {"test_metrics", run.test_metrics},
          {"mac_share", number(run.mac_share)},
          {"held_out_mac_share", number(run.held_out_mac_share)},
          {"time_speedup_unpadded", number(run.time_unpadded)},
          {"time_speedup_padded", number(run.time_padded)},
          {"seconds", run.seconds},
          {"folder", run.folder}};
}

json to_json(const Spread& s) {
  return {{"mean", number(s.mean)}, {"least", number(s.least)}, {"most", number(s.most)}, {"runs", s.count}};
}

json to_json(const SweepRow& row) {
  return {{"speedup", row.speedup ? json(*row.speedup) : json()},
          {"score", to_json(row.score)},
          {"test_score", to_json(row.test_score)},
          {"change", to_json(row.change)},
          {"mac_share", to_json(row.mac_share)},
          {"budget_excess", to_json(row.budget_excess)},
          {"time_speedup_unpadded", to_json(row.time_unpadded)}};
}

json to_json(const SweepMean& mean) {
  return {{"speedup", mean.speedup ? json(*mean.speedup) : json()},
          {"tasks", mean.tasks},
          {"score", number(mean.score)},
          {"change", number(mean.change)},
          {"mac_share", number(mean.mac_share)},
          {"time_speedup_unpadded", number(mean.time_unpadded)}};
}

// Dense first, then 2x, 3x ...
bool comes_before(const std::optional<double>& a, const std::optional<double>& b) {
  return a.value_or(0) < b.value_or(0);
}

template <class Row>
std::vector<std::optional<double>> kinds_of(const std::vector<Row>& rows) {
  std::vector<std::optional<double>> kinds;
  for (const Row& row : rows) {
    if (std::ranges::find(kinds, row.speedup) == kinds.end()) kinds.push_back(row.speedup);
  }
  std::ranges::sort(kinds, comes_before);
  return kinds;
}

SweepRow row_of(const std::vector<SweepRun>& runs, const std::optional<double>& speedup) {
  std::vector<double> score, test_score, change, mac_share, excess, time;
  for (const SweepRun& run : runs) {
    if (run.speedup != speedup) continue;
    score.push_back(run.score);
    test_score.push_back(run.test_score);
    change.push_back(run.score - run.dense_score);
    mac_share.push_back(run.mac_share);
    excess.push_back(run.mac_share * speedup.value_or(1) - 1);
    time.push_back(run.time_unpadded);
  }
  return {.speedup = speedup,
          .score = spread_of(score),
          .test_score = spread_of(test_score),
          .change = spread_of(change),
          .mac_share = spread_of(mac_share),
          .budget_excess = spread_of(excess),
          .time_unpadded = spread_of(time)};
}

std::string cell(double value, const char* format) {
  return std::isfinite(value) ? fmt::format(fmt::runtime(format), value) : "-";
}

std::string range_text(const Spread& s) {
  return s.count > 1 ? fmt::format("{:.2f} to {:.2f}", 100 * s.least, 100 * s.most) : "";
}

std::string table_text(const SweepTable& table) {
  std::string text = fmt::format("\n{:<10}{:>8}  {:<16}{:>8}{:>8}{:>10}{:>11}{:>8}", table.task.shown_name(), "score",
                                 "range", "change", "MACs", "speed-up", "to budget", "time");
  text += table.has_test() ? fmt::format("{:>8}  range\n", "test") : "\n";
  for (const SweepRow& row : table.rows) {
    text += fmt::format(
        "{:<10}{:>8}  {:<16}{:>8}{:>8}{:>10}{:>11}{:>8}", row_name(row.speedup), cell(100 * row.score.mean, "{:.2f}"),
        range_text(row.score), row.speedup ? cell(100 * row.change.mean, "{:+.2f}") : "",
        cell(100 * row.mac_share.mean, "{:.1f}%"), cell(1 / row.mac_share.mean, "{:.2f}x"),
        row.speedup ? cell(100 * row.budget_excess.mean, "{:+.1f}%") : "", cell(row.time_unpadded.mean, "{:.2f}x"));
    if (table.has_test()) {
      text += fmt::format("{:>8}  {}", cell(100 * row.test_score.mean, "{:.2f}"), range_text(row.test_score));
    }
    text += '\n';
  }
  return text;
}

std::string means_text(const std::vector<SweepMean>& means) {
  std::string text = fmt::format("\n{:<10}{:>8}  {:<16}{:>8}{:>8}{:>10}{:>11}{:>8}\n", "mean", "score", "", "change",
                                 "MACs", "speed-up", "", "time");
  for (const SweepMean& mean : means) {
    text += fmt::format("{:<10}{:>8}  {:<16}{:>8}{:>8}{:>10}{:>11}{:>8}\n", row_name(mean.speedup),
                        cell(100 * mean.score, "{:.2f}"), fmt::format("of {} tasks", mean.tasks),
                        mean.speedup ? cell(100 * mean.change, "{:+.2f}") : "", cell(100 * mean.mac_share, "{:.1f}%"),
                        cell(1 / mean.mac_share, "{:.2f}x"), "", cell(mean.time_unpadded, "{:.2f}x"));
  }
  return text;
}

}  // namespace

SweepRun read_sweep_run(const SweepJob& job, std::optional<double> speedup, const Task& task, const SweepPaths& paths) {
  const fs::path file = paths.run / "all_results.json";
  const json results = read_json(file);
  const std::string suffix = job.speedups.size() > 1 ? speedup_suffix(*speedup) : "";
  SweepRun run{.task = task, .seed = job.seed, .speedup = speedup, .folder = paths.run.filename().string()};
  const std::vector<Metric> metrics = metrics_in(task, results, file, suffix);
  run.metrics = to_json(metrics, results, file, suffix);
  run.score = headline(task, metrics);
  run.mac_share = number_in(results, "eval_mac_share" + suffix, file);
  run.held_out_mac_share = number_if_there(results, "held_out_mac_share" + suffix, file);
  run.seconds = run_manifest(paths.run).value("seconds", json::object());
  if (!speedup) {
    run.time_unpadded = 1;
  } else if (fs::exists(paths.speed)) {
    const json times = read_json(paths.speed);
    run.time_unpadded = number_in(times, "eval_time_speedup_unpadded", paths.speed);
    run.time_padded = number_in(times, "eval_time_speedup_padded", paths.speed);
  }
  if (fs::exists(paths.test)) {
    const json tested = read_json(paths.test);
    const std::vector<Metric> test_metrics = metrics_in(task, tested, paths.test);
    run.test_metrics = to_json(test_metrics, tested, paths.test);
    run.test_score = headline(task, test_metrics);
  }
  return run;
}

void set_dense_scores(std::vector<SweepRun>& runs) {
  for (SweepRun& run : runs) {
    const auto dense = std::ranges::find_if(
        runs, [&](const SweepRun& r) { return !r.speedup && r.task.name == run.task.name && r.seed == run.seed; });
    if (dense != runs.end()) run.dense_score = dense->score;
  }
}

json sweep_json(const std::vector<SweepRun>& runs) {
  json object = {{"runs", json::array()}, {"tables", json::object()}, {"means", json::array()}};
  for (const SweepRun& run : runs) object["runs"].push_back(to_json(run));
  const std::vector<SweepTable> tables = sweep_tables(runs);
  for (const SweepTable& table : tables) {
    for (const SweepRow& row : table.rows) object["tables"][table.task.name].push_back(to_json(row));
  }
  for (const SweepMean& mean : sweep_means(tables)) object["means"].push_back(to_json(mean));
  return object;
}

Spread spread_of(const std::vector<double>& values) {
  Spread spread;
  double sum = 0;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    spread.least = std::fmin(spread.least, value);  // of NaN and a number the number
    spread.most = std::fmax(spread.most, value);
    sum += value;
    ++spread.count;
  }
  if (spread.count > 0) spread.mean = sum / static_cast<double>(spread.count);
  return spread;
}

bool SweepTable::has_test() const {
  return std::ranges::any_of(rows, [](const SweepRow& row) { return row.test_score.count > 0; });
}

std::vector<SweepTable> sweep_tables(const std::vector<SweepRun>& runs) {
  std::vector<std::vector<SweepRun>> tasks;
  for (const SweepRun& run : runs) {
    auto task = std::ranges::find_if(tasks, [&](const auto& own) { return own.front().task.name == run.task.name; });
    if (task == tasks.end()) task = tasks.insert(task, std::vector<SweepRun>());
    task->push_back(run);
  }
  std::vector<SweepTable> tables;
  for (const std::vector<SweepRun>& own : tasks) {
    SweepTable table{.task = own.front().task, .rows = {}};
    for (const std::optional<double>& speedup : kinds_of(own)) table.rows.push_back(row_of(own, speedup));
    tables.push_back(std::move(table));
  }
  return tables;
}

std::vector<SweepMean> sweep_means(const std::vector<SweepTable>& tables) {
  std::vector<SweepRow> rows;
  for (const SweepTable& table : tables) {
    if (table.task.name != kUncounted) rows.insert(rows.end(), table.rows.begin(), table.rows.end());
  }
  std::vector<SweepMean> means;
  for (const std::optional<double>& speedup : kinds_of(rows)) {
    std::vector<double> score, change, mac_share, time;
    for (const SweepRow& row : rows) {
      if (row.speedup != speedup) continue;
      score.push_back(row.score.mean);
      change.push_back(row.change.mean);
      mac_share.push_back(row.mac_share.mean);
      time.push_back(row.time_unpadded.mean);
    }
    means.push_back({.speedup = speedup,
                     .tasks = std::ssize(score),
                     .score = spread_of(score).mean,
                     .change = spread_of(change).mean,
                     .mac_share = spread_of(mac_share).mean,
                     .time_unpadded = spread_of(time).mean});
  }
  return means;
}

std::string row_name(const std::optional<double>& speedup) { return speedup ? speedup_text(*speedup) : "dense"; }

std::string sweep_text(const std::vector<SweepTable>& tables) {
  std::string text;
  for (const SweepTable& table : tables) text += table_text(table);
  if (tables.size() > 1) text += means_text(sweep_means(tables));
  return text;
}

}  // namespace tk
