#pragma once

#include <memory>
#include <string>

#include "tests/support/temporary_folder.h"
#include "tests/transkimmer/training/toy_task.h"
#include "transkimmer/checkpoint.h"
#include "transkimmer/classifier.h"

namespace tk::test {

/// A small model with drawn weights in a folder of its own.
struct SavedToyModel {
  explicit SavedToyModel(SkimGate gate) : SavedToyModel(labelled(ToyTask().config(gate))) {}
  explicit SavedToyModel(const Config& config) : model(std::make_unique<BertClassifier>(config)) {
    model->initialize(7);
    save();
  }

  void save() const {
    std::string vocabulary;
    for (const std::string& token : toy.corpus.vocabulary) vocabulary += token + '\n';
    const Config& config = model->config();
    save_model_folder(folder(), config, named_values(model->parameters()), new_tokenizer_files(config, vocabulary));
  }

  static Config labelled(Config config) {
    config.labels = {"negative", "positive"};
    config.finetuning_task = "sst2";
    return config;
  }

  std::filesystem::path folder() const { return temporary / "model"; }

  TemporaryFolder temporary;
  ToyTask toy;
  std::unique_ptr<BertClassifier> model;
};

}  // namespace tk::test
