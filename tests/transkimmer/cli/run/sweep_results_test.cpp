#include "transkimmer/cli/run/sweep_results.h"

#include <cmath>

#include "data/glue_task.h"
#include "tensor/error.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"
#include "transkimmer/cli/report/sweep_report.h"

namespace tk {
namespace {

SweepRun run_of(const std::string& task, std::uint64_t seed, std::optional<double> speedup, double score, double share,
                double time) {
  return {.task = find_glue_task(task).task,
          .seed = seed,
          .speedup = speedup,
          .score = score,
          .mac_share = share,
          .time_unpadded = time};
}

// Two seeds of CoLA and RTE, and one of WNLI.
std::vector<SweepRun> runs() {
  std::vector<SweepRun> runs = {run_of("cola", 1, {}, 0.50, 1, 1),     run_of("cola", 2, {}, 0.54, 1, 1),
                                run_of("cola", 1, 4, 0.48, 0.26, 2.5), run_of("cola", 2, 4, 0.50, 0.24, 3.5),
                                run_of("cola", 1, 2, 0.51, 0.5, 1.5),  run_of("rte", 1, {}, 0.70, 1, 1),
                                run_of("rte", 1, 4, 0.69, 0.25, 2),    run_of("wnli", 1, {}, 0.56, 1, 1),
                                run_of("wnli", 1, 4, 0.10, 0.25, 2)};
  set_dense_scores(runs);
  return runs;
}

nlohmann::json manifest() {
  return {{"command", "transkimmer sweep"},
          {"started", "now"},
          {"seed", 1},
          {"processor", "one"},
          {"threads", 1},
          {"build", nlohmann::json::object()},
          {"seconds", nlohmann::json::object()},
          {"files", nlohmann::json::array()}};
}

TEST_CASE("sweep results: mean and range are those of the finite values") {
  const Spread spread = spread_of({3, SweepRun::kNone, 1});
  CHECK(spread.mean == 2);
  CHECK(spread.least == 1);
  CHECK(spread.most == 3);
  CHECK(spread.count == 2);
  CHECK(std::isnan(spread_of({}).mean));
  CHECK(std::isnan(spread_of({SweepRun::kNone}).least));
}

TEST_CASE("sweep results: a table a task, the dense model first, then the loosest budget") {
  const std::vector<SweepTable> tables = sweep_tables(runs());
  REQUIRE(tables.size() == 3);
  const SweepTable& cola = tables[0];
  REQUIRE(cola.rows.size() == 3);
  CHECK_FALSE(cola.rows[0].speedup);
  CHECK(cola.rows[1].speedup == 2.0);
  const SweepRow& four = cola.rows[2];
  CHECK(four.score.mean == Approx(0.49));
  CHECK(four.score.least == 0.48);
  CHECK(four.score.most == 0.50);
  CHECK(four.change.mean == Approx(-0.03));  // each against the dense model of its seed
  CHECK(four.mac_share.mean == Approx(0.25));
  CHECK(four.budget_excess.most == Approx(0.04));
  CHECK(four.time_unpadded.mean == Approx(3));
  CHECK(cola.rows[1].change.mean == Approx(0.01));  // the second seed has no such run
}

TEST_CASE("sweep results: the mean over tasks leaves out WNLI") {
  const std::vector<SweepMean> means = sweep_means(sweep_tables(runs()));
  REQUIRE(means.size() == 3);
  CHECK(means[0].tasks == 2);
  CHECK(means[0].score == Approx((0.52 + 0.70) / 2));
  CHECK(means[1].tasks == 1);
  CHECK(means[2].score == Approx((0.49 + 0.69) / 2));
  CHECK(means[2].change == Approx((-0.03 - 0.01) / 2));
  CHECK(means[2].time_unpadded == Approx(2.5));
}

TEST_CASE("sweep results: tables say what was not measured by a dash, and JSON by null") {
  std::vector<SweepRun> some = runs();
  for (SweepRun& run : some) {
    if (run.speedup) run.time_unpadded = SweepRun::kNone;
  }
  const std::string text = sweep_text(sweep_tables(some));
  CHECK_THAT(text,
             ContainsSubstring("\nCoLA         score  range             change    MACs  speed-up  to budget    time\n"
                               "dense        52.00  50.00 to 54.00            100.0%     1.00x              1.00x\n"
                               "2x           51.00                     +1.00   50.0%     2.00x      +0.0%       -\n"
                               "4x           49.00  48.00 to 50.00     -3.00   25.0%     4.00x      +0.0%       -\n"));
  CHECK_THAT(text, ContainsSubstring("\n4x           59.00  of 2 tasks         -2.00"));
  const nlohmann::json json = sweep_json(some);
  CHECK(json["runs"].size() == 9);
  CHECK(json["runs"][2]["dense_score"] == 0.5);
  CHECK(json["runs"][2]["time_speedup_unpadded"].is_null());
  CHECK(json["tables"]["cola"].size() == 3);
  CHECK(json["means"][2]["tasks"] == 2);
}

TEST_CASE("sweep results: scores on test rows have columns of their own, where there are any") {
  std::vector<SweepRun> tested = runs();
  tested.resize(4);
  tested[0].test_score = 0.4;
  tested[1].test_score = 0.5;
  const std::vector<SweepTable> tables = sweep_tables(tested);
  CHECK(tables[0].has_test());
  CHECK(tables[0].rows[0].test_score.mean == Approx(0.45));
  CHECK_THAT(sweep_text(tables),
             ContainsSubstring("to budget    time    test  range\n"
                               "dense        52.00  50.00 to 54.00            100.0%     1.00x              1.00x"
                               "   45.00  40.00 to 50.00\n"));
  CHECK_THAT(sweep_text(tables), ContainsSubstring("3.00x       -  \n"));
  const Report report = make_sweep_report(tables, manifest());
  CHECK(report.tables[0].header[3] == "On test rows");
  CHECK(report.tables[0].rows[0].size() == report.tables[0].header.size());
  CHECK_FALSE(sweep_tables(runs())[0].has_test());
}

TEST_CASE("sweep results: a run's files are read, and what is wrong with one is said with its name") {
  const TemporaryFolder place;
  SweepJob job{.task = "mrpc", .seed = 3, .speedups = {2}};
  const auto read = [&] {
    return read_sweep_run(job, 2, find_glue_task("mrpc").task,
                          {.run = place / "", .speed = place / "speed.json", .test = place / "test.json"});
  };
  write_bytes(place / "all_results.json", R"({"eval_accuracy": 0.75, "eval_f1": 0.85, "eval_combined_score": 0.8,
                                             "eval_mac_share": 0.49, "held_out_mac_share": 0.5})");
  write_bytes(place / "run.json", R"({"command": "transkimmer skim", "seconds": {"all": 12.5}})");
  const SweepRun run = read();
  CHECK((run.score == 0.75 || run.score == 0.85 || run.score == 0.8));
  CHECK(run.metrics["eval_f1"] == 0.85);
  CHECK(run.held_out_mac_share == 0.5);
  CHECK(run.seconds["all"] == 12.5);
  CHECK(std::isnan(run.time_unpadded));
  CHECK(std::isnan(run.test_score));
  job.speedups = {2, 4};
  CHECK_THROWS_WITH(read(), ContainsSubstring("all_results.json: has no eval_accuracy_2x"));
  job.speedups = {2};

