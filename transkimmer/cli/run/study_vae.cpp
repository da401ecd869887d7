#include "transkimmer/cli/run/study_vae.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <numeric>

#include "autograd/ops/reduce.h"
#include "data/images.h"
#include "nn/optim/adamw.h"
#include "tensor/capture.h"
#include "tensor/io/input_file.h"
#include "tensor/ops/elementwise.h"
#include "tensor/ops/index.h"
#include "tensor/ops/reduce.h"
#include "tensor/step_state.h"
#include "transkimmer/cli/run/log.h"
#include "transkimmer/cli/run/signals.h"
#include "transkimmer/cli/run/vae.h"
#include "transkimmer/cli/run/zip.h"

namespace tk {
namespace fs = std::filesystem;
namespace {

constexpr const char* kFile = "train-images-idx3-ubyte";
constexpr std::int64_t kMostBytes = std::int64_t{1} << 31;
constexpr std::int64_t kToyImages = 2000, kToySide = 16;
constexpr std::int64_t kEvaluated = 2000;  // rows of a batch
constexpr std::int64_t kEvaluation = 1;    // streams of random numbers; 0 is training's
constexpr std::int64_t kDeviation = 2;

Images read_images(const fs::path& folder) {
  const fs::path plain = folder / kFile, zipped = folder / (std::string(kFile) + ".gz");
  if (fs::exists(plain)) return idx_images(read_file(plain, kMostBytes), plain.string());
  TK_CHECK(fs::exists(zipped), "--data_dir: neither ", plain.string(), " nor the same with .gz is there");
  const std::string bytes = gunzipped(read_file(zipped, kMostBytes), zipped.string(), std::size_t{kMostBytes});
  return idx_images(bytes, zipped.string());
}

// [count, pixels] between 0 and 1: the first of the files' images, or generated ones.
Tensor training_images(const VaeStudyOptions& options) {
  const Images images = options.data_dir.empty()
                            ? toy_shapes(1, options.images > 0 ? options.images : kToyImages, kToySide)
                            : read_images(options.data_dir);
  const std::int64_t count = options.images > 0 ? std::min(options.images, images.count()) : images.count();
  TK_CHECK(count >= options.batch_size, "--batch_size: ", options.batch_size, " is more than the ", count, " images");
  const Tensor pixels = empty({count, images.size()});
  for (std::int64_t i = 0; i < pixels.numel(); ++i) {
    pixels.data<float>()[i] = static_cast<float>(images.pixels[static_cast<std::size_t>(i)]) / 255.0f;
  }
  return pixels.to(options.device);
}

// Batches of rows in an order that is drawn anew in each epoch; what is left at an epoch's end is passed over.
class Batches {
 public:
  Batches(std::int64_t rows, std::int64_t size, std::uint64_t seed)
      : order_(static_cast<std::size_t>(rows)), size_(size), random_(seed, Purpose::kShuffle) {
    std::iota(order_.begin(), order_.end(), 0);
    at_ = rows;
  }

  Tensor next() {
    if (at_ + size_ > std::ssize(order_)) {
      random_.shuffle(order_);
      at_ = 0;
    }
    const auto begin = order_.begin() + at_;
    at_ += size_;
    return from_values(std::vector<std::int32_t>(begin, begin + size_));
  }

 private:
  std::vector<std::int32_t> order_;
  std::int64_t size_, at_;
  Generator random_;
};

// One model in training, by one estimator and one seed.
class Training {
 public:
  Training(const VaeStudyOptions& options, const Tensor& images, const std::string& estimator, std::uint64_t seed);

  void step();
  double elbo() const;
  double deviation() const;
  std::int64_t steps() const { return steps_; }

 private:
  StepState state(std::int64_t step) const;
  void work() const;

