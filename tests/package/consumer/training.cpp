// Trains a dense classifier on SST-2, then a skimmed one that it teaches, and asks the latter: training DATA_DIR MODEL
#include "transkimmer/training/training.h"

#include <cstdio>

using namespace tk;

SplitScore fit(TaskModel& model, const Split& train, const Split& dev, const TrainerOptions& options,
               const Tensor& teacher, const char* folder) {
  Trainer trainer(*model.model, model.task, train.tokenized, options, teacher);
  while (!trainer.finished()) trainer.step();
  save_model(model, folder);
  return score(*model.model, model.task, dev);
}

int main(int, char** argv) {
  const GlueReader reader("sst2", argv[1]);
  TaskModel dense = load_for_training(argv[2], reader.task());
  Split train = reader.read(Part::kTrain).front(), dev = reader.read(Part::kDev).front();
  for (Split* split : {&train, &dev}) tokenize(*split, dense.tokenizer, 128);

  TrainerOptions options{.max_steps = 400, .learning_rate = 1e-3, .warmup = 0.06};
  const double before = fit(dense, train, dev, options, {}, "dense").metrics[0].value;

  TaskModel skimmed = load_for_training("dense", reader.task(), SkimSettings{});
  const Teaching teacher = teach({.by_default = true}, skimmed, train, {dev}, {}, 128);
  options.skim_target = 0.5;
  options.skim_learning_rate = 1e-2;
  const SplitScore after = fit(skimmed, train, dev, options, teacher.logits, "skimmed");

  std::printf("accuracy %.3f dense, %.3f skimmed with %.0f %% of the multiply-accumulates\n", before,
              after.metrics[0].value, 100 * after.evaluation.mac_share());
  const TaskModel model = load_model("skimmed");
  for (const Prediction& p : predict(model, {"the plot was not dull .", "the acting felt clumsy ."})) {
    std::printf("%s %.2f\n", p.label.c_str(), p.value);
  }
  return before > 0.8 && after.metrics[0].value > 0.8 && after.evaluation.mac_share() < 0.65 ? 0 : 1;
}
