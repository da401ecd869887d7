#include <nlohmann/json.hpp>

#include <algorithm>

#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/transkimmer/cli/program.h"

// The built program, run as a user runs it.
namespace tk {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;
using Arguments = std::vector<std::string>;

TEST_CASE("bench: one JSON object, dense, skimmed and in training") {
  const Workplace place;
  const auto bench = [&](const Arguments& more) {
    const Ran ran =
        run_program(Arguments{"bench"} + place.task() + Arguments{"--repeats", "2", "--batch_size", "4"} + more);
    REQUIRE(ran.code == 0);
    return json::parse(ran.out);
  };
  const json dense = bench({});
  for (const char* key : {"sentences_per_second", "tokens_per_second", "batch_size", "device", "threads", "dtype",
                          "mac_share", "spread"}) {
    CHECK(dense.contains(key));
  }
  CHECK(dense["mac_share"] == 1.0);
  CHECK(dense["sentences"] == 10);
  CHECK(dense["batch_size"] == 4);
  CHECK(dense["batch_tokens"] == 0);
  const json by_tokens = bench({"--batch_size", "0", "--batch_tokens", "20"});
  CHECK(by_tokens["batch_size"] == 0);
  CHECK(by_tokens["batch_tokens"] == 20);
  CHECK_FALSE(by_tokens.contains("batches"));
  const json skimmed = bench({"--skim", "--skim_keep", "1,0.5,0.25"});
  CHECK(skimmed["mac_share"] < 0.9);
  CHECK(bench({"--skim"})["mac_share"] > skimmed["mac_share"].get<double>());
  const json& floor = dense["floor"];
  CHECK(floor["macs"] > 0);
  CHECK(floor["bytes"] == 0);
  CHECK(floor["achieved"].get<double>() ==
        Approx(dense["sentences_per_second"].get<double>() / floor["sentences_per_second"].get<double>()).margin(1e-4));
  CHECK(skimmed["floor"]["macs"] < floor["macs"].get<double>());

  const json trained = bench({"--train"});
  CHECK(trained["mode"] == "train");
  CHECK(trained["order"] == "random");
  CHECK(trained["floor"]["bytes"] > 0);
  CHECK(trained["padded_tokens"] >= 2 * trained["tokens"].get<std::int64_t>());  // of both passes
  CHECK(bench({"--train", "--train_sampling_strategy", "sequential"})["order"] == "sequential");
  CHECK(bench({"--train", "--skim", "--skim_gate", "layer"})["sentences"] == 32);
  CHECK(bench({"--skim", "--skim_cls", "free"})["skim_cls"] == "free");
  CHECK(bench({"--skim"})["skim_cls"] == "kept");

  const json profile = bench({"--profile"})["profile"];
  const std::string product = cpu_isa() == CpuIsa::kBlas ? "linear" : "packed_linear";
  CHECK(std::ranges::any_of(profile, [&](const json& row) { return row["kernel"] == product; }));
  double share = 0;
  for (const json& row : profile) share += row["share"].get<double>();
  CHECK(share == Approx(1).margin(0.25));  // rounding, and what lies outside the model
  CHECK(run_program(Arguments{"bench"} + place.task() + Arguments{"--skim_keep", "1,1,1"}).code == 1);
  CHECK(run_program(Arguments{"bench"} + place.task() + Arguments{"--train", "--skim_keep", "1,1,1"}).code == 2);
  const Ran unused = run_program(Arguments{"bench"} + place.task() + words("--train --speedup 3"));
  CHECK(unused.code == 2);
  CHECK_THAT(unused.err, ContainsSubstring("--speedup: of inference, not with --train"));
  const Ran forced = run_program(Arguments{"bench"} + place.task() + words("--speedup 3 --skim_keep 1,1,1"));
  CHECK(forced.code == 2);
  CHECK_THAT(forced.err, ContainsSubstring("--speedup: --skim_keep forces rows in place of the gates"));
}

TEST_CASE("cuda bench: what was asked of the device, and how much of its memory was held at most") {
  if (!test::has_cuda()) return;
  const Workplace place;
  const auto bench = [&](const char* length) {
    const Ran ran = run_program(Arguments{"bench"} + place.task() +
                                Arguments{"--device", "cuda", "--train", "--repeats", "1", "--length", length});
    REQUIRE(ran.code == 0);
    CHECK_THAT(ran.err, ContainsSubstring("memory "));
    return json::parse(ran.out);
  };
  const json few = bench("4"), many = bench("40");
  CHECK(few["host_calls"]["replays"] > 0);
  CHECK(few["peak_device_bytes"] > 1 << 20);    // the model
  CHECK(few["peak_device_bytes"] < 100 << 20);  // not what measuring the rates took
  CHECK(many["peak_device_bytes"] > few["peak_device_bytes"].get<std::int64_t>());
}

}  // namespace
}  // namespace tk