  const VaeStudyOptions& options_;
  const Tensor& images_;
  std::uint64_t seed_;
  std::unique_ptr<Vae> vae_;
  std::unique_ptr<AdamW> adam_;
  ChosenEstimator chosen_;
  Surrogate surrogate_;
  Batches batches_;
  Tensor state_, index_;  // of the step that is recorded
  Draws draws_;
  Capture capture_;
  std::int64_t steps_ = 0;
};

std::unique_ptr<Vae> make_vae(const VaeStudyOptions& options, std::int64_t pixels, std::uint64_t seed) {
  VaeShape shape{.latents = options.law(), .pixels = pixels, .hidden = {}};
  for (const double width : options.hidden) shape.hidden.push_back(static_cast<std::int64_t>(width));
  manual_seed(seed);
  return std::make_unique<Vae>(shape, options.device);
}

Training::Training(const VaeStudyOptions& options, const Tensor& images, const std::string& estimator,
                   std::uint64_t seed)
    : options_(options),
      images_(images),
      seed_(seed),
      vae_(make_vae(options, images.size(1), seed)),
      adam_(std::make_unique<AdamW>(vae_->parameters())),
      chosen_(choose_estimator(estimator, {.temperature = options.temperature})),
      surrogate_(vae_->latents().surrogate(chosen_)),
      batches_(images.size(0), options.batch_size, seed),
      state_(make_step_state(state(0), options.device)),
      index_(zeros({options.batch_size}, DType::kInt32, options.device)),
      draws_(draws_of_rows(state_, options.batch_size)) {}

StepState Training::state(std::int64_t step) const {
  return {.seed = seed_,
          .step = step,
          .learning_rate = {options_.learning_rate, options_.learning_rate},
          .temperature = options_.temperature};
}

void Training::work() const {
  mean(vae_->loss(surrogate_, index_select(images_, index_), draws_)).backward();
  adam_->step(state_);
}

// A step is asked for kernel by kernel once, then recorded where the device records and nothing is read back in it.
void Training::step() {
  ++steps_;
  index_.copy_from(batches_.next());
  set_step(state_, state(steps_));
  if (capture_) return capture_.replay();
  if (steps_ == 1 || !Capture::is_possible(options_.device) || chosen_.estimator->learns) return work();
  capture_ = Capture::record(options_.device, [this] { work(); });
  capture_.replay();
}

double Training::elbo() const {
  const Tensor state = make_step_state({.seed = seed_, .step = steps_}, options_.device);
  const std::int64_t count = images_.size(0);
  double total = 0;
  for (std::int64_t begin = 0; begin < count; begin += kEvaluated) {
    throw_if_stopped();
    const std::int64_t rows = std::min(kEvaluated, count - begin);
    Draws draws = draws_of_rows(state, rows);
    draws.example = affine(draws.example.to(DType::kFloat32), 1, static_cast<double>(begin)).to(DType::kInt32);
    draws.layer = kEvaluation;
    total += sum(vae_->elbo(images_.narrow(0, begin, rows), draws)).item();
  }
  return total / static_cast<double>(count);
}

// The deviation of one image's gradient of the expected distortion in the latents' parameters, of the first images.
double Training::deviation() const {
  const Tensor x = images_.narrow(0, 0, options_.batch_size);
  const Tensor parameters = vae_->encode(x).value();
  Tensor total = zeros_like(parameters), squares = zeros_like(parameters);
  for (std::int64_t sample = 0; sample < options_.samples; ++sample) {
    throw_if_stopped();
    StepState now = state(steps_);
    now.seed += static_cast<std::uint64_t>(sample) << 32;
    Draws draws = draws_of_rows(make_step_state(now, options_.device), options_.batch_size);
    draws.layer = kDeviation;
    const Variable leaf(parameters, true);
    const auto cost = [&](const Variable& drawn) { return vae_->distortion(x, drawn); };
    sum(surrogate_(cost, leaf, draws)).backward();
    add_to(total, leaf.grad());
    add_to(squares, square(leaf.grad()));
  }
  adam_->parameters().clear_gradients();  // the decoder's
  const auto n = static_cast<double>(options_.samples);
  const Tensor variance = affine(sub(squares, affine(square(total), 1 / n)), 1 / (n - 1));
  return std::sqrt(std::max(0.0, sum(variance).item()) / static_cast<double>(options_.batch_size));
}

StudyValues train(const VaeStudyOptions& options, const Tensor& images, const std::string& estimator,
                  std::uint64_t seed) {
  Training training(options, images, estimator, seed);
  constexpr std::int64_t kPoints = 20;  // of a curve, and the one before the first step
  const std::int64_t every = std::max<std::int64_t>(1, options.steps / kPoints);
  StudyValues values;
  for (;;) {
    const auto x = static_cast<double>(training.steps());
    if (training.steps() % every == 0 || training.steps() == options.steps) {
      values.push_back({"elbo", x, training.elbo()});
      values.push_back({"deviation", x, training.deviation()});
    }
    if (training.steps() == options.steps) return values;
    throw_if_stopped();
    training.step();
  }
}

}  // namespace

Latents VaeStudyOptions::law() const {
  const bool categorical = latents == LatentKind::kCategorical;
  const std::int64_t usual = categorical ? 4 : latents == LatentKind::kBinomial ? 8 : 32;
  return {.kind = latents, .count = count > 0 ? count : categorical ? 8 : 16, .values = values > 0 ? values : usual};
}

Study vae_study(const VaeStudyOptions& options) {
  const Latents law = options.law();
  Study study;
  study.name = "vae";
  study.summary = {
      fmt::format(
          "A variational autoencoder with {} {} latents ({} values each), trained on {} for {} steps of Adam with "
          "a learning rate of {:g} and {} images a step. Its likelihood is Bernoulli, on grey values.",
          law.count, choice_name(law.kind), law.values,
          options.data_dir.empty() ? "generated shapes" : options.data_dir, options.steps, options.learning_rate,
          options.batch_size),
      "Shown is the ELBO of all training images, each with one hard draw of its latents, and the standard deviation of "
      "an image's gradient in its latents' parameters. Bands are two standard errors of the mean over the seeds."};
  study.charts = {{"elbo", "Training ELBO", "nats", "step", true},
                  {"deviation", "Standard deviation of the gradient in the latents' parameters", "nats", "step", true}};
  study.measure = [options, images = std::make_shared<Tensor>()](const std::string& estimator, std::uint64_t seed) {
    if (!images->defined()) *images = training_images(options);
    return train(options, *images, estimator, seed);
  };
  return study;
}

}  // namespace tk
