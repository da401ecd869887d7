#include <cstdlib>
#include <nlohmann/json.hpp>

#include "data/glue_task.h"
#include "tests/support/catch.h"
#include "tests/transkimmer/cli/program.h"

// All of GLUE's real tasks by a tiny model, from the published files to predictions.
namespace tk {
namespace {

namespace fs = std::filesystem;
using Arguments = std::vector<std::string>;

TEST_CASE("all tasks: dense and skimmed models of the nine, their scores, and predictions for what the server asks",
          "[slow]") {
  const char* const glue = std::getenv("TK_GLUE_DIR");
  if (glue == nullptr) {
    WARN("TK_GLUE_DIR is not set: skipped");
    return;
  }
  const Workplace place;
  const Ran sweep = run_program({"sweep",
                                 "--tasks",
                                 "all",
                                 "--data_dir",
                                 glue,
                                 "--model_name_or_path",
                                 place / "model",
                                 "--output_dir",
                                 place / "out",
                                 "--speedups",
                                 "2",
                                 "--dense_steps",
                                 "4",
                                 "--max_steps",
                                 "4",
                                 "--max_train_samples",
                                 "64",
                                 "--max_eval_samples",
                                 "32",
                                 "--distill_samples",
                                 "40",
                                 "--per_device_train_batch_size",
                                 "8",
                                 "--min_tokens",
                                 "0",
                                 "--speed_samples",
                                 "4"});
  INFO(sweep.err);
  REQUIRE(sweep.code == 0);
  const nlohmann::json results = json_of(place / "out/sweep_results.json");
  CHECK(results["runs"].size() == 18);
  CHECK(results["tables"].size() == 9);
  for (const nlohmann::json& run : results["runs"]) {
    CAPTURE(run["folder"].get<std::string>());
    CHECK(run["mac_share"] <= 1);
    CHECK(run["metrics"].size() == (run["task"] == "mnli"                            ? 2
                                    : run["metrics"].contains("eval_combined_score") ? 3
                                                                                     : 1));
  }
  for (const GlueTask& task : glue_tasks()) {
    CAPTURE(task.task.name);
    const std::string model = task.task.name == "ax" ? "mnli" : task.task.name;
    const Ran predicted =
        run_program({"predict", "--task_name", task.task.name, "--data_dir", glue, "--model_name_or_path",
                     place / ("out/" + model + "-2x-42"), "--output_dir", place / "p", "--max_predict_samples", "20",
                     "--split", has_file(task, Part::kTest, glue) ? "test" : "dev"});
    INFO(predicted.err);
    REQUIRE(predicted.code == 0);
    CHECK(lines(read_bytes(place / ("p/predict_results_" + task.task.name + ".txt"))).size() == 21);
  }
  CHECK(lines(read_bytes(place / "p/predict_results_mnli-mm.txt")).size() == 21);
}

}  // namespace
}  // namespace tk
