#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

#include "data/glue_reader.h"
#include "data/toy_corpus.h"
#include "tensor/error.h"
#include "tensor/io/atomic_file.h"
#include "transkimmer/checkpoint.h"
#include "transkimmer/cli/commands/commands.h"
#include "transkimmer/cli/commands/training_job.h"
#include "transkimmer/cli/report/run_report.h"
#include "transkimmer/cli/run/log.h"
#include "transkimmer/cli/run/print.h"
#include "transkimmer/cli/run/ranks.h"
#include "transkimmer/cli/run/results.h"
#include "transkimmer/cli/run/runtime.h"

namespace tk {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kDenseSteps = 300;
constexpr std::int64_t kSkimSteps = 400;
constexpr double kBudget = 0.4;

struct DemoCommand {
  explicit DemoCommand(CLI::App& program)
      : flags(program, "demo", "train a small skimmed model on a made-up corpus, in a minute, without any files") {
    flags.group("Run");
    flags.add("--output_dir", output_dir, "folder to write to; must be empty or new", "DIR");
    flags.add("--overwrite_output_dir", overwrite, "replace another run there, at the end of this one");
    flags.add("--skim_target", skim_target, "share of the dense model's multiply-accumulates to spend").range(0.05, 1);
    flags.add("--seed", seed, "of corpus, weights and training").at_least(1);
    add_runtime_flags(flags, runtime);
    flags.footer(
        "The corpus is film reviews in which one word decides, turned round by a negation right before it; all\n"
        "else is filler. A dense model learns it first and then teaches a skimmed one.");
  }

