#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

#include "tests/support/catch.h"
#include "tests/transkimmer/cli/program.h"

// `transkimmer study` run as a user runs it.
namespace tk {
namespace {

using nlohmann::json;
using Arguments = std::vector<std::string>;

Ran study(const std::string& experiment, const std::string& estimators, const std::string& seeds,
          const std::string& output, const Arguments& more) {
  return run_program(Arguments{"study", experiment, "--estimators", estimators, "--seeds", seeds, "--output_dir",
                               output, "--progress", "off"} +
                     more);
}

// The means of a chart, by estimator and x.
std::map<std::pair<std::string, double>, double> means(const std::string& folder, const std::string& chart) {
  std::map<std::pair<std::string, double>, double> found;
  const json results = json_of(folder + "/study_results.json");
  for (const json& curve : results.at("curves")) {
    if (curve.at("chart") != chart) continue;
    for (const json& p : curve.at("points")) {
      found[{curve.at("estimator").get<std::string>(), p.at("x").get<double>()}] =
          p.at("mean").is_null() ? std::nan("") : p.at("mean").get<double>();
    }
  }
  return found;
}

const Arguments kShort = {"--samples", "4000", "--steps", "20", "--temperatures", "0.5,1"};

TEST_CASE("study bernoulli: values, means and a page, and more seeds and estimators are added to what is there") {
  const TemporaryFolder folder;
  const std::string out = (folder / "out").string();
  const Ran ran = study("bernoulli", "st,zgr", "2", out, kShort);
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  CHECK_THAT(ran.out, ContainsSubstring("Bias at z = 0"));
  CHECK(lines(read_bytes(out + "/study_values.csv")).front() == "study,chart,estimator,seed,x,value");
  CHECK_THAT(read_bytes(out + "/report.html"), ContainsSubstring("Gradient estimators: bernoulli"));
  // Straight-through at z = 0 has twice the exact gradient at temperature 1/2, zgr none of the bias.
  auto bias = means(out, "bias_z0");
  CHECK(bias.at({"st", 0.5}) == Approx(1).margin(0.5));
  CHECK(bias.at({"zgr", 1}) == Approx(0).margin(0.5));

  const std::string unit = out + "/units/st-1.json", before = read_bytes(unit);
  const auto written = std::filesystem::last_write_time(unit);
  REQUIRE(study("bernoulli", "st,zgr,gr:2", "3", out, kShort).code == 0);
  CHECK(read_bytes(unit) == before);
  CHECK(std::filesystem::last_write_time(unit) == written);
  CHECK(std::filesystem::exists(out + "/units/gr_2-3.json"));
  CHECK(means(out, "loss").contains({"gr:2", 20}));

  Arguments other = kShort;
  other[1] = "5000";
  const Ran refused = study("bernoulli", "st", "2", out, other);
  CHECK(refused.code == 1);
  CHECK_THAT(refused.err, ContainsSubstring("--samples"));
}

TEST_CASE("study polynomial: the expected cost falls from the middle to the least") {
  const TemporaryFolder folder;
  const std::string out = (folder / "out").string();
  const Ran ran = study("polynomial", "reinmax,rloo", "1", out,
                        {"--steps", "400", "--learning_rate", "0.05", "--powers", "2", "--latents", "8"});
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  auto loss = means(out, "loss_2");
  for (const char* name : {"reinmax", "rloo"}) {
    CHECK(loss.at({name, 0}) == Approx(0.2525).margin(0.001));
    CHECK(loss.at({name, 400}) < 0.215);  // the least is 0.45^2 = 0.2025
  }
}

TEST_CASE("study enumerate: enumeration has no bias and no deviation, and straight-through has both") {
  const TemporaryFolder folder;
  for (const char* gate : {"layer", "staged"}) {
    const std::string out = (folder / gate).string();
    const Ran ran = study("enumerate", "exact,st-gs", "1", out,
                          {"--samples", "64", "--steps", "10", "--nodes", "4", "--skim_gate", gate});
    INFO(ran.err);
    REQUIRE(ran.code == 0);
    auto bias = means(out, "bias"), deviation = means(out, "deviation"), cosine = means(out, "cosine");
    CHECK(bias.size() == (gate == std::string("layer") ? 8u : 6u));  // predictors of four layers, or of three
    CHECK(bias.at({"exact", 1}) < 1e-3);
    CHECK(deviation.at({"exact", 1}) < 1e-3);
    CHECK(cosine.at({"exact", 1}) == Approx(1));
    CHECK(deviation.at({"st-gs", 1}) > 0.05);
  }
}

TEST_CASE("study vae: the ELBO of generated shapes grows with every kind of latents, and goes on to the same values") {
  const TemporaryFolder folder;
  const Arguments small = {"--steps",         "60",    "--images",  "200", "--hidden",     "32",
                           "--learning_rate", "0.003", "--samples", "3",   "--batch_size", "50"};
  for (const char* latents : {"categorical", "binomial", "poisson"}) {
    const std::string out = (folder / latents).string();
    const Arguments flags = small + Arguments{"--latents", latents};
    const std::string names = latents == std::string("categorical") ? "reinmax,rloo:2" : "fini-3,rloo:2";
    const Ran ran = study("vae", names, "1", out, flags);
    INFO(ran.err);
    REQUIRE(ran.code == 0);
    auto elbo = means(out, "elbo"), deviation = means(out, "deviation");
    for (const std::string& name : {names.substr(0, names.find(',')), std::string("rloo:2")}) {
      INFO(latents << ' ' << name);
      CHECK(elbo.at({name, 0}) < -170);  // 256 pixels at a half: 177 nats
      CHECK(elbo.at({name, 60}) > elbo.at({name, 0}) + 50);
      CHECK(deviation.at({name, 60}) > 0.01);
    }
    const std::string values = read_bytes(out + "/study_values.csv");
    std::filesystem::remove(out + "/units/rloo_2-1.json");
    REQUIRE(study("vae", names, "1", out, flags).code == 0);
    CHECK(read_bytes(out + "/study_values.csv") == values);
  }
}

TEST_CASE("study listops: what a tree LSTM says of held-out expressions gets better, and score functions are refused") {
  const TemporaryFolder folder;
  const std::string out = (folder / "out").string();
  const Arguments small = {"--steps", "60", "--samples", "400", "--hidden", "24", "--learning_rate", "0.01"};
  const Ran ran = study("listops", "reinmax,st-gs", "1", out, small);
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  auto loss = means(out, "loss"), accuracy = means(out, "accuracy");
  for (const char* name : {"reinmax", "st-gs"}) {
    CHECK(loss.at({name, 60}) < loss.at({name, 0}) - 0.2);
    CHECK(accuracy.at({name, 60}) > accuracy.at({name, 0}) + 10);
  }
  const Ran refused = study("listops", "rloo", "1", (folder / "other").string(), small);
  CHECK(refused.code == 2);
  CHECK_THAT(refused.err, ContainsSubstring("rloo is not a pathwise one for classes"));
}

TEST_CASE("study vae: images of MNIST's format, and what is wrong with them") {
  const TemporaryFolder folder;
  std::string file("\0\0\x08\x03\0\0\0\x04\0\0\0\x02\0\0\0\x03", 16);
  for (int i = 0; i < 24; ++i) file += static_cast<char>(i * 10);
  write_bytes(folder / "train-images-idx3-ubyte", file);
  const Arguments flags = {"--data_dir", folder.path().string(), "--steps", "2", "--hidden", "4", "--batch_size", "4"};
  const Ran ran = study("vae", "st", "1", (folder / "out").string(), flags);
  INFO(ran.err);
  CHECK(ran.code == 0);

  write_bytes(folder / "train-images-idx3-ubyte", file + "more");
  const Ran longer = study("vae", "st", "1", (folder / "more").string(), flags);
  CHECK(longer.code == 1);
  CHECK_THAT(longer.err, ContainsSubstring("train-images-idx3-ubyte: expected 4 images of 2 x 3 pixels, got 28 bytes"));
  std::filesystem::remove(folder / "train-images-idx3-ubyte");
  const Ran none = study("vae", "st", "1", (folder / "none").string(), flags);
  CHECK(none.code == 1);
  CHECK_THAT(none.err, ContainsSubstring("--data_dir: neither"));
}

TEST_CASE("study vae: estimators that are not for the latents are said before anything is written") {
  const TemporaryFolder folder;
  const Ran ran = study("vae", "st,fini-3", "1", (folder / "out").string(), {"--latents", "categorical"});
  CHECK(ran.code == 2);
  CHECK_THAT(ran.err, ContainsSubstring("--estimators: fini-3 is not for categorical latents"));
  CHECK_FALSE(std::filesystem::exists(folder / "out"));
  CHECK_THAT(study("bernoulli", "fini-3", "1", (folder / "out").string(), {}).err,
             ContainsSubstring("fini-3 is not for gates"));
}

TEST_CASE("study: wrong names are said with the known ones, before anything is written") {
  const TemporaryFolder folder;
  const Ran ran = study("bernoulli", "st,gumble", "1", (folder / "out").string(), {});
  CHECK(ran.code == 2);
  CHECK_THAT(ran.err, ContainsSubstring("unknown estimator \"gumble\"; known: st-gs, gs, st"));
  CHECK_FALSE(std::filesystem::exists(folder / "out"));
}

}  // namespace
}  // namespace tk
