#include "transkimmer/cli/run/run_log.h"

#include "tensor/error.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_folder.h"

namespace tk {
namespace {

using nlohmann::json;

json evaluation(int step, const json& accuracy) {
  return {{"step", step},         {"epoch", step / 4.0},          {"eval_loss", 0.1 * step},
          {"eval_runtime", 1.25}, {"eval_accuracy", accuracy},    {"eval_samples_per_second_mm", 3.5},
          {"eval_samples", 8},    {"eval_steps_per_second", 0.5}, {"eval_accuracy_mm", 0.5}};
}

TEST_CASE("run log: metrics.csv has a row for each evaluation, without what is measured anew each time") {
  const TemporaryFolder folder;
  RunLog log(folder.path());
  log.add({{"step", 2}, {"epoch", 0.5}, {"loss", 0.7}});
  CHECK_FALSE(std::filesystem::exists(folder / "metrics.csv"));
  log.add(evaluation(2, 0.875));
  log.add({{"step", 4}, {"epoch", 1.0}, {"loss", 0.6}});
  log.add(evaluation(4, json()));  // not defined
  CHECK(read_bytes(folder / "metrics.csv") ==
        "epoch,steps,accuracy,accuracy_mm,loss,samples\n0.5,2,0.875,0.5,0.2,8\n1.0,4,,0.5,0.4,8\n");
  CHECK(log.history().size() == 4);
}

TEST_CASE("run log: the rows of a checkpoint make the same table again") {
  const TemporaryFolder one, two;
  json rows;
  {
    RunLog log(one.path());
    for (const int step : {2, 4, 6}) log.add(evaluation(step, step / 8.0));
    rows = log.history();
  }
  rows.erase(2);
  RunLog log(two.path());
  for (const json& row : rows) log.add(row);
  log.add(evaluation(6, 0.75));
  CHECK(read_bytes(two / "metrics.csv") == read_bytes(one / "metrics.csv"));
}

TEST_CASE("run log: a name that is taken is not written to") {
  const TemporaryFolder folder;
  write_bytes(folder / "metrics.csv", "mine");
  RunLog log(folder.path());
  CHECK_THROWS_WITH(log.add(evaluation(2, 0.5)), ContainsSubstring("metrics.csv: cannot create: File exists"));
  CHECK_THROWS_AS(RunLog(folder.path()), Error);
  CHECK(read_bytes(folder / "metrics.csv") == "mine");
}

}  // namespace
}  // namespace tk