  Flags flags;
  RuntimeFlags runtime;
  std::string output_dir = "transkimmer-demo";
  bool overwrite = false;
  double skim_target = kBudget;
  std::uint64_t seed = 1;
};

// A small BERT for words of one token each.
Config demo_config(std::int64_t vocabulary) {
  Config config;
  config.vocab_size = vocabulary;
  config.hidden_size = 128;
  config.num_hidden_layers = 4;
  config.num_attention_heads = 4;
  config.intermediate_size = 512;
  config.max_position_embeddings = 128;
  return config;
}

std::string lines_text(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  return text;
}

// The corpus in the layout of SST-2, so that every command reads it.
void write_split(const fs::path& file, const ToySplit& split) {
  std::string text = "sentence\tlabel\n";
  for (const Example& example : split.examples) {
    text += fmt::format("{}\t{:.0f}\n", example.text_a, example.label);
  }
  write_file_atomically(file, text);
}

void write_inputs(const fs::path& folder, std::uint64_t seed) {
  const ToyCorpus corpus = make_toy_corpus({.seed = seed});
  const fs::path data = folder / "data" / "SST-2";
  fs::create_directories(data);
  write_split(data / "train.tsv", corpus.train);
  write_split(data / "dev.tsv", corpus.dev);
  const Config config = demo_config(std::ssize(corpus.vocabulary));
  BertClassifier model(config);
  model.initialize(seed);
  save_model_folder(folder / "start", config, named_values(model.parameters()),
                    new_tokenizer_files(config, lines_text(corpus.vocabulary)));
}

TrainingSettings settings(const DemoCommand& c, std::int64_t steps, double learning_rate) {
  TrainingSettings s;
  s.trainer.max_steps = steps;
  s.trainer.seed = c.seed;
  s.trainer.learning_rate = learning_rate;
  s.trainer.warmup = 0.06;
  s.logging_steps = 50;
  s.eval_strategy = Strategy::kSteps;
  s.eval_steps = 50;
  s.eval_batch = {.sentences = 64};
  s.save_strategy = SaveStrategy::kNo;
  s.print_metrics = false;
  s.progress = c.runtime.progress;
  return s;
}

TrainingJob job(const DemoCommand& c, const Invocation& invocation, const Reader& reader, const fs::path& start,
                const TrainingSettings& settings) {
  return {.reader = reader,
          .model_folder = start,
          .placement = placement_of(c.runtime),
          .data_notes = false,
          .settings = settings,
          .command = invocation.text,
          .flags = c.flags.values()};
}

bool has_colours() { return ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr; }

// A word in a shade for how many of the layers worked on it, from grey to bright; without colours with that number
// behind it.
std::string word_text(const ReportWord& word, std::int64_t layers, bool colours) {
  if (!colours) return fmt::format("{}_{}", word.text, word.layers_updated);
  constexpr std::array<int, 5> kShades = {238, 243, 114, 83, 46};  // of the 256 colours of terminals
  const std::int64_t shade = word.layers_updated * (std::ssize(kShades) - 1) / layers;
  return fmt::format("\033[{}38;5;{}m{}\033[0m", word.layers_updated == layers ? "1;" : "",
                     kShades[static_cast<std::size_t>(shade)], word.text);
}

std::string trace_text(const Trace& trace, std::int64_t layers, bool colours) {
  std::string text = "\n ";
  for (const ReportWord& word : trace.words) text += ' ' + word_text(word, layers, colours);
  text += fmt::format("   ({:.0f} % of the dense multiply-accumulates)\n", 100 * trace.cost_share);
  for (std::int64_t layer = 0; layer <= layers; ++layer) {
    std::string words;
    for (const ReportWord& word : trace.words) {
      if (word.layers_updated == layer)
        words += ' ' + word.text + (word.layers_read > layer || layer == layers ? "" : "*");
    }
    if (words.empty()) continue;
    const std::string what =
        layer < layers ? fmt::format("layer {} is the last to work on", layer) : "all layers work on";
    text += fmt::format("    {:<28} {}\n", what + ':', words.substr(1));
  }
  return text;
}

void print_outcome(const TrainingOutcome& outcome) {
  const Task& task = outcome.model.task;
  const bool colours = has_colours();
  const Config& config = outcome.model.model->config();
  const Evaluation& evaluation = outcome.result.scores.front().evaluation;
  print("\ndev accuracy: dense {:.1f} %, skimmed {:.1f} % at {:.1f} % of the dense multiply-accumulates\n\n",
        100 * headline(task, outcome.teaching.scores), 100 * headline(task, outcome.result.scores),
        100 * evaluation.mac_share());
  print("{}\n{}", speed_text(evaluation, *outcome.speed), layers_text(evaluation, true));
  print("\nWhat the layers skim ({}; later layers still read a word that they no longer work on, unless *):\n",
        colours ? "the brighter, the more layers worked on a word" : "word_n: n layers worked on it");
  constexpr std::int64_t kShown = 4;
  const Split& dev = outcome.dev.front();
  for (const Trace& trace :
       trace_words(*outcome.model.model, outcome.model.tokenizer, dev, readable_examples(dev, kShown))) {
    print("{}", trace_text(trace, config.num_hidden_layers, colours));
  }
}

void print_next_steps(const std::string& folder) {
  print(
      "\nOpen {0}/report.html for the curves, the layers and more sentences. Then try:\n"
      "  transkimmer eval --task_name sst2 --data_dir {0}/data --model_name_or_path {0}\n"
      "  transkimmer bench --task_name sst2 --data_dir {0}/data --model_name_or_path {0} --profile\n"
      "  transkimmer train --task_name sst2 --data_dir {0}/data --model_name_or_path {0}/dense --skim "
      "--skim_target 0.3 --max_steps 400 --output_dir {0}-0.3\n",
      folder);
}

int run(const DemoCommand& c, const Invocation& invocation) {
  check_is_alone("demo");
  start_runtime(c.runtime, invocation.argv);
  OutputFolder folder(c.output_dir, c.overwrite ? EarlierRun::kReplace : EarlierRun::kRefuse);
  Manifest manifest(invocation.text, c.flags.values(), c.seed, placement_of(c.runtime).device);
  folder.begin_run(manifest, {"data", "start", "dense"});
  const fs::path& out = folder.work();
  write_inputs(out, c.seed);

  const GlueReader reader("sst2", out / "data");
  info("1. a dense model learns the corpus");
  OutputFolder dense_folder(folder, "dense");
  TrainingJob dense = job(c, invocation, reader, out / "start", settings(c, kDenseSteps, 1e-3));
  dense.report = false;
  run_training_job(dense, &dense_folder);

  info("2. a skimmed model learns from it to spend {:.0f} % of the arithmetic", 100 * c.skim_target);
  TrainingJob skimmed = job(c, invocation, reader, out / "dense", settings(c, kSkimSteps, 3e-4));
  skimmed.skim = SkimSettings{};
  skimmed.teacher.by_default = true;
  skimmed.settings.trainer.skim_target = c.skim_target;
  skimmed.settings.trainer.skim_learning_rate = 3e-3;
  const TrainingOutcome outcome = run_training_job(skimmed, &folder);
  print_outcome(outcome);
  print_next_steps(c.output_dir);
  return 0;
}

}  // namespace

Command add_demo(CLI::App& program, const Invocation& invocation) {
  auto command = std::make_shared<DemoCommand>(program);
  return {&command->flags, [command, invocation] { return run(*command, invocation); }};
}

}  // namespace tk