  write_bytes(place / "test.json", R"({"eval_accuracy": 0.5, "eval_f1": 0.6, "eval_combined_score": 0.55})");
  CHECK(read().test_metrics["eval_f1"] == 0.6);
  CHECK(read().test_score <= 0.6);
  write_bytes(place / "speed.json", R"({"eval_time_speedup_unpadded": 1.5, "eval_time_speedup_padded": 3})");
  CHECK(read().time_unpadded == 1.5);
  write_bytes(place / "speed.json", R"({"eval_time_speedup_unpadded": "fast"})");
  CHECK_THROWS_WITH(read(), ContainsSubstring("speed.json: eval_time_speedup_unpadded: expected a number"));
  write_bytes(place / "all_results.json", R"({"eval_accuracy": 0.75})");
  CHECK_THROWS_WITH(read(), ContainsSubstring("all_results.json: has no eval_f1"));
  write_bytes(place / "all_results.json", "[1");
  CHECK_THROWS_AS(read(), Error);
}

TEST_CASE("sweep results: the page has a picture a task, with ranges, and the tables") {
  const Report report = make_sweep_report(sweep_tables(runs()), manifest());
  REQUIRE(report.charts.size() == 3);
  const LineChart& cola = report.charts[0];
  CHECK(cola.title == "CoLA");
  REQUIRE(cola.curves.size() == 3);  // arithmetic, time, the dense score
  CHECK(cola.curves[0].points.front().step == Approx(25));
  CHECK(cola.curves[0].points.front().value == Approx(49));
  CHECK(cola.curves[0].points.back().step == Approx(100));
  CHECK(cola.curves[0].ranges.front().low == Approx(48));
  CHECK(cola.curves[1].points.front().step == Approx(100.0 / 3));
  const std::string page = render_report(report);
  CHECK_THAT(page, ContainsSubstring("Mean over tasks, without WNLI"));
  CHECK_THAT(page, ContainsSubstring("class=\"range curve solid c0\""));
  CHECK_THAT(page, ContainsSubstring("<h2>Pictures</h2>"));
}

}  // namespace
}  // namespace tk
