// A BERT that learns to skip half of the work, on SST-2: skimmed_classifier DATA MODEL
#include <cstdio>

#include "transkimmer/training/training.h"

int main(int, char** argv) {
  using namespace tk;
  const GlueReader reader("sst2", argv[1]);
  TaskModel model = load_for_training(argv[2], reader.task(), SkimSettings{});
  Split train = reader.read(Part::kTrain).front(), dev = reader.read(Part::kDev).front();
  for (Split* split : {&train, &dev}) tokenize(*split, model.tokenizer, 128);
  const TrainerOptions options{.max_steps = 400, .learning_rate = 1e-3, .skim_learning_rate = 1e-2, .skim_target = 0.5};
  Trainer trainer(*model.model, model.task, train.tokenized, options);
  while (!trainer.finished()) trainer.step();
  save_model(model, "skimmed");
  const SplitScore result = score(*model.model, model.task, dev);
  std::printf("accuracy %.2f with %.2f of the work\n", result.metrics[0].value, result.evaluation.mac_share());
  return result.metrics[0].value > 0.8 && result.evaluation.mac_share() < 0.65 ? 0 : 1;
}
