#include <signal.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "tensor/io/safetensors.h"
#include "tests/support/catch.h"
#include "tests/support/tensors.h"
#include "tests/transkimmer/cli/program.h"

// Averaged and frozen weights, and what begins anew from a checkpoint, by the built program.
namespace tk {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;
using Arguments = std::vector<std::string>;

std::map<std::string, Tensor> tensors_of(const fs::path& file) {
  const SafetensorsFile opened = SafetensorsFile::open(file);
  std::map<std::string, Tensor> tensors;
  for (const SafetensorsEntry& entry : opened.entries()) tensors[entry.name] = opened.tensor(entry);
  return tensors;
}

std::vector<json> rows_of(const fs::path& run, const std::string& key) {
  std::vector<json> rows;
  for (const std::string& line : lines(read_bytes(run / "metrics.jsonl"))) {
    const json row = json::parse(line);
    if (row.contains(key)) rows.push_back(row);
  }
  return rows;
}

// Four hundred small steps, skimmed, with a checkpoint and scores every hundred.
Arguments command(const Workplace& place, const std::string& output, const Arguments& more) {
  return Arguments{"train"} + place.task() + Arguments{"--output_dir", place / output} +
         words(
             "--skim --max_steps 400 --save_steps 100 --save_total_limit 0 --logging_steps 10 --eval_strategy steps "
             "--eval_steps 100 --report=false --per_device_train_batch_size 4 --learning_rate 1e-3 --progress off") +
         more;
}

void check_same_files(const fs::path& a, const fs::path& b) {
  for (const char* file : {"model.safetensors", "config.json", "metrics.csv", "checkpoint-300/model.safetensors",
                           "checkpoint-300/optimizer.safetensors"}) {
    INFO(file);
    CHECK(read_bytes(a / file) == read_bytes(b / file));
  }
}

TEST_CASE("train: --ema_decay scores and saves the average of weights that are trained as without it") {
  const Workplace place;
  const Arguments averaged = {"--ema_decay", "0.99"};
  const Ran whole = run_program(command(place, "whole", averaged));
  INFO(whole.err);
  REQUIRE(whole.code == 0);
  REQUIRE(run_program(command(place, "plain", {})).code == 0);
  const std::vector<json> losses = rows_of(place / "whole", "loss"), plain = rows_of(place / "plain", "loss");
  REQUIRE(losses.size() == 40);
  REQUIRE(plain.size() == 40);
  for (std::size_t i = 0; i < losses.size(); ++i) CHECK(losses[i]["loss"] == plain[i]["loss"]);

  // The checkpoint's model is the average, and beside it lie the weights that were trained.
  const auto mean = tensors_of(place / "whole/checkpoint-300/model.safetensors");
  const auto trained = tensors_of(place / "plain/checkpoint-300/model.safetensors");
  const auto state = tensors_of(place / "whole/checkpoint-300/optimizer.safetensors");
  for (const auto& [name, tensor] : trained) {
    INFO(name);
    CHECK(test::same_bits(state.at(name + ".trained"), tensor));
  }
  CHECK_FALSE(std::ranges::all_of(
      trained, [&](const auto& named) { return test::same_bits(mean.at(named.first), named.second); }));
  const Ran scored = run_program(Arguments{"eval"} + place.task("sst2", "whole/checkpoint-300") +
                                 Arguments{"--json", "--speed_samples", "0", "--exact_transforms=true"});
  REQUIRE(scored.code == 0);
  CHECK(json::parse(scored.out)["eval_loss"] == rows_of(place / "whole", "eval_loss")[2]["eval_loss"]);

  CHECK(run_until(command(place, "out", averaged), "step    150", SIGTERM).code == 128 + SIGTERM);
  const Ran again = run_program(command(place, "out", averaged));
  INFO(again.err);
  REQUIRE(again.code == 0);
  check_same_files(place / "out", place / "whole");
}

TEST_CASE("skim: --ema_decay averages the skimmed model, and leaves the dense one as it is") {
  const Workplace place;
  const auto skim = [&](const std::string& output, const Arguments& more) {
    return run_program(Arguments{"skim"} + place.task() + Arguments{"--output_dir", place / output} +
                       words("--dense_steps 4 --max_steps 6 --min_tokens 0 --distill_samples 20 "
                             "--per_device_train_batch_size 8 --report=false") +
                       more);
  };
  const Ran averaged = skim("averaged", {"--ema_decay", "0.9"});
  INFO(averaged.err);
  REQUIRE(averaged.code == 0);
  REQUIRE(skim("plain", {}).code == 0);
  const auto weights = [&](const std::string& model) { return read_bytes(place / (model + "/model.safetensors")); };
  CHECK(weights("averaged/dense") == weights("plain/dense"));
  CHECK(weights("averaged") != weights("plain"));
}

TEST_CASE("train: --freeze leaves parameters as they were, and a stopped run goes on to the same bits") {
  const Workplace place;
  const Arguments frozen = {"--freeze", "embeddings,encoder.layer.0", "--weight_decay", "0.1"};
  const Ran whole = run_program(command(place, "whole", frozen));
  INFO(whole.err);
  REQUIRE(whole.code == 0);
  const auto before = tensors_of(place / "model/model.safetensors");
  const auto after = tensors_of(place / "whole/model.safetensors");
  int stayed = 0;
  for (const auto& [name, tensor] : before) {
    INFO(name);
    const bool is_frozen =
        name.find("embeddings.") != std::string::npos || name.find("encoder.layer.0.") != std::string::npos;
    if (after.contains(name)) CHECK(test::same_bits(after.at(name), tensor) == is_frozen);
    stayed += is_frozen ? 1 : 0;
  }
  CHECK(stayed > 10);
  for (const auto& [name, tensor] : tensors_of(place / "whole/checkpoint-300/optimizer.safetensors")) {
    CHECK(name.find("embeddings.") == std::string::npos);
  }
  CHECK(run_until(command(place, "out", frozen), "step    150", SIGTERM).code == 128 + SIGTERM);
  REQUIRE(run_program(command(place, "out", frozen)).code == 0);
  check_same_files(place / "out", place / "whole");

  const Ran none = run_program(command(place, "none", {"--freeze", "encoder.layer.9"}));
  CHECK(none.code == 1);
  CHECK_THAT(none.err, ContainsSubstring("freeze: no parameter has encoder.layer.9 in its name"));
  CHECK_FALSE(fs::exists(place / "none"));
}

TEST_CASE("train: --reset goes on from a checkpoint's weights with other flags, and after a stop to the same bits") {
  const Workplace place;
  REQUIRE(run_program(command(place, "first", {"--max_steps", "200"})).code == 0);
  const fs::path start = place / "first/checkpoint-100";
  const Arguments anew = {"--resume_from_checkpoint", start, "--reset",  "all",       "--learning_rate", "2e-3",
                          "--warmup_steps",           "20",  "--freeze", "embeddings"};
  const Ran whole = run_program(command(place, "whole", anew));
  INFO(whole.err);
  REQUIRE(whole.code == 0);
  CHECK_THAT(whole.err, ContainsSubstring("going on after step 100 of 400"));
  const std::vector<json> rows = rows_of(place / "whole", "loss");
  REQUIRE(rows.size() == 30);
  CHECK(rows.front()["step"] == 110);
  CHECK(rows[0]["learning_rate"].get<double>() == Approx(2e-3 * 9 / 20));  // of the tenth step
  CHECK(rows[2]["learning_rate"].get<double>() == Approx(2e-3 * (300.0 - 29) / 280));
  CHECK(rows[0]["budget"].get<double>() > 0.9);
  const json state = json_of(place / "whole/trainer_state.json");
  CHECK(state["starts"] == json({{"data", 100}, {"metrics", 100}, {"optimizer", 100}, {"schedule", 100}}));
  CHECK(json_of(place / "whole/train_results.json")["train_loss"].get<double>() ==
        Approx(state["loss_sum"].get<double>() / 300));

  CHECK(run_until(command(place, "out", anew), "step    250", SIGTERM).code == 128 + SIGTERM);
  const Ran again = run_program(command(place, "out", anew));
  INFO(again.err);
  REQUIRE(again.code == 0);
  CHECK(again.err.find("going on after step 100 ") == std::string::npos);  // its own checkpoint is newer
  check_same_files(place / "out", place / "whole");

  // Without a reset the other parameters do not fit.
  const Ran kept = run_program(command(place, "kept", {"--resume_from_checkpoint", start, "--freeze", "embeddings"}));
  CHECK(kept.code == 1);
  CHECK_THAT(kept.err, ContainsSubstring("the tensors given do not fit"));
  const Ran lone = run_program(command(place, "lone", {"--reset", "data"}));
  CHECK(lone.code == 2);
  CHECK_THAT(lone.err, ContainsSubstring("--reset: only together with --resume_from_checkpoint"));
  CHECK(run_program(command(place, "lone", {"--resume_from_checkpoint", start, "--reset", "data,scheduler"})).err ==
        "--reset: expected optimizer, schedule, data and metrics, or some of them with commas between, or all, got "
        "\"data,scheduler\"\n");
}

}  // namespace
}  // namespace tk
