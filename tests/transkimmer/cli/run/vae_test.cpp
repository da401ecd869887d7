#include "transkimmer/cli/run/vae.h"

#include <cmath>

#include "autograd/ops/reduce.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/reduce.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/tensors.h"
#include "transkimmer/cli/run/study_vae.h"

namespace tk {
namespace {

using namespace test;

// y = W x + b, through a ReLU if asked for, by loops.
std::vector<double> layer(const ParameterList& parameters, const std::string& name, const std::vector<double>& x,
                          bool relu) {
  const auto values = [&](const std::string& of) {
    for (const NamedParameter& named : parameters) {
      if (named.names.front() == of) return named.parameter->value().to_vector<float>();
    }
    throw Error("no " + of);
  };
  const std::vector<float> w = values(name + ".weight");
  std::vector<double> y;
  for (const float bias : values(name + ".bias")) {
    double sum = double{bias};
    for (std::size_t i = 0; i < x.size(); ++i) sum += double{w[y.size() * x.size() + i]} * x[i];
    y.push_back(relu ? std::max(0.0, sum) : sum);
  }
  return y;
}

TEST_CASE("vae: the expected ELBO is that of a sum over all classes, by enumeration and by many draws") {
  manual_seed(3);
  Vae vae({.latents = {LatentKind::kCategorical, 1, 3}, .pixels = 2, .hidden = {4}}, Device::kCpu);
  const std::vector<double> pixels = {0.25, 0.75};
  const ParameterList parameters = vae.parameters();
  const std::vector<double> logits =
      layer(parameters, "encoder.1", layer(parameters, "encoder.0", pixels, true), false);
  double total = 0, expected = std::log(3.0) * -1;
  for (const double logit : logits) total += std::exp(logit);
  for (std::size_t k = 0; k < 3; ++k) {
    const double q = std::exp(logits[k]) / total;
    std::vector<double> one_hot(3, 0.0);
    one_hot[k] = 1;
    const std::vector<double> decoded =
        layer(parameters, "decoder.1", layer(parameters, "decoder.0", one_hot, true), false);
    double log_p = 0;
    for (std::size_t i = 0; i < 2; ++i) {
      const double p = 1 / (1 + std::exp(-decoded[i]));
      log_p += pixels[i] * std::log(p) + (1 - pixels[i]) * std::log(1 - p);
    }
    expected += q * (log_p - std::log(q));
  }
  constexpr std::int64_t kRows = 20000;
  const Tensor x = from_values<float>({0.25, 0.75}, {1, 2});
  const Tensor state = make_step_state({.seed = 5});
  const Surrogate exact = vae.latents().surrogate(choose_estimator("exact"));
  CHECK(-vae.loss(exact, x, draws_of_rows(state, 1)).item() == Approx(expected).epsilon(1e-5));
  const Tensor drawn = vae.elbo(x.expand({kRows, 2}).contiguous(), draws_of_rows(state, kRows));
  CHECK(std::fabs(mean(drawn).item() - expected) < 5 * std::sqrt(var(drawn).item() / kRows));
}

TEST_CASE("vae: every parameter gets a gradient, of counts the prior too") {
  for (const LatentKind kind : {LatentKind::kCategorical, LatentKind::kBinomial, LatentKind::kPoisson}) {
    manual_seed(4);
    Vae vae({.latents = {kind, 3, 8}, .pixels = 5, .hidden = {6, 4}}, Device::kCpu);
    const Tensor x = full({20, 5}, 0.3);
    mean(vae.loss(vae.latents().surrogate(choose_estimator("reinforce")), x, draws_of_rows(make_step_state({}), 20)))
        .backward();
    const ParameterList parameters = vae.parameters();
    CHECK(parameters.size() == (kind == LatentKind::kCategorical ? 12u : 13u));
    for (const NamedParameter& named : parameters) {
      INFO(choice_name(kind) << ' ' << named.names.front());
      CHECK(sum(abs(named.parameter->variable().grad())).item() > 0);
    }
  }
}

TEST_CASE("cuda vae: loss and gradients are the CPU's") {
  if (!has_cuda()) return;
  for (const LatentKind kind : {LatentKind::kCategorical, LatentKind::kBinomial, LatentKind::kPoisson}) {
    for (const char* estimator : {"st-gs", "reinmax", "rloo", "fini-3"}) {
      const Latents latents{kind, 3, 8};
      if (!latents.problem(choose_estimator(estimator)).empty()) continue;
      const auto run = [&](Device device) {
        manual_seed(4);
        Vae vae({.latents = latents, .pixels = 5, .hidden = {6, 4}}, device);
        const Tensor x = random_normal({20, 5}, 2).to(device);
        const Draws draws = draws_of_rows(make_step_state({.seed = 1}, device), 20);
        mean(vae.loss(latents.surrogate(choose_estimator(estimator)), x, draws)).backward();
        return vae.parameters().front().parameter->variable().grad().to(Device::kCpu);
      };
      INFO(choice_name(kind) << ' ' << estimator);
      CHECK(difference(run(Device::kCuda), run(Device::kCpu), {1e-4, 1e-4}) == "");
    }
  }
}

TEST_CASE("cuda study vae: recorded steps train as the CPU does") {
  if (!has_cuda()) return;
  for (const LatentKind kind : {LatentKind::kCategorical, LatentKind::kBinomial, LatentKind::kPoisson}) {
    for (const char* estimator : {"st-gs", "gr:3", "reinmax", "rloo", "rebar", "fini-3"}) {
      VaeStudyOptions options{.latents = kind, .images = 200, .hidden = {32}, .batch_size = 50, .steps = 40};
      options.learning_rate = 2e-3;
      if (!options.law().problem(choose_estimator(estimator)).empty()) continue;
      const StudyValues cpu = vae_study(options).measure(estimator, 1);
      options.device = Device::kCuda;
      const StudyValues cuda = vae_study(options).measure(estimator, 1);
      REQUIRE(cpu.size() == cuda.size());
      for (std::size_t i = 0; i < cpu.size(); ++i) {
        INFO(choice_name(kind) << ' ' << estimator << ' ' << cpu[i].chart << " at " << cpu[i].x);
        // Other roundings choose otherwise now and then.
        if (cpu[i].chart == "elbo") CHECK(cuda[i].value == Approx(cpu[i].value).epsilon(0.02));
      }
      CHECK(cuda[cuda.size() - 2].value > cuda.front().value + 30);
    }
  }
}

}  // namespace
}  // namespace tk
