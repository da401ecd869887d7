#pragma once

#include <string>
#include <vector>

#include "transkimmer/cli/run/latents.h"
#include "transkimmer/cli/run/study.h"

namespace tk {

struct VaeStudyOptions {
  LatentKind latents = LatentKind::kCategorical;
  std::int64_t count = 0;   ///< latents; 0: 8 categorical ones, or 16 counts
  std::int64_t values = 0;  ///< Latents::values; 0: 4, 8 or 32, by the kind
  std::string data_dir = {};
  std::int64_t images = 0;  ///< of the training set; 0: all of the files, or 2,000 generated ones
  std::vector<double> hidden = {256, 128};
  std::int64_t batch_size = 100;
  std::int64_t steps = 2000;
  double learning_rate = 5e-4;
  double temperature = 1;
  std::int64_t samples = 10;  ///< gradients of which the deviation is taken, at each point of its curve
  Device device = Device::kCpu;

  /// The latents with the defaults in place of zeros.
  Latents law() const;
};

/// A variational autoencoder with discrete latents (vae.h), trained by each estimator: its training ELBO, with hard
/// choices, and the deviation of the gradient that the encoder gets. On generated shapes, or on the images of
/// data_dir/train-images-idx3-ubyte, or the same with .gz.
Study vae_study(const VaeStudyOptions& options);

}  // namespace tk
